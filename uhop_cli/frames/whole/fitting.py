"""Proposals fitted to the query on the patterns themselves, all at once: which are worth their originals, and where they lie.

With B the map from the original's unit square to the query's, one step of Gauss-Newton solves for each, by weighted least squares
over the cells x of the pattern,

    m(x) = g t(B x) + g <grad (t o B)(x), D x> + o,      B <- B (I + D),

m the grey pattern and t the query, reduced until a pixel of it is about a cell; weights and gains are those of `alignment.py`, the
direction is the opposite one, so that all proposals share one grid. A fit is worth

    L = -sum (n/2) ln(1 - c^2)

over blocks of 8 x 8 cells, both means removed; n counts the cells that the query shows. Where the start is worth more it stays.
After a few steps only the proposals that are then worth the most go on: a wrong one gains little from the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.whole.windows import Picture
from uhop_cli.images.patterns import LUMA
from uhop_cli.images.warp import area, bilinear, centres

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Bool = NDArray[np.bool_]
Index = NDArray[np.intp]

ITERATIONS, ROUGH = 8, 3
_BLOCK = 8
_FLOOR = 1e-5
_MOST = 0.999
_LEAST = 21  # cells of a block that count
_VISIBLE = 0.5
_LEAST_GAIN = 1e-3
_LARGEST_STEP = 0.25  # of a side of the original


def fitted(picture: Picture, patterns: NDArray[np.uint8], starts: Float64, kept: int | None = None) -> tuple[Float64, Float64]:
    """Where proposals lie after a few steps, maps (K, 2, 3) from the original to the query, and what the fits are worth, (K,).

    Args:
        picture: the query.
        patterns: (K, H, W, C) of the proposals.
        starts: (K, 2, 3) where these lie at first.
        kept: how many of them go on after `ROUGH` steps; None: all.
    """
    m = _grey(patterns)
    views = _Views(picture, m.shape[1:], starts)
    going, affines, maps, best = np.arange(len(starts)), starts, starts.copy(), np.full(len(starts), -np.inf)
    for step in range(ITERATIONS + 1):
        t, visible = views.at(affines, going)
        worth = _worth(t, m[going], visible)
        better = worth > best[going]
        maps[going[better]], best[going[better]] = affines[better], worth[better]
        if step < ITERATIONS:
            affines = _moved(t, m[going], visible, affines)
        if step == ROUGH and kept is not None and kept < len(going):
            first = np.sort(np.argsort(-best, kind="stable")[:kept])
            going, affines = first, affines[first]
    return maps, best


class _Views:
    """The query as a grid over the original shows it, for maps of about the size of `starts`."""

    def __init__(self, picture: Picture, shape: tuple[int, ...], starts: Float64) -> None:
        colours, cover = picture.planes[..., :-1], picture.planes[..., -1:]
        grey = colours if picture.channels == 1 else colours @ LUMA.astype(np.float32)[:, None]
        self._planes: Float32 = np.concatenate((grey, cover), axis=2)
        self._shape = shape
        self._known: dict[int, Float32] = {}
        height, width = cover.shape[:2]
        pixels = np.sqrt(np.abs(np.linalg.det(starts[:, :, :2])) * height * width / (shape[0] * shape[1]))  # along a cell
        self._levels = np.maximum(0, np.floor(2 * np.log2(np.maximum(pixels, 1)))).astype(int)

    def at(self, affines: Float64, which: Index) -> tuple[Float32, Bool]:
        """t (k, H, W), 0 where nothing is visible, and where something is, for maps (k, 2, 3) of `which` proposals (k,)."""
        height, width = self._shape
        v, u = (plane.ravel() for plane in np.broadcast_arrays(*centres(height, width)))
        x, y = (affines[:, row, :1] * u + affines[:, row, 1:2] * v + affines[:, row, 2:] for row in (0, 1))
        values = np.empty((len(affines), len(u), 2), np.float32)
        levels = self._levels[which]
        for level in np.unique(levels):
            chosen = levels == level
            planes = self._reduced(int(level))
            rows, columns = planes.shape[:2]
            places = (y[chosen] * rows - 0.5).ravel(), (x[chosen] * columns - 0.5).ravel()
            values[chosen] = bilinear(planes[None], *places)[0].reshape(-1, len(u), 2)
        inside = (x >= 0) & (x <= 1) & (y >= 0) & (y <= 1) & (values[..., 1] >= _VISIBLE)
        t = np.where(inside, values[..., 0] / np.maximum(values[..., 1], _VISIBLE), np.float32(0))
        return t.reshape(-1, height, width), inside.reshape(-1, height, width)

    def _reduced(self, level: int) -> Float32:
        """The query with 2^(level/2) pixels along one of its own."""
        if level not in self._known:
            height, width = (max(2, round(length / 2 ** (level / 2))) for length in self._planes.shape[:2])
            self._known[level] = np.stack(
                [area(np.ascontiguousarray(plane), height, width) for plane in np.moveaxis(self._planes, 2, 0)], axis=2
            )
        return self._known[level]


def _moved(t: Float32, m: Float32, visible: Bool, affines: Float64) -> Float64:
    """One step of Gauss-Newton; a map that no step improves, for want of texture, stays."""
    count, height, width = t.shape
    y, x = (plane.astype(np.float32) - np.float32(0.5) for plane in centres(height, width))
    dy, dx = np.gradient(t, axis=(1, 2))
    dy, dx = dy * np.float32(height), dx * np.float32(width)
    planes = (dx * x, dx * y, dx, dy * x, dy * y, dy, t, np.ones_like(t))
    features = np.stack([plane.reshape(count, -1) for plane in planes], axis=1)  # (K, 8, P)
    values, counts = m.reshape(count, -1), visible.reshape(count, -1).astype(np.float32)
    light = _solved(features[:, 6:], values, counts)
    e = np.abs(values - np.einsum("kf,kfp->kp", light, features[:, 6:]))
    spread = np.sort(np.where(counts > 0, e, np.inf), axis=1)[np.arange(count), counts.sum(axis=1).astype(int) // 2 - 1]
    weights = (counts / (1 + (e / (2 * (1.5 * spread[:, None] + 0.004))) ** 2)).astype(np.float32)
    found: Float64 = _solved(features, values, weights)
    moves = (found[:, 6] > _LEAST_GAIN) & np.isfinite(found).all(axis=1) & np.isfinite(spread)
    change = np.where(moves[:, None], found[:, :6], 0).reshape(-1, 2, 3) / np.where(moves, found[:, 6], 1)[:, None, None]
    change[:, :, 2] -= change[:, :, :2].sum(axis=2) / 2  # the features are about the middle of the original
    change *= np.minimum(1, _LARGEST_STEP / np.maximum(np.abs(change).max(axis=(1, 2)), 1e-9))[:, None, None]
    linear = affines[:, :, :2] @ (np.eye(2) + change[:, :, :2])
    offset = affines[:, :, :2] @ change[:, :, 2:] + affines[:, :, 2:]
    return np.concatenate((linear, offset), axis=2)


def _solved(features: Float32, values: Float32, weights: Float32) -> Float64:
    """Weighted least squares, one of each: the coefficients (K, F) of features (K, F, P) that give the values (K, P)."""
    weighted = features * weights[:, None]
    normal: Any = (weighted @ features.swapaxes(1, 2)).astype(np.float64)
    size = normal.shape[1]
    normal += (1e-9 * np.trace(normal, axis1=1, axis2=2) / size + 1e-9)[:, None, None] * np.eye(size)
    solved: Float64 = np.linalg.solve(normal, (weighted @ values[..., None]).astype(np.float64))[..., 0]
    return solved


def _worth(t: Float32, m: Float32, visible: Bool) -> Float64:
    """L of each, (K,)."""
    planes = np.stack((visible.astype(np.float32), t * visible, m * visible))
    sums = [_blocks(plane) for plane in (*planes, planes[1] ** 2, planes[2] ** 2, planes[1] * planes[2])]
    n, st, sm, tt, mm, tm = (plane.astype(np.float64) for plane in sums)
    counts = n >= _LEAST
    n = np.where(counts, n, 1)
    tt, mm, tm = tt - st * st / n, mm - sm * sm / n, tm - st * sm / n
    c = np.maximum(tm, 0) / np.sqrt((np.maximum(tt, 0) + _FLOOR * n) * (np.maximum(mm, 0) + _FLOOR * n))
    worth: Float64 = -(counts * n / 2 * np.log1p(-np.minimum(c * c, _MOST))).sum(axis=(1, 2))
    return worth


def _blocks(planes: Float32) -> Float32:
    """Sums over blocks of cells of planes (K, H, W); the last ones may be smaller."""
    rows = np.add.reduceat(planes, np.arange(0, planes.shape[1], _BLOCK), axis=1)
    sums: Float32 = np.add.reduceat(rows, np.arange(0, planes.shape[2], _BLOCK), axis=2)
    return sums


def _grey(patterns: NDArray[np.uint8]) -> Float32:
    values = patterns.astype(np.float32) / np.float32(255)
    grey: Float32 = values[..., 0] if values.shape[3] == 1 else values @ LUMA.astype(np.float32)
    return grey
