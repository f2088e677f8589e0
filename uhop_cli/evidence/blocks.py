"""A picture cut into blocks: the sums and products by which whole pictures, quadrants and sixteenths are compared in one pass.

Damage is seldom the same all over a picture. A block that has a gain, an offset and a noise level of its own is fitted on its own,
so a covered quarter costs its evidence and no more (docs/stage-one.md). All levels of the pyramid follow from the finest one: with
block sums s_b = sum xi_b, squares q_b = sum xi_b^2 and products p_b = <xi_b, x_b>, those of a coarser block are sums of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.scratch import Scratch, product_into
from uhop_cli.arrays.types import Float32, Int64

SMALLEST_SIDE = 4  # pixels: a smaller block has too few values for a gain, an offset and a noise level of its own
FINEST = 4  # blocks a side
FEW_QUERIES = 8  # with more, copying the blocks out of the patterns costs less than multiplying by the zeros between them


@dataclass(frozen=True)
class BlockGrid:
    """The finest grid of blocks, side x side, over patterns of shape (height, width, channels).

    Attributes:
        shape: (H, W, C) of a pattern.
        side: blocks a side: 4, 2 or 1 (small pictures are not cut).
    """

    shape: tuple[int, int, int]
    side: int

    @classmethod
    def of(cls, shape: tuple[int, int, int]) -> BlockGrid:
        """The grid for patterns of a shape: as fine as `SMALLEST_SIDE` allows, at most 4 x 4."""
        side = FINEST
        while side > 1 and min(shape[:2]) // side < SMALLEST_SIDE:
            side //= 2
        return cls(shape, side)

    @property
    def levels(self) -> tuple[int, ...]:
        """Blocks a side of every level, from the whole picture to the finest."""
        return tuple(side for side in (1, 2, 4) if side <= self.side)

    def edges(self, axis: int) -> list[int]:
        """Where the blocks begin and end along the rows (axis 0) or the columns (axis 1)."""
        return [round(i * self.shape[axis] / self.side) for i in range(self.side + 1)]

    def sizes(self) -> Float32:
        """n_b, the values of a block, shape (B,), B = side^2, row by row."""
        rows, columns = np.diff(self.edges(0)), np.diff(self.edges(1))
        sizes: Float32 = (np.outer(rows, columns).ravel() * self.shape[2]).astype(np.float32)
        return sizes

    @property
    def even(self) -> bool:
        """Whether all blocks have the same size."""
        return all(length % self.side == 0 for length in self.shape[:2])

    @property
    def owners(self) -> Int64:
        """The block of each value of a pattern, (d,)."""
        rows, columns = (np.repeat(np.arange(self.side), np.diff(self.edges(axis))) for axis in (0, 1))
        owners: Int64 = np.repeat((rows[:, None] * self.side + columns).ravel(), self.shape[2])
        return owners

    def pooling(self, level: int) -> Float32:
        """0/1 matrix (B, level^2) that adds the finest blocks up to those of a coarser level."""
        matrix: Float32 = (self.pooled_in(level * level)[:, None] == np.arange(level * level)).astype(np.float32)
        return matrix

    def pooled_in(self, blocks: int) -> Int64:
        """Which of so many coarser blocks each of the finest lies in, (B,)."""
        level = math.isqrt(blocks)
        index = np.arange(self.side) * level // self.side
        owners: Int64 = (index[:, None] * level + index[None, :]).ravel()
        return owners

    def cut(self, patterns: Array) -> list[Array]:
        """The blocks of patterns (M, d): B arrays (M, n_b)."""
        count, (height, width, channels) = patterns.shape[0], self.shape
        pictures = patterns.reshape(count, height, width, channels)
        rows, columns = self.edges(0), self.edges(1)
        return [
            pictures[:, rows[i] : rows[i + 1], columns[j] : columns[j + 1]].reshape(count, -1)
            for i in range(self.side)
            for j in range(self.side)
        ]

    def _laid_out(self, patterns: Array, scratch: Scratch) -> Array:
        """The blocks of patterns (M, d), all of one size: (B, M, n)."""
        xp, count, side, (height, width, channels) = namespace(patterns), patterns.shape[0], self.side, self.shape
        high, wide = height // side, width // side * channels
        parts = xp.permute_dims(patterns.reshape(count, side, high, side, wide), (1, 3, 0, 2, 4))
        return scratch.copy("blocks", parts).reshape(side * side, count, -1)

    def sums(self, patterns: Array) -> tuple[Array, Array]:
        """s_b and q_b of patterns (M, d): two arrays (M, B)."""
        xp = namespace(patterns)
        blocks = self.cut(patterns)
        sums = xp.stack([xp.sum(block, axis=1) for block in blocks], axis=1)
        return sums, xp.stack([xp.sum(block * block, axis=1) for block in blocks], axis=1)

    def centred(self, patterns: Array) -> Array:
        """Patterns (M, d) less the mean of each of their blocks."""
        xp, owners = namespace(patterns), like(patterns, self.owners)
        means = xp.stack([xp.mean(block, axis=1) for block in self.cut(patterns)], axis=1)
        return patterns - means[:, owners]

    def probes(self, queries: Array) -> Sequence[Array]:
        """Queries (Q, d) laid out for `products`.

        For a few queries, one matrix for each row of blocks, which is contiguous in a pattern: the query's blocks one below the
        other with zeros between them, (Q * side, values of the row). For many, the B blocks, (Q, n_b).
        """
        if queries.shape[0] > FEW_QUERIES:
            return self.cut(queries)
        xp = namespace(queries)
        count, (height, width, channels) = queries.shape[0], self.shape
        pictures = queries.reshape(count, height, width, channels)
        rows, columns = self.edges(0), self.edges(1)
        results = []
        for i in range(self.side):
            band = pictures[:, rows[i] : rows[i + 1]]
            spread = xp.zeros((count, self.side, *band.shape[1:]), dtype=queries.dtype, device=queries.device)
            for j in range(self.side):
                spread[:, j, :, columns[j] : columns[j + 1]] = band[:, :, columns[j] : columns[j + 1]]
            results.append(spread.reshape(count * self.side, -1))
        return tuple(results)

    def slabs(self, probes: Sequence[Float32], whole: Float32) -> list[Float32]:
        """The probes of a few queries, and below them what is multiplied with the whole pattern, cut alike: (Q * side + R, n)
        matrices, one for each row of blocks; a single (side, Q * side + R, n) where all rows are equally high. Those of several
        groups of queries stand one before the other, (..., Q * side + R, n).

        Args:
            probes: as laid out by `probes` for a few queries.
            whole: (R, d).
        """
        widths = [probe.shape[-1] for probe in probes]
        parts = np.split(whole, np.cumsum(widths)[:-1], axis=-1)
        joined = [np.concatenate(pair, axis=-2) for pair in zip(probes, parts, strict=True)]
        return [np.stack(joined, axis=-3)] if len(set(widths)) == 1 else joined

    def slab_products(self, patterns: Float32, slabs: list[Float32], out: Float32) -> None:
        """The products of patterns (m, d) with `slabs`, into (side, Q * side + R, m).

        One call where that is possible: between short calls, threads wait for each other longer than they work.
        """
        if slabs[0].ndim == 3:
            np.matmul(slabs[0], patterns.reshape(len(patterns), self.side, -1).transpose(1, 2, 0), out=out)
            return
        start = 0
        for slab, part in zip(slabs, out, strict=True):
            stop = start + slab.shape[1]
            np.matmul(slab, patterns[:, start:stop].T, out=part)
            start = stop

    def of_slabs(self, products: Float32, queries: int) -> tuple[Float32, Float32]:
        """What `slab_products` wrote: the products with the blocks, (B, Q, m) as from `products`, and with the wholes, (R, m)."""
        side, size = self.side, products.shape[2]
        blocks = products[:, : queries * side].reshape(side, queries, side, size).swapaxes(1, 2)
        return blocks.reshape(side * side, queries, size), products[:, queries * side :].sum(axis=0)

    def products(self, patterns: Array, probes: Sequence[Array], scratch: Scratch | None = None) -> Array:
        """p_b = <xi_b, x_b> of patterns (M, d) and queries laid out by `probes`: shape (B, Q, M), the long axis last."""
        xp = namespace(patterns)
        if len(probes) == self.side**2 > 1:
            scratch = scratch or Scratch()
            blocks: Any = self._laid_out(patterns, scratch) if self.even else self.cut(patterns)
            out = scratch.empty("products", (len(probes), probes[0].shape[0], patterns.shape[0]), patterns)
            for place, (block, query) in enumerate(zip(blocks, probes, strict=True)):
                out[place] = product_into(query, block.T, out[place])
            return out
        results, start = [], 0
        for probe in probes:
            stop = start + probe.shape[1]
            products = (probe @ patterns[:, start:stop].T).reshape(-1, self.side, patterns.shape[0])
            results.append(xp.permute_dims(products, (1, 0, 2)))
            start = stop
        return xp.concat(results)
