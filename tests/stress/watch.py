"""The watchdog of the stress scripts: counts outcomes, ends a hanging run, measures the growth of memory, keeps what failed."""

from __future__ import annotations

import faulthandler
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

HANG = 10.0  # seconds of processor time for one case
BLOCKED = 12  # times that much by the clock, for a case that waits for something; a busy machine is no fault
GROWTH = 1 << 30  # bytes by which a whole run may grow
LONGEST = 600  # characters of a line that says why something is refused


def peak() -> int:
    """The most memory that this process has had, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def check_line(text: str) -> None:
    """A refusal is one printable line of bounded length."""
    assert text, "an empty refusal"
    assert len(text) <= LONGEST, f"a refusal of {len(text)} characters"
    assert text.isprintable(), f"a refusal that is not one printable line: {text!a}"


class Watch:
    """One run over many cases.

    Args:
        name: of the run, for the summary.
        keep: folder for the inputs of cases that fail, None to keep none.
        hang: seconds of processor time after which a case counts as hanging; the run ends there, with a traceback.
    """

    def __init__(self, name: str, keep: Path | None = None, hang: float = HANG) -> None:
        self.name, self.keep, self.hang = name, keep, hang
        self.counts: Counter[str] = Counter()
        self.failures: list[str] = []
        self.slowest: tuple[float, str] = (0.0, "")
        self.started = time.perf_counter()
        self.before = peak()
        self._silence: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 -- it lives as long as the watch
        self._stderr = os.dup(2)
        self._console = os.fdopen(os.dup(2), "w")
        faulthandler.register(signal.SIGPROF, file=self._console, chain=True)  # and then the signal ends the process, as it does

    @contextmanager
    def silence(self) -> Iterator[None]:
        """Collects what anything, C libraries too, writes to standard error; `finish` counts it as a failure."""
        sys.stderr.flush()
        os.dup2(self._silence.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(self._stderr, 2)

    def case(self, label: str, data: bytes = b"") -> _Case:
        """A context for one case: whatever it raises is a failure of the run, and the run goes on."""
        return _Case(self, label, data)

    def progress(self, done: int, total: int) -> None:
        """A line now and then."""
        if done % 1000 == 0 or done == total:
            grown = (peak() - self.before) / 2**20
            print(f"{self.name}: {done} of {total}, {dict(self.counts)}, grown by {grown:.0f} MiB", flush=True)

    def finish(self) -> int:
        """Prints the counts; the exit status is 0 where nothing went wrong."""
        grown = peak() - self.before
        if grown > GROWTH:
            self.failures.append(f"the process grew by {grown / 2**20:.0f} MiB")
        self._silence.seek(0)
        noise = self._silence.read()
        self._silence.close()
        faulthandler.unregister(signal.SIGPROF)
        self._console.close()
        if noise:
            self.failures.append(f"{len(noise)} bytes on standard error, beginning with {noise[:300]!r}")
        for name, count in sorted(self.counts.items()):
            print(f"  {count:7d}  {name}")
        print(
            f"  slowest case {self.slowest[0]:.2f} s of processor time ({self.slowest[1]}); memory grew by {grown / 2**20:.0f} MiB"
        )
        print(f"  {time.perf_counter() - self.started:.0f} s, {len(self.failures)} failures")
        for failure in self.failures[:40]:
            print(f"FAILED  {failure}")
        print(f"{self.name}: {'passed' if not self.failures else 'FAILED'}")
        return 1 if self.failures else 0


class _Case:
    def __init__(self, watch: Watch, label: str, data: bytes) -> None:
        self.watch, self.label, self.data = watch, label, data

    def __enter__(self) -> None:
        self.started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, self.watch.hang)
        faulthandler.dump_traceback_later(BLOCKED * self.watch.hang, exit=True, file=self.watch._console)
        if self.watch.keep:  # where the run ends in a hang or a crash, this is what it was at
            (self.watch.keep / "current").write_bytes(self.data)
            (self.watch.keep / "current.txt").write_text(self.label)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_PROF, 0)
        self.watch.slowest = max(self.watch.slowest, (time.process_time() - self.started, self.label))
        if error is None:
            return False
        if not isinstance(error, Exception):
            return False
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__}: {str(error)[:300]} ({Path(place.filename).name}:{place.lineno})"
        self.watch.counts["FAILED"] += 1
        self.watch.failures.append(f"{self.label}: {text}")
        if self.watch.keep:
            name = "".join(c if c.isalnum() else "-" for c in self.label)[:80]
            (self.watch.keep / f"{name}.bin").write_bytes(self.data)
            (self.watch.keep / f"{name}.txt").write_text("".join(traceback.format_exception(error)))
        return True
