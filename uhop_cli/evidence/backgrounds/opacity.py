"""What is kept of the opacity of a memory, and in which blocks."""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.evidence.blocks import BlockGrid

FINEST = 2  # blocks a side: finer ones name no more pictures right, and take more sums
LEAST = 1e-3  # mean square of m, or of m less its mean: below, a background is not seen


def background_grid(shape: tuple[int, int, int]) -> BlockGrid:
    """The blocks in which a background is free, of patterns of this shape."""
    return BlockGrid(shape, min(FINEST, BlockGrid.of(shape).side))


def see_through(shape: tuple[int, int, int], kept: Array) -> Int64:
    """The places of the memories through which a background is seen, from the `opacity_sums` of all (M, 2 + 2C, B)."""
    return np.flatnonzero(to_numpy(namespace(kept).sum(kept[:, 1], axis=1)) >= LEAST * shape[0] * shape[1])


def opacity_sums(grid: BlockGrid, patterns: Float32, opacity: Float32) -> Float32:
    """Of memories X (m, d) with opacity alpha (m, H W), all in [0, 1], in each block of `grid`, m = 1 - alpha:

    sum m, sum m^2, then for every channel sum X_c, then for every channel <X_c, m>: (m, 2 + 2C, B).
    """
    height, width, channels = grid.shape
    veils = BlockGrid((height, width, 1), grid.side).cut(1 - opacity)
    parts = []
    for block, veil in zip(grid.cut(patterns), veils, strict=True):
        colours = block.reshape(len(block), -1, channels)
        rows = [veil.sum(axis=1)[:, None], np.square(veil).sum(axis=1)[:, None]]
        parts.append(np.concatenate([*rows, colours.sum(axis=1), np.einsum("mnc,mn->mc", colours, veil)], axis=1))
    return np.stack(parts, axis=2)
