"""The passes over all patterns: their second moment, what is kept of each, and the codes of a large memory.

`Whole` goes through one file as it lies. A memory in shards is passed over `ByShard`: each shard is a piece of work of its own,
with one BLAS thread, and sums are added in float64 in the order of the shards. So the bytes of every shard are the same whether
threads of this process do the pieces or the workers of a cluster, and however many there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from uhop_cli.arrays.joined_rows import EndToEnd
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks, cores, one_blas_thread
from uhop_cli.arrays.types import Float32, Float64, UInt8
from uhop_cli.errors import MemoryFileError
from uhop_cli.evidence.shortlist.codes import Coder, compact_codes, pay
from uhop_cli.evidence.statistics import CHUNK_BYTES, Encoded, Statistics, encode, encoded, joined_parts
from uhop_cli.files.names import escape
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.kernel.closed_form import second_moment
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.progress import OnProgress, Progress

Item = TypeVar("Item")
Result = TypeVar("Result")
Codes = tuple[Float32, Float32]  # codes (k, M) and their directions


class Crew(Protocol):
    """Who does pieces of work that need nothing of each other."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """What `function` makes of each item, in their order."""
        ...


class Threads:
    """The threads of this process, one a core."""

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `Crew.map`."""
        with one_blas_thread(), ThreadPoolExecutor(cores()) as pool:
            yield from pool.map(function, items)


class Passes(Protocol):
    """The passes over the patterns of a memory in the making."""

    @property
    def bounds(self) -> tuple[int, ...]:
        """The rows at which the shards that it is to be in begin and end; () where it is one file."""
        ...

    def second_moment(self) -> Float64:
        """X^T X, (d, d)."""
        ...

    def encode(self, kernel: KernelFamily) -> tuple[Float32, Statistics]:
        """Norms (M, R) and statistics (`evidence.statistics.encode`)."""
        ...

    def codes(self, seed: int) -> Codes | None:
        """Codes and directions (`evidence.shortlist.codes.compact_codes`)."""
        ...


@dataclass(frozen=True)
class Whole:
    """All patterns, chunk after chunk.

    Attributes:
        spec: of the patterns.
        patterns: (M, H, W, C).
        opacity: (M, H, W), or None.
        progress: told how far a pass is.
    """

    spec: PatternSpec
    patterns: UInt8
    opacity: UInt8 | None = None
    progress: OnProgress | None = None

    @property
    def bounds(self) -> tuple[int, ...]:
        """See `Passes`."""
        return ()

    def second_moment(self) -> Float64:
        """See `Passes`."""
        return second_moment(self.patterns, self.progress)

    def encode(self, kernel: KernelFamily) -> tuple[Float32, Statistics]:
        """See `Passes`."""
        return encode(kernel, self.spec, self.patterns, self.progress, opacity=self.opacity)

    def codes(self, seed: int) -> Codes | None:
        """See `Passes`."""
        return compact_codes(self.spec, self.patterns, seed, self.progress)


@dataclass(frozen=True)
class PatternRows:
    """Rows of the patterns in a file in the making, for whoever sees it.

    Attributes:
        path: of the file.
        place: the byte of the first pattern of the file.
        spec: of the patterns.
        begin, end: the rows.
        opacity: of these rows, (m, H, W), or None.
    """

    path: str
    place: int
    spec: PatternSpec
    begin: int
    end: int
    opacity: UInt8 | None = None

    def patterns(self) -> UInt8:
        """(m, H, W, C), mapped.

        Raises:
            MemoryFileError: the file cannot be seen from here.
        """
        shape = (self.end - self.begin, *self.spec.shape)
        try:
            return np.memmap(self.path, np.uint8, "r", self.place + self.begin * self.spec.dim, shape)
        except (OSError, ValueError):
            folder = escape(Path(self.path).parent)
            raise MemoryFileError(f"{folder}: a worker does not see it", "store into a folder that all workers see") from None


@dataclass(frozen=True)
class ByShard:
    """All patterns, shard by shard.

    Attributes:
        shards: the rows of each.
        crew: does the pieces.
        sample: the patterns, for what is learned from a few of them.
        progress: told how far a pass is.
    """

    shards: tuple[PatternRows, ...]
    crew: Crew
    sample: UInt8
    progress: OnProgress | None = None

    @classmethod
    def of(cls, whole: Whole, path: Path, place: int, bounds: Sequence[int], crew: Crew) -> ByShard:
        """From where the patterns lie in a file, and the rows at which shards begin and end."""
        shards = tuple(
            PatternRows(str(path), place, whole.spec, begin, end, None if whole.opacity is None else whole.opacity[begin:end])
            for begin, end in pairwise(bounds)
        )
        return cls(shards, crew, whole.patterns, whole.progress)

    @property
    def bounds(self) -> tuple[int, ...]:
        """See `Passes`."""
        return (self.shards[0].begin, *(rows.end for rows in self.shards))

    def second_moment(self) -> Float64:
        """See `Passes`."""
        return sum(self._pieces("learn", moment_of, self.shards), np.zeros((self.shards[0].spec.dim,) * 2))

    def encode(self, kernel: KernelFamily) -> tuple[Float32, Statistics]:
        """See `Passes`."""
        return joined_parts(self._pieces("encode", encoded_of, [(rows, kernel) for rows in self.shards]), len(self.sample))

    def codes(self, seed: int) -> Codes | None:
        """See `Passes`."""
        spec = self.shards[0].spec
        if not pay(len(self.sample), spec.dim):
            return None
        coder = Coder.learn(self.sample, spec.shape, seed)
        codes = EndToEnd(len(self.sample), axis=1)  # one memory a column: short pieces of rows take products much longer
        for part in self._pieces("codes", codes_of, [(rows, coder) for rows in self.shards]):
            codes.add(part)
        return codes.close(), coder.weight

    def _pieces(self, stage: str, function: Callable[[Any], Result], items: Sequence[Any]) -> Iterator[Result]:
        total = self.shards[-1].end
        for rows, result in zip(self.shards, self.crew.map(function, items), strict=True):
            if self.progress:
                self.progress(Progress(stage, rows.end, total))
            yield result


def moment_of(rows: PatternRows) -> Float64:
    """X^T X of one shard."""
    with one_blas_thread():
        return second_moment(rows.patterns())


def encoded_of(piece: tuple[PatternRows, KernelFamily]) -> Encoded:
    """Norms, statistics and moments of one shard."""
    rows, kernel = piece
    with one_blas_thread():
        return encoded(kernel, rows.spec, rows.patterns(), opacity=rows.opacity)


def codes_of(piece: tuple[PatternRows, Coder]) -> Float32:
    """Codes of one shard, (k, m)."""
    rows, coder = piece
    patterns = rows.patterns()
    codes, step = EndToEnd(len(patterns), axis=1), max(1, CHUNK_BYTES // (4 * rows.spec.dim))
    with one_blas_thread():
        for part in chunks(len(patterns), step):
            codes.add(coder.encode(unit_rows(patterns, part)))
    return codes.close()
