"""Images -> distinct patterns on disk and the list of files behind them. The first half of `uhop store`.

Files are read, hashed and decoded by a few threads, in order; patterns go straight into the new memory file and are used in place,
so that the memory taken does not grow with the number of images. Equal patterns are stored once and keep all their names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.errors import ImageError
from uhop_cli.images.discover import escape
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.settings import OnProgress, Progress
from uhop_cli.memory.sources import Source
from uhop_cli.memory.writer import Writer

UInt8 = NDArray[np.uint8]
WRITE_TOGETHER = 256  # patterns
AHEAD = 8  # files in flight for each thread: enough to keep all busy; of one that is done only the pattern is kept


@dataclass(frozen=True)
class Skipped:
    """A file that is not stored, its name in printable form, and why."""

    path: str
    reason: str


@dataclass
class Ingested:
    """What ingest found, file by file: name, sha256, size in bytes and the row of its pattern; and whether any was transparent."""

    names: list[bytes] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    rows: list[int] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    transparent: bool = False


class Distinct:
    """The distinct patterns of a memory file in the making, in the order in which they first come.

    Args:
        writer: takes the patterns.
        spec: their size.
    """

    def __init__(self, writer: Writer, spec: PatternSpec) -> None:
        self.writer, self.spec, self.count = writer, spec, 0
        self._rows: dict[bytes, int] = {}
        self._pending: list[UInt8] = []
        writer.begin(spec)

    def add(self, pattern: UInt8) -> int:
        """The row of a pattern."""
        key = hashlib.blake2b(pattern.tobytes(), digest_size=16).digest()
        row = self._rows.setdefault(key, self.count)
        if row == self.count:
            self.count += 1
            self._pending.append(pattern)
            if len(self._pending) >= WRITE_TOGETHER:
                self._flush()
        return row

    def patterns(self) -> UInt8:
        """All patterns so far, in place in the file: shape (M, H, W, C)."""
        self._flush()
        return self.writer.patterns()

    def _flush(self) -> None:
        if self._pending:
            self.writer.append(np.stack(self._pending))
            self._pending = []


def ingest(
    sources: Sequence[Source],
    distinct: Distinct,
    *,
    originals: IO[bytes] | None = None,
    known: Callable[[bytes], int | None] = lambda digest: None,
    progress: OnProgress | None = None,
    threads: int | None = None,
) -> Ingested:
    """Read, hash, decode and store all sources, in their order.

    Args:
        sources: what to store.
        distinct: takes the patterns.
        originals: takes the stored files' bytes, one after the other (`--embed`).
        known: the row of a file whose sha256 is already stored, or None; such a file is not decoded.
        progress: told after every file.
        threads: that decode; by default one for each core.
    """
    found = Ingested()

    def work(source: Source) -> tuple[bytes, int, bytes, tuple[UInt8, bool] | int]:
        data = source.read()
        digest = hashlib.sha256(data).digest()
        row = known(digest)
        encoded = source.encode(data, distinct.spec) if row is None else row
        return b"" if originals is None else data, len(data), digest, encoded

    # With `--embed` the files' bytes, up to 256 MiB each, wait for their turn to be written: then few may be in flight.
    ahead = AHEAD if originals is None else 1
    for done, (source, result) in enumerate(_in_order(work, sources, threads or os.cpu_count() or 1, ahead), 1):
        if isinstance(result, ImageError):
            found.skipped.append(Skipped(escape(source.name), result.message))
        else:
            data, size, digest, encoded = result
            if isinstance(encoded, int):
                row = encoded
            else:
                row = distinct.add(encoded[0])
                found.transparent |= encoded[1]
            found.names.append(source.name)
            found.digests.append(digest)
            found.sizes.append(size)
            found.rows.append(row)
            if originals is not None:
                originals.write(data)
        if progress:
            progress(Progress("read", done, len(sources)))
    return found


def _in_order(work: Callable[[Source], Any], sources: Iterable[Source], threads: int, ahead: int) -> Iterator[tuple[Source, Any]]:
    """(source, result or ImageError) in order, `ahead` for each thread in flight; other exceptions end the run."""
    pending: list[tuple[Source, Future[Any]]] = []

    def outcome(item: tuple[Source, Future[Any]]) -> tuple[Source, Any]:
        source, future = item
        try:
            return source, future.result()
        except ImageError as error:
            return source, error

    with ThreadPoolExecutor(threads) as pool:
        try:
            for source in sources:
                pending.append((source, pool.submit(work, source)))
                if len(pending) >= threads * ahead:
                    yield outcome(pending.pop(0))
            while pending:
                yield outcome(pending.pop(0))
        finally:
            for _, future in pending:
                future.cancel()
