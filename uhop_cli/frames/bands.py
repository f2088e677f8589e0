"""A picture in three bands, from fine to coarse: z - box3(z), box3(z) - box9(z), box9(z) - box27(z).

box_k is the mean over k x k pixels, of those that are valid. Both pictures of a comparison go through the same masked means, so
that x = a y + b in the valid pixels is x = a y in every band, whatever is masked. White noise of variance 1 has variance 8/9 in
the first band and 8/81 in the second: the first tells how much noise is in the second.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

BOXES = (3, 9, 27)


def band_split(planes: NDArray[np.floating], valid: Bool) -> Float64:
    """The bands of planes (K, h, w), (3, K, h, w); 0 where nothing is valid within the box."""
    means = [planes.astype(np.float64), *box_means(planes, valid, BOXES)]
    return np.stack([fine - coarse for fine, coarse in pairwise(means)])


def box_means(planes: NDArray[np.floating], valid: Bool, sizes: tuple[int, ...]) -> list[Float64]:
    """Means of planes (K, h, w) over boxes of odd sizes, each of the valid pixels (h, w) in it; 0 where there are none."""
    kept = np.where(valid, planes, 0)
    tables = _summed(np.concatenate((kept, valid[None]), dtype=np.float64))
    means = []
    for size in sizes:
        sums = _boxes(tables, size // 2)
        means.append(np.divide(sums[:-1], sums[-1], out=np.zeros_like(sums[:-1]), where=sums[-1] > 0.5))
    return means


def _summed(planes: Float64) -> Float64:
    """Summed-area tables (K, h + 1, w + 1): entry (i, j) is the sum over the rows before i and the columns before j."""
    count, height, width = planes.shape
    table = np.zeros((count, height + 1, width + 1))
    np.cumsum(planes, axis=1, out=table[:, 1:, 1:])
    np.cumsum(table[:, 1:, 1:], axis=2, out=table[:, 1:, 1:])
    return table


def _boxes(table: Float64, reach: int) -> Float64:
    """Sums over the pixels at most `reach` away along either axis, as far as there are any."""
    height, width = table.shape[1] - 1, table.shape[2] - 1
    high = np.minimum(np.arange(height) + reach + 1, height)
    rows = table[:, high] - table[:, np.maximum(np.arange(height) - reach, 0)]
    right = np.minimum(np.arange(width) + reach + 1, width)
    return rows[:, :, right] - rows[:, :, np.maximum(np.arange(width) - reach, 0)]
