"""How a stored picture lies in a query, from pairs of keypoints that look alike, most of which may be wrong.

A keypoint has a place, a size and a direction, so that one pair is a similarity already: each pair in turn is taken for right, and
counts those that agree with it, in place, size and direction. So all hypotheses are tried and none is drawn (as RANSAC would), and
the same pairs give the same map. The best is fitted to the pairs that agree with it by least squares, and again to those that agree
with the fit: a similarity first, an affine map where enough agree.

Points are in units of the longer side of their picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64, Int64

COARSE, FINE = 0.06, 0.025  # how far a point may lie off, in longer sides of the original, of one pair's map and of a fitted one
OCTAVES = 0.7  # how far the sizes of two pairs that agree may differ
TURN = 1 / 10  # how far their directions may, in turns
FEWEST_AFFINE = 6
MOST_SHEAR = 1.6  # larger over smaller singular value of a map
_ROUNDS = 3


@dataclass(frozen=True)
class Consensus:
    """The map that most pairs agree on.

    Attributes:
        affine: (2, 3), from the query's points to the original's.
        agreeing: (n,), which pairs agree with it.
        score: the sum of the agreeing pairs' weights, each keypoint of the original counted once.
    """

    affine: Float64
    agreeing: Bool
    score: float


def consensus(query: Float32, original: Float32, weights: Float32, numbers: Int64) -> Consensus | None:
    """The map of most weight, or None where no two different pairs agree.

    Args:
        query: (n, 4) x, y, size and direction of a keypoint of the query for each pair.
        original: (n, 4), of the original's.
        weights: (n,), above 0.
        numbers: (n,), which keypoint of the original it is.
    """
    if len(query) < 2:
        return None
    maps = _similarities(query, original)
    found = _agree(maps, query, original, COARSE)
    best = int(_scores(found, weights, numbers).argmax())
    affine, agreeing = maps[best], found[best]
    for _ in range(_ROUNDS):
        fitted = _fit(query[agreeing], original[agreeing], weights[agreeing], numbers[agreeing])
        if fitted is None:
            break
        closer = _agree(fitted[None], query, original, FINE)[0]
        if not closer.any():
            break
        affine, agreeing = fitted, closer
    if len(np.unique(numbers[agreeing])) < 2:
        return None
    return Consensus(affine, agreeing, float(_scores(agreeing[None], weights, numbers)[0]))


def _similarities(query: Float32, original: Float32) -> Float64:
    """Of each pair the map that takes one keypoint to the other, (n, 2, 3)."""
    scale = (original[:, 2] / query[:, 2]).astype(np.float64)
    turn = 2 * np.pi * (original[:, 3] - query[:, 3]).astype(np.float64)
    cos, sin = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.stack((np.stack((cos, -sin), 1), np.stack((sin, cos), 1)), 1)
    shift = original[:, :2] - np.einsum("nij,nj->ni", linear, query[:, :2])
    return np.concatenate((linear, shift[:, :, None]), axis=2)


def _agree(maps: Float64, query: Float32, original: Float32, tolerance: float) -> Bool:
    """Which pairs (n,) agree with each of the maps (h, 2, 3), (h, n)."""
    linear = maps[:, :, :2]
    moved = (linear.reshape(-1, 2) @ query[:, :2].T.astype(np.float64)).reshape(*linear.shape[:2], -1)
    errors = moved + maps[:, :, 2:] - original[:, :2].T
    near = errors[:, 0] ** 2 + errors[:, 1] ** 2 < tolerance**2
    scales = np.log2(np.abs(np.linalg.det(linear))) / 2
    turns = np.arctan2(linear[:, 1, 0] - linear[:, 0, 1], linear[:, 0, 0] + linear[:, 1, 1]) / (2 * np.pi)
    sizes = np.log2(original[:, 2] / query[:, 2]) - scales[:, None]
    directions = original[:, 3] - query[:, 3] - turns[:, None]
    directions -= np.rint(directions)
    agreeing: Bool = near & (np.abs(sizes) < OCTAVES) & (np.abs(directions) < TURN)
    return agreeing


def _scores(agreeing: Bool, weights: Float32, numbers: Int64) -> Float64:
    """For each of some sets of pairs (h, n) the sum of the largest weight of each keypoint of the original, (h,)."""
    order = np.argsort(numbers, kind="stable")
    firsts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    largest = np.maximum.reduceat(np.where(agreeing, weights, 0)[:, order], firsts, axis=1)
    return np.asarray(largest.sum(axis=1), np.float64)


def _fit(query: Float32, original: Float32, weights: Float32, numbers: Int64) -> Float64 | None:
    """The similarity, or from six keypoints on the affine map, of least weighted squares; None where it would be degenerate."""
    distinct = len(np.unique(numbers))
    if distinct < 2:
        return None
    x, y = query[:, :2].astype(np.float64).T
    one, none = np.ones_like(x), np.zeros_like(x)
    share = np.sqrt(weights.astype(np.float64))
    if distinct >= FEWEST_AFFINE:
        solved = np.linalg.lstsq(np.stack((x, y, one), 1) * share[:, None], original[:, :2] * share[:, None], rcond=None)[0]
        if _is_plausible(solved.T):
            return np.ascontiguousarray(solved.T)
    rows = np.concatenate((np.stack((x, -y, one, none), 1), np.stack((y, x, none, one), 1)))
    values = original[:, :2].T.ravel().astype(np.float64)
    a, b, c, d = np.linalg.lstsq(rows * np.tile(share, 2)[:, None], values * np.tile(share, 2), rcond=None)[0]
    affine = np.array([[a, -b, c], [b, a, d]])
    return affine if _is_plausible(affine) else None


def _is_plausible(affine: Float64) -> bool:
    """Whether a map keeps the side that it shows, and neither shears nor stretches much."""
    large, small = np.linalg.svd(affine[:, :2], compute_uv=False)
    return bool(np.linalg.det(affine[:, :2]) > 0 and large <= MOST_SHEAR * small)
