"""Shortlists for large memories: a code of at most 128 values a memory, and one thin product over the codes.

Each quarter b of a pattern (the whole of a small one), less its mean, is taken along the leading principal directions of such
quarters,

    z_b = diag((v_i + rho)^(-1/2)) V_b (x_b - mean x_b),       rho = trace / k  (nearly the plain directions: noise is white),

and the code is the unit vectors z_b / |z_b| and their shares of the length, l_b = |z_b| / |z|. A memory is put on the shortlist if
it is among the first by either of two scores, both functions of the quarters' cosines c_b alone:

    quarters   prod_b (1 - max(c_b, 0)^2), small: each quarter has its own gain and noise, so that a covered one costs its share;
    whole      sum_b l_b(x) l_b(xi) c_b, large: noise that is the same everywhere is averaged over the whole picture.

A code knows coarse shapes only: what it cannot see are pictures of which little more than fine detail is left, or which are covered
in every quarter, or moved. How many right memories the shortlist misses is measured when the memory is stored (`self_test`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import topk, unit_rows
from uhop_cli.arrays.threads import chunks, on_all_cores
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.evidence.blocks import BlockGrid

WIDTH = 128  # values of a code
WORTH = 2e8  # values of all memories together, from which on the exhaustive pass takes longer than people like to wait
SAMPLE = 8192  # memories that the directions are found from
SHORTLIST = 2048  # memories that are examined
TOGETHER = 16  # queries in one pass over the codes
CHUNK_VALUES = 1 << 17  # cosines at a time: they stay in the cache


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

    def encode(self, patterns: Float32) -> Float32:
        """Codes of rows (m, d), one a column: (B k + B, m)."""
        unit, shares = self.split(patterns)
        return np.concatenate([unit.reshape(len(patterns), -1).T, shares.T])


class CodeIndex:
    """The codes of M memories, on the CPU. (A GPU reads all memories in the time that a shortlist takes.)

    Args:
        codes: (B k + B, M), one memory a column: so the products with one query run at the speed of memory.
        coder: that made them.
    """

    def __init__(self, codes: Float32, coder: Coder) -> None:
        self.codes, self.coder = codes, coder
        self.count = int(codes.shape[1])

    def __call__(self, queries: Float32, size: int = SHORTLIST) -> Int64:
        """The rows of the memories that are worth examining for each of the queries (Q, d): (Q, size), sorted, at most M."""
        size = min(size, self.count)
        return np.concatenate([self._some(queries[part], size) for part in chunks(len(queries), TOGETHER)])

    def scores(self, queries: Float32) -> tuple[Float32, Float32]:
        """Both scores of all memories, larger = closer: two arrays (Q, M)."""
        unit, shares = self.coder.split(queries)
        count, blocks, size = unit.shape
        probes, gains = unit.swapaxes(0, 1), shares.T[:, :, None]  # (B, Q, k), (B, Q, 1)
        quarters, whole = np.empty((2, count, self.count), np.float32)

        def work(memories: slice) -> None:
            codes = self.codes[:, memories]
            cosines = np.matmul(probes, codes[: blocks * size].reshape(blocks, size, -1))  # (B, Q, m)
            weighed = cosines * codes[blocks * size :, None]
            weighed *= gains
            np.sum(weighed, axis=0, out=whole[:, memories])
            np.maximum(cosines, 0, out=cosines)
            cosines *= cosines
            np.subtract(1, cosines, out=cosines)
            np.negative(np.prod(cosines, axis=0), out=quarters[:, memories])

        on_all_cores(work, self.count, max(1024, CHUNK_VALUES // (count * blocks)))
        return quarters, whole

    def _some(self, queries: Float32, size: int) -> Int64:
        result = np.empty((len(queries), size), np.int64)
        for place, scores in enumerate(zip(*self.scores(queries), strict=True)):
            first, second = (topk(part, many)[1] for part, many in zip(scores, (-(-size // 2), size), strict=True))
            fresh = second[~np.isin(second, first)]  # the best by the other score fill up
            result[place] = np.sort(np.concatenate([first, fresh[: size - len(first)]]))
        return result
