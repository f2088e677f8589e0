"""Codes of large memories, at most 128 values each, by which shortlists are made.

Each quarter b of a pattern (the whole of a small one), less its mean, is taken along the leading principal directions of such
quarters,

    z_b = diag((v_i + rho)^(-1/2)) V_b (x_b - mean x_b),       rho = trace / k  (nearly the plain directions: noise is white),

and the code is the unit vectors u_b = z_b / |z_b| and their shares of the length, l_b = |z_b| / |z|. How codes are compared is
said in `index`.

A code knows coarse shapes only: it cannot see pictures of which little more than fine detail is left, and of pictures blurred to a
few waves (`spectra.smooth`) too many are alike. How many right memories the shortlist misses is measured when the memory is stored
(`self_test`).
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import inverse, unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Float32, UInt8
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.statistics import CHUNK_BYTES
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.progress import OnProgress, Progress

WIDTH = 128  # values of a code
WORTH = 6e7  # values of all memories together, from which on a shortlist and its examination take less time than all of them
LARGE = 4096  # values of a memory, of which no more are counted: the directions of large ones take long to find
SAMPLE = 8192  # memories that the directions are found from


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
            size = min(WIDTH // len(places) - 1, len(place) - 1)  # less their mean, n values have n - 1 directions
            values, vectors = np.linalg.eigh((block.T @ block / len(block)).astype(np.float64))
            values, vectors = np.maximum(values[::-1][:size], 0), vectors[:, ::-1][:, :size]
            directions = (vectors / np.sqrt(values + max(values.sum(), 1e-9) / size)).T
            part = np.zeros((size, sample.shape[1]), np.float32)
            part[:, place] = directions - directions.mean(axis=1, keepdims=True)  # takes the mean off the block
            parts.append(part)
        return cls(np.concatenate(parts), len(parts))

    def split(self, patterns: Float32) -> tuple[Float32, Float32]:
        """Unit vectors (m, B, k) and shares of the length (m, B) of rows (m, d)."""
        return parted((patterns @ self.weight.T).reshape(len(patterns), self.blocks, -1))

    @property
    def powers(self) -> Float32:
        """s_i^2 of the directions, which are 1 / s_i long: (B, k)."""
        squares = np.square(self.weight).sum(axis=1).reshape(self.blocks, -1)
        return np.asarray(inverse(squares))

    def encode(self, patterns: Float32) -> Float32:
        """Codes of rows (m, d), one a column: (B k + B, m)."""
        unit, shares = self.split(patterns)
        return np.concatenate([unit.reshape(len(patterns), -1).T, shares.T])


def parted(z: Float32) -> tuple[Float32, Float32]:
    """Unit vectors u_b (m, B, k) and shares of the length l_b (m, B) of z_b (m, B, k)."""
    lengths = np.linalg.norm(z, axis=2)
    total = np.linalg.norm(lengths, axis=1, keepdims=True)
    unit = np.divide(z, lengths[:, :, None], out=np.zeros_like(z), where=lengths[:, :, None] > 0)
    return unit, np.divide(lengths, total, out=np.zeros_like(lengths), where=total > 0)


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
    for rows in chunks(count, CHUNK_BYTES // (4 * spec.dim)):
        part = coder.encode(unit_rows(patterns, rows))
        if codes is None:
            with tempfile.TemporaryFile() as file:
                codes = np.memmap(file, np.float32, "w+", shape=(len(part), count))
        codes[:, rows] = part
        if progress:
            progress(Progress("codes", rows.stop, count))
    assert codes is not None, "there are memories"
    return codes, coder.weight
