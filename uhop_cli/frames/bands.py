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
    reach = max(sizes) // 2
    table = _summed(np.concatenate((np.where(valid, planes, 0), valid[None]), dtype=np.float64), reach)
    means = []
    for size in sizes:
        sums = _boxes(table, size, reach)
        means.append(np.divide(sums[:-1], sums[-1], out=np.zeros_like(sums[:-1]), where=sums[-1] > 0.5))
    return means


def _summed(planes: Float64, pad: int) -> Float64:
    """Summed-area tables of planes (K, h, w) with `pad` zeros around: entry (i, j) is the sum over rows < i and columns < j."""
    count, height, width = planes.shape
    table = np.zeros((count, height + 2 * pad + 1, width + 2 * pad + 1))
    inner = table[:, pad + 1 :, pad + 1 :]
    inner[:, :height, :width] = planes
    np.cumsum(inner, axis=1, out=inner)
    np.cumsum(inner, axis=2, out=inner)
    return table


def _boxes(table: Float64, size: int, pad: int) -> Float64:
    """Sums over the size x size pixels around each, from tables with `pad` zeros around."""
    low, high = pad - size // 2, pad + size // 2 + 1
    height, width = (length - 2 * pad - 1 for length in table.shape[1:])
    rows = table[:, high : high + height] - table[:, low : low + height]
    return rows[:, :, high : high + width] - rows[:, :, low : low + width]
