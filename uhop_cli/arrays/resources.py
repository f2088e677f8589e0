"""How much memory there is."""

from __future__ import annotations


def available_memory() -> int:
    """Bytes of memory this process may still take: what is free, cut by the address-space limit and the control group."""
    limits = [8 << 30]
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            limits = [int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable")] or limits
    except OSError:
        pass  # not Linux: the cautious default stands
    try:
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY:
            with open("/proc/self/statm", encoding="ascii") as statm:
                used = int(statm.read().split()[0]) * resource.getpagesize()
            limits.append(max(0, soft - used))
    except (ImportError, OSError):
        pass
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(name, encoding="ascii") as text:
                value = text.read().strip()
        except OSError:
            continue
        if value.isdecimal():
            limits.append(int(value))
    return min(limits)
