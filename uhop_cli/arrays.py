"""Which array library and which device, and the few operations that the array API standard lacks.

The engine is written once against the array API standard. On the CPU its namespace is NumPy itself and torch is never imported; on
a GPU it is `array_api_compat.torch`. This is the only file, beside nn/, in which torch is imported (`torch_library`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.errors import DeviceError

Array = Any  # an array of the namespace in use: numpy.ndarray or torch.Tensor

TOPK_BLOCK = 64
WORTH_THREADS = 1 << 20  # values from which a second core is worth its start
GPU_WORTH_FLOP = 2e12  # below this, starting CUDA (2 to 5 s) costs more than the CPU needs for the whole work


@dataclass(frozen=True)
class Device:
    """Where arrays live: `kind` is 'cpu' (NumPy), 'cuda', 'cuda:N', 'mps', or 'torch-cpu' (torch on the CPU, for the law tests)."""

    kind: str = "cpu"

    @property
    def is_numpy(self) -> bool:
        """True where arrays are NumPy's and torch is not imported."""
        return self.kind == "cpu"

    def put(self, array: NDArray[Any]) -> Array:
        """The array on this device; NumPy arrays are passed on as they are."""
        if self.is_numpy:
            return array
        target = "cpu" if self.kind == "torch-cpu" else self.kind
        return torch_library().tensor(array, device=target)  # always a copy: what is mapped from a file may not be written to

    def send(self, array: NDArray[Any], parts: Iterable[slice]) -> Iterator[tuple[slice, Array]]:
        """Parts of an array that stays in host memory, one after the other on this device."""
        if self.kind.startswith("cuda"):
            from uhop_cli.gpu import send

            return send(array, self.kind, parts)
        return ((part, self.put(array[part])) for part in parts)

    def free_memory(self) -> int:
        """Bytes that may still be taken where the arrays live."""
        if self.kind.startswith("cuda"):
            torch = torch_library()
            kept = torch.cuda.memory_reserved(self.kind) - torch.cuda.memory_allocated(self.kind)  # by torch, for what comes next
            return int(torch.cuda.mem_get_info(self.kind)[0] + kept)
        return available_memory()


CPU = Device()


def torch_library() -> Any:
    """torch, imported when it is first needed: that takes seconds, and nothing on the CPU needs it."""
    import torch

    return torch


def resolve_device(name: str, flop: float = 0.0) -> Device:
    """The device that `name` asks for.

    Args:
        name: 'auto', 'cpu', 'cuda', 'cuda:N', 'mps' or 'torch-cpu'.
        flop: floating point operations of the work ahead; `auto` takes a GPU only where the work is worth its start-up.

    Raises:
        DeviceError: an explicit device is not there, or the name is none of the above.
    """
    if name == "cpu" or (name == "auto" and flop < GPU_WORTH_FLOP):
        return CPU
    if name == "auto" and not _gpu_files_present():
        return CPU
    if name not in ("auto", "torch-cpu", "mps", "cuda") and not name.removeprefix("cuda:").isdecimal():
        raise DeviceError(f"unknown device '{name}'", "use auto, cpu, cuda, cuda:N or mps")
    try:
        torch = torch_library()
    except ImportError:
        if name == "auto":
            return CPU
        raise DeviceError(
            f"device '{name}' needs torch, which is not installed", "pip install torch, or use --device cpu"
        ) from None
    if name == "torch-cpu":
        return Device("torch-cpu")
    if name != "mps" and torch.cuda.is_available():
        index = int(name.partition(":")[2] or 0)
        if index < torch.cuda.device_count():
            return Device(f"cuda:{index}")
    if name in ("auto", "mps") and torch.backends.mps.is_available():
        return Device("mps")
    if name == "auto":
        return CPU
    raise DeviceError(f"device '{name}' is not available here", "use --device auto or --device cpu")


def _gpu_files_present() -> bool:
    """Whether a look at the file system gives torch a chance to find a GPU: importing torch only to hear 'no' costs seconds."""
    return (
        os.path.exists("/dev/nvidiactl")
        or os.path.exists("/dev/dxg")
        or os.path.exists("/dev/kfd")
        or os.uname().sysname == "Darwin"
    )


def namespace(*arrays: Array) -> Any:
    """The array API namespace of the arrays: numpy, or array_api_compat.torch."""
    if all(isinstance(array, np.ndarray | np.generic | float | int) for array in arrays):
        return np
    import array_api_compat

    return array_api_compat.array_namespace(*(array for array in arrays if not isinstance(array, float | int)))


def to_numpy(array: Array) -> NDArray[Any]:
    """The array as a NumPy array in host memory."""
    if isinstance(array, np.ndarray):
        return array
    return np.asarray(array.detach().cpu().numpy()) if hasattr(array, "detach") else np.asarray(array)


def like(array: Array, values: NDArray[Any]) -> Array:
    """`values` on the device and in the library of `array`."""
    if isinstance(array, np.ndarray):
        return values
    return array.new_tensor(values) if values.ndim == 0 else _tensor(values, array)


def _tensor(values: NDArray[Any], array: Array) -> Array:
    return torch_library().from_numpy(np.ascontiguousarray(values)).to(array.device)


def float32(array: Array) -> Array:
    """The array in float32."""
    if isinstance(array, np.ndarray):
        return array.astype(np.float32, copy=False)
    return array.float()


def unit_rows(patterns: NDArray[Any], rows: slice = slice(None)) -> NDArray[np.float32]:
    """Rows of stored patterns as vectors in [0, 1], (m, d) float32: pixels (uint8) divided by 255, floats as they are."""
    part = patterns[rows].reshape(len(patterns[rows]), -1)
    if part.dtype != np.uint8:
        return part.astype(np.float32, copy=False)
    vectors = part.astype(np.float32)
    vectors *= np.float32(1 / 255)
    return vectors


def topk(x: Array, k: int) -> tuple[Array, Array]:
    """The k largest values along the last axis, in falling order, and their indices. Equal values come in the order of their index.

    Args:
        x: shape (..., M).
        k: at most M are returned.

    Returns:
        values and indices, shape (..., min(k, M)).
    """
    size = int(x.shape[-1])
    k = min(k, size)
    if isinstance(x, np.ndarray):
        if size > 2 * TOPK_BLOCK * k > 0:
            # The k largest are in the k blocks of the largest maxima.
            whole = size - size % TOPK_BLOCK
            maxima = x[..., :whole].reshape(*x.shape[:-1], -1, TOPK_BLOCK).max(axis=-1)
            blocks = np.sort(topk(maxima, k)[1], axis=-1)
            part = (blocks[..., None] * TOPK_BLOCK + np.arange(TOPK_BLOCK)).reshape(*x.shape[:-1], -1)
            part = np.concatenate([part, np.broadcast_to(np.arange(whole, size), (*x.shape[:-1], size - whole))], axis=-1)
            values, places = topk(np.take_along_axis(x, part, axis=-1), k)
            return values, np.take_along_axis(part, places, axis=-1)
        if k < size:
            # The k-th largest value is the threshold; argpartition leaves ties there in no order, so the index decides afterwards.
            part = np.sort(np.argpartition(x, size - k, axis=-1)[..., size - k :], axis=-1)
        else:
            part = np.broadcast_to(np.arange(size), x.shape)
        values = np.take_along_axis(x, part, axis=-1)
        order = np.argsort(-values, axis=-1, kind="stable")
        return np.take_along_axis(values, order, axis=-1), np.take_along_axis(part, order, axis=-1)
    values, indices = x.topk(k, dim=-1)
    return values, indices


def logsumexp(x: Array, axis: int = -1, keepdims: bool = False) -> Array:
    """log sum exp along an axis, without overflow; -infinity where all entries are -infinity."""
    xp = namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
    if isinstance(x, np.ndarray):
        with np.errstate(divide="ignore"):  # log 0 = -infinity is the answer there
            result = np.log(total) + top
    else:
        result = xp.log(total) + top
    return result if keepdims else xp.squeeze(result, axis=axis)


def chunks(total: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover range(total)."""
    size = max(1, size)
    for start in range(0, total, size):
        yield slice(start, min(start + size, total))


def cores() -> int:
    """How many threads share the work: one a core, 16 at most, as memory does not feed more."""
    return min(os.cpu_count() or 1, 16)


def product_on_all_cores(left: NDArray[np.float32], right: NDArray[np.float32]) -> NDArray[np.float32]:
    """left @ right for few rows and many columns, at full speed within `one_blas_thread`."""
    if right.size < WORTH_THREADS:
        return np.asarray(left @ right)
    out = np.empty((len(left), right.shape[1]), np.float32)

    def work(columns: slice) -> None:
        np.matmul(left, right[:, columns], out=out[:, columns])

    on_all_cores(work, right.shape[1], -(-right.shape[1] // cores()))
    return out


def on_all_cores(work: Callable[[slice], object], total: int, step: int) -> None:
    """Run `work` on slices of at most `step` that cover range(total): on all cores, one BLAS thread in each."""
    threads = cores()

    def strip(part: slice) -> None:
        for rows in chunks(part.stop - part.start, step):
            work(slice(part.start + rows.start, part.start + rows.stop))

    if threads == 1 or total <= step:
        strip(slice(0, total))
        return
    with one_blas_thread(), ThreadPoolExecutor(threads) as pool:
        list(pool.map(strip, chunks(total, -(-total // threads))))


def one_blas_thread() -> AbstractContextManager[Any]:
    """BLAS without threads of its own. After a product they go on turning for some hundredths of a second, in the way of others: so
    work of that length that has threads itself lets BLAS have none from its beginning to its end."""
    context: AbstractContextManager[Any] = _blas().limit(limits=1, user_api="blas")
    return context


@cache
def _blas() -> Any:
    """The BLAS libraries of this process; finding them takes longer than limiting their threads."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


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
