"""Pictures sampled through an affine or projective map: by linear interpolation at points, and by means over the cells of a grid.

Coordinates. A picture fills the unit square: (0, 0) is its top left corner, (1, 1) its bottom right one, whatever its size. Pixel j
of n covers [j/n, (j+1)/n], so that its centre is index j of the array. An affine map is a (2, 3) array A that takes the column
(u, v, 1) of one picture to (u', v') of another; a projective one is (3, 3) and takes it to (u' w, v' w, w). Beyond its edges a
picture is taken to go on with its outermost pixels.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
UInt8 = NDArray[np.uint8]
Index = NDArray[np.intp]
Span = tuple[float, float]

_IDENTITY = np.eye(2, 3)


def bilinear(pictures: Float32 | UInt8, y: Float64, x: Float64) -> Float32:
    """The values of `pictures` (M, H, W, C) at the points (y, x), in indices of the array, each (n,): (M, n, C).

    f(y, x) = sum over the four pixels around of (1 - |dy|)(1 - |dx|) times their values; points outside take the nearest edge's.
    """
    count, height, width, channels = pictures.shape
    y, x = np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
    top, left = y.astype(np.intp), x.astype(np.intp)
    down, right = (y - top).astype(np.float32), (x - left).astype(np.float32)
    flat = pictures.reshape(count, height * width, channels)
    result = np.zeros((count, len(y), channels), np.result_type(flat, np.float32))
    for dy, share_y in ((0, 1 - down), (1, down)):
        for dx, share_x in ((0, 1 - right), (1, right)):
            source = np.minimum(top + dy, height - 1) * width + np.minimum(left + dx, width - 1)
            result += np.take(flat, source, axis=1) * (share_y * share_x)[:, None]
    return result


def centres(height: int, width: int) -> tuple[Float64, Float64]:
    """(v, u) of the pixel centres of a grid in the unit square, as a column (height, 1) and a row (1, width)."""
    return ((np.arange(height) + 0.5) / height)[:, None], ((np.arange(width) + 0.5) / width)[None]


def transformed(transform: Float64, height: int, width: int) -> tuple[Float64, Float64]:
    """(v', u') = A (u, v, 1) at the pixel centres of a grid, each (height, width); A is (2, 3) or (3, 3)."""
    v, u = centres(height, width)
    across, down, *last = (a * u + b * v + c for a, b, c in transform)
    return (down / last[0], across / last[0]) if last else (down, across)


def warp(planes: Float32, affine: Float64, height: int, width: int, samples: int = 1) -> Float32:
    """`planes` (K, H, W) seen on a grid: each pixel the mean of samples x samples values spread evenly over it, (K, height, width).

    Args:
        affine: from the unit square of the grid to that of the planes.
        samples: along either side of a pixel. One is plain linear interpolation; where a pixel of the grid covers s of those of
            the planes, s samples are nearly the mean over its area.

    The identity on a grid of the planes' own size gives the planes themselves, but for several samples.
    """
    count, rows, columns = planes.shape
    if samples == 1 and (rows, columns) == (height, width) and np.array_equal(affine, _IDENTITY):
        return planes
    v, u = transformed(affine, height * samples, width * samples)
    values = bilinear(planes[..., None], (v * rows - 0.5).ravel(), (u * columns - 0.5).ravel())
    means: Float32 = values.reshape(count, height, samples, width, samples).mean(axis=(2, 4))
    return means


def area(plane: Float32, height: int, width: int, rows: Span | None = None, columns: Span | None = None) -> Float32:
    """`plane` (H, W) brought to (height, width): means over cells that are larger than its pixels, else linear interpolation.

    Args:
        rows: where the grid begins and ends, in pixels of the plane from the upper edge of its first; all of it by default.
        columns: likewise, from the left edge.
    """
    down = _brought(plane, area_weights(plane.shape[0], *(rows or (0, plane.shape[0])), height))
    across = area_weights(plane.shape[1], *(columns or (0, plane.shape[1])), width)
    return np.ascontiguousarray(_brought(np.ascontiguousarray(down.T), across).T)


@lru_cache(maxsize=64)
def area_weights(size: int, begin: float, end: float, cells: int) -> tuple[Index, Float32]:
    """The pixels of an axis that touch each cell of a grid from `begin` to `end`, and their weights: (n, cells) each.

    Cell i is [begin + i s, begin + (i + 1) s], s = (end - begin)/cells. For s >= 1 a pixel weighs its overlap over s, the first and
    the last pixel going on without end; for s < 1 it is linear interpolation at the cell's centre. They add up to 1.
    """
    step = (end - begin) / cells
    if step < 1:
        place = np.clip(begin + (np.arange(cells) + 0.5) * step - 0.5, 0, size - 1)
        first = place.astype(np.intp)
        pixels = first + np.arange(2)[:, None]
        weights = 1 - np.abs(pixels - place)
    else:
        low = begin + np.arange(cells) * step
        first = np.floor(low).astype(np.intp)
        pixels = first + np.arange(int(np.ceil(step)) + 1)[:, None]
        weights = np.clip(np.minimum(pixels + 1, low + step) - np.maximum(pixels, low), 0, None) / step
    return np.clip(pixels, 0, size - 1), weights.astype(np.float32)


def _brought(plane: Float32, weights: tuple[Index, Float32]) -> Float32:
    """Weighted sums of rows of `plane`."""
    result = np.zeros((weights[0].shape[1], plane.shape[1]), np.float32)
    for pixels, shares in zip(*weights, strict=True):
        result += plane[pixels] * shares[:, None]
    return result
