"""Shortlists for large memories: a code of at most 128 values a memory, and one thin product over the codes.

Each quarter b of a pattern (the whole of a small one), less its mean, is taken along the leading principal directions of such
quarters,

    z_b = diag((v_i + rho)^(-1/2)) V_b (x_b - mean x_b),       rho = trace / k  (nearly the plain directions: noise is white),

and the code is the unit vectors u_b = z_b / |z_b| and their shares of the length, l_b = |z_b| / |z|. A memory is put on the
shortlist if it is among the first by one of three scores, with c_b = <u_b(x), u_b(xi)>:

    quarters   prod_b (1 - max(c_b, 0)^2), small: each quarter has its own gain and noise, so that a covered one costs its share;
    whole      sum_b l_b(x) l_b(xi) c_b, large: noise that is the same everywhere is averaged over the whole picture;
    spectrum   the cosine of all that the file keeps of the spectrum (`evidence.bands`), large: where white noise drowns nearly all,
               every coefficient counts. Of more than `READ` memories, of which one query would read too much, the cosine of the
               plain directions s_i z_i, s_i = (v_i + rho)^(1/2), which is nearly as good.

A code knows coarse shapes only: what it cannot see are pictures of which little more than fine detail is left, or which are covered
in every quarter, or moved; and of pictures blurred to a few waves (`spectra.smooth`) too many are alike. How many right memories
the shortlist misses is measured when the memory is stored (`self_test`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import inverse, unit_rows
from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.threads import chunks, on_all_cores
from uhop_cli.arrays.types import Float32, Int64, UInt8
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.shortlist.spectra import Cosines, KeptSpectra
from uhop_cli.evidence.statistics import CHUNK_BYTES
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.progress import OnProgress, Progress

WIDTH = 128  # values of a code
WORTH = 6e7  # values of all memories together, from which on a shortlist and its examination take less time than all of them
LARGE = 4096  # values of a memory, of which no more are counted: the directions of large ones take long to find
SAMPLE = 8192  # memories that the directions are found from
SHORTLIST = (1024, 4096)  # memories that are examined: fewest and most
READ = 1 << 18  # memories of which one query reads the spectrum
SHARE = 48  # one of so many memories is examined, within these bounds
TOGETHER = (16, 128)  # queries in one pass over the codes, fewest and most
PAIRS = 1 << 23  # of query and memory that are scored together, so far as `TOGETHER` allows
CHUNK_VALUES = 1 << 16  # cosines at a time: they stay in the cache
CHUNK = (512, 4096)  # memories at a time, fewest and most
GROUPED = 16  # scores, of which the largest stands for all


@dataclass(frozen=True)
class Coder:
    """The map from pictures to codes.

    Attributes:
        weight: the directions of the blocks one block after the other, (B k, d), zero outside of their block.
        blocks: B.
    """

    weight: Float32
    blocks: int

    @classmethod
    def learn(cls, patterns: NDArray[np.generic], shape: tuple[int, int, int], seed: int = 0) -> Coder:
        """The principal directions of a sample of the patterns (M, H, W, C)."""
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(len(patterns), min(SAMPLE, len(patterns)), replace=False))
        sample = unit_rows(patterns[rows])
        grid = BlockGrid(shape, min(2, BlockGrid.of(shape).side))
        places = grid.cut(np.arange(sample.shape[1])[None])
        parts = []
        for place in (block[0] for block in places):
            block = sample[:, place] - sample[:, place].mean(axis=1, keepdims=True)
            size = min(WIDTH // len(places) - 1, len(place))
            values, vectors = np.linalg.eigh((block.T @ block / len(block)).astype(np.float64))
            values, vectors = np.maximum(values[::-1][:size], 0), vectors[:, ::-1][:, :size]
            directions = (vectors / np.sqrt(values + max(values.sum(), 1e-9) / size)).T
            part = np.zeros((size, sample.shape[1]), np.float32)
            part[:, place] = directions - directions.mean(axis=1, keepdims=True)  # takes the mean off the block
            parts.append(part)
        return cls(np.concatenate(parts), len(parts))

    def split(self, patterns: Float32) -> tuple[Float32, Float32]:
        """Unit vectors (m, B, k) and shares of the length (m, B) of rows (m, d)."""
        z = (patterns @ self.weight.T).reshape(len(patterns), self.blocks, -1)
        lengths = np.linalg.norm(z, axis=2)
        total = np.linalg.norm(lengths, axis=1, keepdims=True)
        unit = np.divide(z, lengths[:, :, None], out=np.zeros_like(z), where=lengths[:, :, None] > 0)
        return unit, np.divide(lengths, total, out=np.zeros_like(lengths), where=total > 0)

    @property
    def powers(self) -> Float32:
        """s_i^2 of the directions, which are 1 / s_i long: (B, k)."""
        squares = np.square(self.weight).sum(axis=1).reshape(self.blocks, -1)
        return np.asarray(inverse(squares))

    def encode(self, patterns: Float32) -> Float32:
        """Codes of rows (m, d), one a column: (B k + B, m)."""
        unit, shares = self.split(patterns)
        return np.concatenate([unit.reshape(len(patterns), -1).T, shares.T])


class CodeIndex:
    """The codes of M memories, on the CPU. (A GPU reads all memories in the time that a shortlist takes.)

    Args:
        codes: (B k + B, M), one memory a column: so the products with one query run at the speed of memory.
        coder: that made them.
        spectrum: what is kept of the spectrum of all memories; it is used of at most `READ`.
    """

    def __init__(self, codes: Float32, coder: Coder, spectrum: KeptSpectra | None = None) -> None:
        self.codes, self.coder = codes, coder
        self.count = int(codes.shape[1])
        self.spectrum = spectrum if self.count <= READ else None

    def __call__(self, queries: Float32, size: int | None = None) -> Int64:
        """The rows of the memories that are worth examining for each of the queries (Q, d): (Q, size), sorted, at most M."""
        size = min(size or shortlist_size(self.count), self.count)
        together = int(np.clip(PAIRS // self.count, *TOGETHER))
        return np.concatenate([self._some(queries[part], size) for part in chunks(len(queries), together)])

    def scores(self, queries: Float32) -> tuple[Float32, Float32, Float32]:
        """The three scores of all memories, larger = closer: arrays (Q, M)."""
        unit, shares = self.coder.split(queries)
        count, blocks, size = unit.shape
        probes, gains = unit.swapaxes(0, 1), shares.T[:, :, None]  # (B, Q, k), (B, Q, 1)
        weighed, ungained = probes * gains, -np.square(inverse(gains))
        of_spectrum = self._plain(probes, gains) if self.spectrum is None else self.spectrum.cosines(queries)
        quarters, whole, spectrum = np.empty((3, count, self.count), np.float32)
        scratch = Scratch()

        def work(memories: slice) -> None:
            codes, shape = self.codes[:, memories], (count, memories.stop - memories.start)
            total, product, values, spare = (scratch.empty(name, shape, codes) for name in ("total", "product", "values", "spare"))
            total[:], product[:] = 0, -1
            for block, (probe, gained) in enumerate(zip(weighed, ungained, strict=True)):  # of one quarter: it stays in the cache
                np.matmul(probe, codes[block * size : (block + 1) * size], out=values)  # l_b(x) c_b
                total += np.multiply(values, codes[blocks * size + block], out=spare)
                np.maximum(values, 0, out=values)
                values *= values
                values *= gained
                values += 1
                product *= values  # 1 - max(c_b, 0)^2
            whole[:, memories], quarters[:, memories] = total, product
            of_spectrum(memories, spectrum[:, memories])

        on_all_cores(work, self.count, int(np.clip(CHUNK_VALUES // count, *CHUNK)))
        return quarters, whole, spectrum

    def _plain(self, probes: Float32, gains: Float32) -> Cosines:
        """The cosines of the plain directions, but for the length of the query's."""
        powers = self.coder.powers[:, None]  # (B, 1, k)
        plain, (blocks, _, size) = probes * powers, probes.shape

        def of(memories: slice, out: Float32) -> None:
            codes = self.codes[:, memories]
            vectors, shares = codes[: blocks * size].reshape(blocks, size, -1), codes[blocks * size :]
            weighed = np.matmul(plain, vectors)
            weighed *= shares[:, None]
            weighed *= gains
            squares = np.matmul(powers, vectors * vectors)[:, 0] * shares * shares  # of the lengths, quarter by quarter
            np.multiply(np.sum(weighed, axis=0), inverse(np.sqrt(np.sum(squares, axis=0))), out=out)

        return of

    def _some(self, queries: Float32, size: int) -> Int64:
        result, found = np.empty((len(queries), size), np.int64), self.scores(queries)

        def choose(part: slice) -> None:
            for place in range(part.start, part.stop):
                result[place] = united([scores[place] for scores in found], size)

        on_all_cores(choose, len(queries), 1)
        return result


def shortlist_size(memories: int) -> int:
    """How many of so many memories are examined."""
    return int(np.clip(memories // SHARE, *SHORTLIST))


def united(scores: Sequence[Float32], size: int) -> Int64:
    """Of scores (M,), the best by each, `size` places in all, sorted: as many by the last as by two others, and more where several
    have some in common."""
    *others, last = scores
    listed = np.zeros(len(last), np.bool_)
    each = size // (len(scores) + 1)
    for values in others if each else ():
        listed[best_places(values, each)] = True
    listed[best_places(np.where(listed, -np.inf, last), size - int(listed.sum()))] = True
    return np.flatnonzero(listed)


def best_places(scores: Float32, size: int) -> Int64:
    """The places of the `size` largest of scores (M,), in no order.

    Of groups of some scores each, the `size` best maxima are as many scores: so the last of them bounds what is looked for from
    below, and little else lies above it.
    """
    groups = len(scores) // GROUPED
    if groups > size:
        maxima = scores[: groups * GROUPED].reshape(GROUPED, groups).max(axis=0)
        places = np.flatnonzero(scores >= np.partition(maxima, groups - size)[groups - size])
        if size <= len(places) < len(scores) // 2:  # not where numbers are missing, or many are equal
            return np.asarray(places[_largest(scores[places], size)])
    return _largest(scores, size)


def _largest(values: Float32, size: int) -> Int64:
    return np.asarray(np.argpartition(values, len(values) - size)[len(values) - size :])


def pay(memories: int, dim: int) -> bool:
    """Whether so many memories of `dim` values are worth codes."""
    return memories * min(dim, LARGE) >= WORTH


def compact_codes(
    spec: PatternSpec, patterns: UInt8, seed: int, progress: OnProgress | None = None
) -> tuple[Float32, Float32] | None:
    """Codes (k, M) for the shortlist and the directions that they are made with; None where all memories may as well be examined.

    The codes of millions of memories are hundreds of megabytes: they lie in a temporary file.
    """
    count = len(patterns)
    if not pay(count, spec.dim):
        return None
    coder = Coder.learn(patterns, spec.shape, seed)
    codes: Float32 | None = None
    for rows in chunks(count, max(1, CHUNK_BYTES // (4 * spec.dim))):
        part = coder.encode(unit_rows(patterns, rows))
        if codes is None:
            with tempfile.TemporaryFile() as file:
                codes = np.memmap(file, np.float32, "w+", shape=(len(part), count))
        codes[:, rows] = part
        if progress:
            progress(Progress("codes", rows.stop, count))
    assert codes is not None, "there are memories"
    return codes, coder.weight
