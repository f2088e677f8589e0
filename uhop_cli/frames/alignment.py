"""An original laid onto a query as well as it goes: Gauss-Newton over six affine parameters, gain and offset.

With A the map from the query's unit square to the original's, one step solves, by weighted least squares over the pixels x,

    t(x) = g m(A x) + g <grad (m o A)(x), D x> + o,      A <- A (I + D),

D (2, 3) the change of the map, g the gain, o the offset, t the query and m the original on one grid. The weights 1/(1 + (e/2s)^2),
e the residuals before the step and s = 1.5 median |e| + .004, let covers and text pass by. It works on small grids first, on the
pictures less their mean over 15 pixels and, at the smallest size, on the pictures as they are; of the start and what these lead to
the map with the most block evidence is kept, so that an alignment that goes astray costs time and no answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.bands import box_means
from uhop_cli.frames.block_evidence import MOST, blocks
from uhop_cli.frames.frame import composed
from uhop_cli.images.warp import centres, transformed, warp

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]

MARGIN = 2.0  # pixels at the original's edge that don't count
_BLOCK, _LEAST = 8, 21  # pixels a side, and of a block that count, as in the final evidence (16 and 85)
_FLOOR = 1e-5
_SMOOTH = np.exp(-0.5 * (np.arange(-2, 3) / 0.7) ** 2).astype(np.float32)
_HIGH_PASS = 15
_CORNERS = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]], np.float64)
_WANDER = 0.5  # shares of the original's side that a corner may move, beyond which a step is not believed


@dataclass(frozen=True)
class Level:
    """A query and an original on grids on which a pixel of either is about as large.

    Attributes:
        query: (h, w), the mean of what is visible.
        visible: (h, w), where it is known.
        original: (h', w').
    """

    query: Float32
    visible: Bool
    original: Float32


def align_on(level: Level, start: Float64, iterations: int = 10, *, coarsest: bool = False) -> Float64:
    """The map (2, 3) from the query's unit square to the original's, from `start` on; `start` itself where nothing is better.

    Args:
        level: the grids.
        start: the map of the frame, or what a smaller level led to.
        iterations: at most so many steps.
        coarsest: whether it is the smallest level, on which the pictures as they are lead somewhere too.
    """
    smooth = Level(_smoothed(level.query, level.visible), level.visible, _smoothed(level.original, None))
    band = Level(_high(smooth.query, level.visible), level.visible, _high(smooth.original, None))
    found = [start, *(descend(one, start, iterations) for one in ((band, smooth) if coarsest else (band,)))]
    return found[int(np.argmax([evidence(smooth, affine) for affine in found]))]


def descend(level: Level, start: Float64, iterations: int) -> Float64:
    """Gauss-Newton from `start`, until a step moves no corner by a twentieth of a pixel."""
    height, width = level.query.shape
    y, x = (plane.astype(np.float32) - np.float32(0.5) for plane in centres(height, width))
    affine, t = start, level.query.ravel()
    features = np.empty((8, height, width), np.float32)
    features[7] = 1
    for _ in range(iterations):
        seen, used = laid(level, affine)
        if used.sum() < 4 * _LEAST:
            break
        along_y, along_x = np.gradient(seen)
        dy, dx = along_y * np.float32(height), along_x * np.float32(width)
        for place, plane in enumerate((dx * x, dx * y, dx, dy * x, dy * y, dy, seen)):
            features[place] = plane
        flat, counts = features.reshape(8, -1), used.ravel().astype(np.float32)
        gain, offset = _fit(flat[6:], t, counts)
        e = np.abs(t - gain * flat[6] - offset)
        weights = counts / (1 + (e / (2 * (1.5 * np.median(e[used.ravel()]) + 0.004))) ** 2)
        solved = _fit(flat, t, weights.astype(np.float32))
        if solved[6] <= 1e-3:
            break
        change = solved[:6].reshape(2, 3) / solved[6]
        change[:, 2] -= change[:, :2].sum(axis=1) / 2  # the features are about the middle of the picture
        moved = composed(affine, np.eye(2, 3) + change)
        if displacement(moved, start) > _WANDER * np.abs(start[:, :2]).max():
            break
        affine = moved
        if np.abs(change @ _CORNERS).max() * max(height, width) < 0.05:
            break
    return affine


def displacement(affine: Float64, start: Float64) -> float:
    """The furthest that a corner of the query lies from where `start` takes it, along either side of the original, in shares."""
    return float(np.abs((affine - start) @ _CORNERS).max())


def evidence(level: Level, affine: Float64) -> float:
    """-sum (n/2) ln(1 - c^2) over blocks of 8 x 8 pixels, both means removed, for the original laid down by `affine`."""
    seen, used = laid(level, affine)
    t, m = (np.where(used, plane, 0).astype(np.float64) for plane in (level.query, seen))
    n, st, sm, tt, mm, tm = blocks(np.stack((used, t, m, t * t, m * m, t * m)), _BLOCK, _BLOCK // 2)
    counts = n >= _LEAST
    n = np.where(counts, n, 1)
    tt, mm, tm = tt - st * st / n, mm - sm * sm / n, tm - st * sm / n
    c = np.maximum(tm, 0) / np.sqrt((np.maximum(tt, 0) + _FLOOR * n) * (np.maximum(mm, 0) + _FLOOR * n))
    return -float((counts * n / 2 * np.log1p(-np.minimum(c * c, MOST))).sum())


def laid(level: Level, affine: Float64) -> tuple[Float32, Bool]:
    """The original as the query has it, (h, w), and which pixels of it count."""
    height, width = level.query.shape
    used = level.visible & within(affine, (height, width), level.original.shape, MARGIN)
    return warp(level.original[None], affine, height, width)[0], used


def within(affine: Float64, grid: tuple[int, ...], original: tuple[int, ...], margin: float) -> Bool:
    """Which pixels of a grid (h, w) an affine map takes into a picture (h', w'), less `margin` of its pixels at every edge."""
    v, u = transformed(affine, *grid)
    rows, columns = (margin / length - 1e-9 for length in original)
    return (v >= rows) & (v <= 1 - rows) & (u >= columns) & (u <= 1 - columns)


def _fit(features: Float32, values: Float32, weights: Float32) -> Float64:
    """Weighted least squares: the coefficients (K,) of features (K, n) that give the values (n,)."""
    weighted = features * weights
    normal: Any = (weighted @ features.T).astype(np.float64)
    normal += (1e-9 * np.trace(normal) / len(normal) + 1e-12) * np.eye(len(normal))
    solved: Float64 = np.linalg.solve(normal, (weighted @ values).astype(np.float64))
    return solved


def _smoothed(plane: Float32, visible: Bool | None) -> Float32:
    """A Gaussian of deviation .7 pixels over what is visible."""
    share = np.ones_like(plane) if visible is None else visible.astype(np.float32)
    top, bottom = _correlate(plane * share), _correlate(share)
    means: Float32 = np.divide(top, bottom, out=np.zeros_like(top), where=bottom > 0)
    return means


def _correlate(plane: Float32) -> Float32:
    """With the kernel of `_SMOOTH` along rows and columns, zeros around."""
    height, width = plane.shape
    padded = np.pad(plane, 2)
    rows, result = np.zeros((height, width + 4), np.float32), np.zeros_like(plane)
    for offset, weight in enumerate(_SMOOTH):
        rows += weight * padded[offset : offset + height]
    for offset, weight in enumerate(_SMOOTH):
        result += weight * rows[:, offset : offset + width]
    return result


def _high(plane: Float32, visible: Bool | None) -> Float32:
    """Less the mean over 15 x 15 pixels."""
    valid = np.ones(plane.shape, bool) if visible is None else visible
    high: Float32 = (plane - box_means(plane[None], valid, (_HIGH_PASS,))[0][0]).astype(np.float32)
    return high
