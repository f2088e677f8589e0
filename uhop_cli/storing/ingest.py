"""Images -> distinct patterns on disk and the list of files behind them. The first half of `uhop store`.

Files are read, hashed and decoded by a few threads, in order; patterns go straight into the new memory file and are used in place,
so that the memory taken does not grow with the number of images. Equal patterns are stored once and keep all their names.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np

from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.errors import ImageError, MemoryFileError
from uhop_cli.files.names import escape, page_name, split_page
from uhop_cli.frames.local.collection import Collection
from uhop_cli.images.decode import decoding_threads
from uhop_cli.images.discover import Skipped
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.file.writer import Writer
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.storing.opacity import OpacityRows
from uhop_cli.storing.passes.passes import Crew
from uhop_cli.storing.passes.taking import Taken, Taking, taken
from uhop_cli.storing.resume import Records, pattern_key
from uhop_cli.storing.sources import Source, Sources

WRITE_TOGETHER = 256  # patterns
FILES_TOGETHER = 4096  # that become columns at a time
AHEAD = 4  # groups in flight for each thread: enough to keep all busy
IN_FLIGHT = 64 << 20  # bytes of patterns; of a file that is done nothing else is kept
_Encoded = tuple[UInt8, UInt8 | None, bytes, tuple[int, int]]  # pattern, opacity, `pattern_key`, width and height


class Ingested:
    """What was taken in: the files, those that were skipped, whether any was transparent, how many have further pages.

    Files become columns (`Entries`) some thousands at a time, so that millions of them leave no objects behind.
    """

    def __init__(self, before: Entries | None = None, *, transparent: bool = False) -> None:
        self.skipped: list[Skipped] = []
        self.transparent = transparent
        self.more_pages = 0
        self.copied = array("q")
        self._blocks: list[Entries] = [] if before is None else [before]
        self._open: list[tuple[bytes, int, bytes, int]] = []

    @property
    def copies(self) -> Int64:
        """Bytes of each file that were kept (`--embed`), (N,); a later page's are those of the first."""
        return np.array(self.copied, np.int64)

    def add(self, name: bytes, row: int, digest: bytes, size: int) -> None:
        """Adds a file: its name, the row of its pattern, its sha256 and its size in bytes."""
        self._open.append((name, row, digest, size))
        if len(self._open) >= FILES_TOGETHER:
            self._close()

    def entries(self) -> Entries:
        """All files, in order."""
        self._close()
        self._blocks = [Entries.joined(self._blocks)]
        return self._blocks[0]

    def _close(self) -> None:
        if self._open:
            self._blocks.append(Entries.build(*zip(*self._open, strict=True)))
            self._open = []


class Distinct:
    """The distinct patterns of a memory file in the making, in the order in which they first come.

    Args:
        writer: takes the patterns.
        spec: their size.
        opacity: takes their opacity.
        records: what is noted of them in case the run is killed.
    """

    def __init__(
        self, writer: Writer, spec: PatternSpec, opacity: OpacityRows | None = None, records: Records | None = None
    ) -> None:
        self.writer, self.spec, self.records, self.count = writer, spec, records, 0
        self.opacity = opacity or OpacityRows(spec.height, spec.width)
        self._rows: dict[bytes, int] = {}
        self._pending: list[UInt8] = []
        self._shapes = array("q")
        writer.begin(spec)

    @property
    def shapes(self) -> Int64:
        """Width and height of the first picture of each pattern, (M, 2)."""
        return np.array(self._shapes, np.int64).reshape(-1, 2)

    def add(
        self,
        pattern: UInt8,
        key: bytes | None = None,
        shape: tuple[int, int] | None = None,
        opacity: UInt8 | None = None,
    ) -> int:
        """The row of a pattern.

        Args:
            pattern: (H, W, C).
            key: its `pattern_key`, where it is known.
            shape: width and height of the picture that it was made from; None: as the pattern's.
            opacity: (H, W), None: all is opaque. Of equal patterns that of the first counts.
        """
        key = key or pattern_key(pattern)
        row = self._rows.setdefault(key, self.count)
        if row == self.count:
            self.count += 1
            self._shapes.extend(shape or (self.spec.width, self.spec.height))
            self._pending.append(pattern)
            self.opacity.append(opacity)
            if len(self._pending) >= WRITE_TOGETHER:
                self._flush()
        return row

    def close(self) -> UInt8:
        """All patterns, in place in the file: shape (M, H, W, C). Nothing can be added afterwards."""
        self._flush()
        self._rows = {}  # by far the largest thing in memory when there are millions
        return self.writer.patterns()

    def _flush(self) -> None:
        if self._pending:
            self.writer.append(np.stack(self._pending))
            self._pending = []
            if self.records is not None:
                self.records.flush()


def ingest(
    sources: Sources,
    distinct: Distinct,
    found: Ingested,
    *,
    originals: IO[bytes] | None = None,
    known: Callable[[bytes], int | None] = lambda digest: None,
    decoded: Callable[[bytes], UInt8 | None] = lambda digest: None,
    collection: Collection | None = None,
    crew: Crew | None = None,
    progress: OnProgress | None = None,
    threads: int | None = None,
) -> None:
    """Read, hash, decode and store all sources, in their order.

    Args:
        sources: what to store.
        distinct: takes the patterns.
        found: takes the files.
        originals: takes the stored files' bytes, one after the other (`--embed`).
        known: the row of the picture of that `Source.identity`, if it is already stored, or None; such a file is not decoded.
        decoded: the pattern of a file with that sha256, whose picture is opaque, where a killed run has left it.
        collection: takes the local descriptors of the pictures that are large enough; None: none are made.
        crew: decodes the files; None: threads of this process do. It does not ask what is known or was decoded.
        progress: told after every file, or every group of rows.
        threads: that decode; by default one for each core.
    """

    taking = Taking(distinct.spec, described=collection is not None and collection.describes, whole=originals is not None)

    def work(source: Source) -> Taken | ImageError:
        return taking.of(source, known, decoded)

    done = 0
    # With `--embed` the files' bytes, up to 256 MiB each, wait for their turn to be written: then few may be in flight.
    threads = threads or decoding_threads()
    ahead, most = (AHEAD, IN_FLIGHT // (threads * AHEAD * distinct.spec.dim)) if originals is None else (1, 1)
    groups = sources.groups(max(1, most))
    if crew is None or not sources.files:
        results = _in_order(work, groups, threads, ahead)
    else:
        results = _by_crew(crew, taking, sources, max(1, most))
    for group in results:
        for source, result in group:
            if isinstance(result, ImageError):
                found.skipped.append(Skipped(Path(os.fsdecode(source.name)), escape(source.name), result.message, result.hint))
                continue
            data, size, digest, encoded = result
            if crew is not None and not isinstance(encoded, int):
                encoded = encoded if (there := known(source.identity(digest))) is None else there
            if isinstance(encoded, int):
                row = encoded
            else:
                before = distinct.count
                row = distinct.add(encoded.pattern, encoded.key, encoded.shape, encoded.opacity)
                found.transparent |= encoded.opacity is not None
                found.more_pages += encoded.pages > 1
                if collection is not None and row == before:
                    collection.add(encoded.points, encoded.seconds)
                if distinct.records is not None and source.costly and encoded.opacity is None:
                    distinct.records.add(digest, encoded.key, row)
            found.add(source.name, row, digest, size)
            if originals is not None:
                found.copied.append(originals.write(data) if source.page == 1 else 0)
        done += len(group)
        if progress:
            progress(Progress("read", done, len(sources)))


def _by_crew(crew: Crew, taking: Taking, sources: Sources, most: int) -> Iterator[list[tuple[Source, Any]]]:
    """The files by the crew, group after group; then the rows of arrays here, as these need no decoding."""
    files = [*Sources(sources.files).groups(most)]
    for group, results in zip(files, crew.map(taken, ((taking, group) for group in files)), strict=True):
        yield list(zip(group, results, strict=True))
    for group in Sources([], sources.arrays).groups(most):
        yield [(source, taking.of(source)) for source in group]


def _in_order(
    work: Callable[[Source], Any], groups: Iterable[list[Source]], threads: int, ahead: int
) -> Iterator[list[tuple[Source, Any]]]:
    """Each group with its results, in order, `ahead` groups for each thread in flight."""
    pending: list[Future[list[tuple[Source, Any]]]] = []
    with ThreadPoolExecutor(threads) as pool:
        try:
            for group in groups:
                pending.append(pool.submit(lambda group: [(source, work(source)) for source in group], group))
                if len(pending) >= threads * ahead:
                    yield pending.pop(0).result()
            while pending:
                yield pending.pop(0).result()
        finally:
            for future in pending:
                future.cancel()


def take(
    kept: Memory | None,
    sources: Sources,
    distinct: Distinct,
    originals: IO[bytes] | None,
    progress: OnProgress | None,
    decoded: Callable[[bytes], UInt8 | None] = lambda digest: None,
    collection: Collection | None = None,
    crew: Crew | None = None,
) -> Ingested:
    """What was kept, then the new sources, in that order. A file whose content is stored already is not decoded again, nor is one
    that a killed run had `decoded`."""
    found = Ingested()
    rows_of: dict[bytes, int] = {}
    if kept is not None:
        shapes = [None] * len(kept) if kept.shapes is None else kept.shapes.tolist()
        opacity = [None] * len(kept) if kept.opacity is None else kept.opacity
        each = zip(kept.patterns, shapes, opacity, strict=True)
        rows = np.array([distinct.add(pattern, shape=shape, opacity=veil) for pattern, shape, veil in each])
        entries = kept.entries.with_rows(rows[kept.entries.name_entry])
        found = Ingested(entries, transparent=bool(kept.record.get("transparent")))
        digests = (entries.digest(index) for index in range(len(entries)))
        pages = (split_page(name)[1] for name in entries.names())
        rows_of = dict(zip(map(page_name, digests, pages), entries.name_entry.tolist(), strict=True))
        if originals is not None:
            if kept.originals is None:
                raise MemoryFileError(
                    "the memory holds no copies of its files, so --embed cannot be added to it",
                    "store all files again with --force --embed",
                )
            originals.write(kept.originals.data.tobytes())
            found.copied.extend(np.diff(kept.originals.offsets).tolist())
    ingest(
        sources, distinct, found,
        originals=originals, known=rows_of.get, decoded=decoded, collection=collection, crew=crew, progress=progress,
    )  # fmt: skip
    return found
