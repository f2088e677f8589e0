"""Bringing an array of pixels to another size: area means along an axis that shrinks, linear interpolation along one that grows.

Sums of integers, not a product of matrices: exact, the same on every machine, and free of the threads that a matrix library would
start under each of ours.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def resize(values: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """(h, w, c) of unsigned integers -> (height, width, c), float64 unless it fits as it is; each axis on its own."""
    if values.shape[0] > height and values.shape[1] > width:
        means: Float64 = _along_rows(_down_columns(values, height), width) / (values.shape[0] * values.shape[1])
        return means
    return _resample(_resample(values, height).swapaxes(0, 1), width).swapaxes(0, 1)


def _resample(values: NDArray[Any], target: int) -> NDArray[Any]:
    """One axis, the first, brought to another length; `values` itself if it fits."""
    size = len(values)
    if size == target:
        return values
    if size > target and values.dtype.kind == "u":
        means: Float64 = _down_columns(values, target) / size
        return means
    if size > target:
        edges, parts = _cells(size, target)
        sums = np.stack([np.add.reduce(values[i:j], axis=0) for i, j in pairwise(edges)])
        cut = values[np.minimum(edges, size - 1)] * (parts / target).reshape(-1, *[1] * (values.ndim - 1))
        means = (sums - cut[:-1] + cut[1:]) * (target / size)
        return means
    centres = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
    left = centres.astype(np.intp)
    share = (centres - left).reshape(-1, *[1] * (values.ndim - 1))
    mixed: Float64 = values[left] * (1 - share) + values[np.minimum(left + 1, size - 1)] * share
    return mixed


def _cells(size: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Cell i of `target` spans the pixels from edges[i] + parts[i] / target to edges[i + 1] + parts[i + 1] / target."""
    return np.divmod(np.arange(target + 1) * size, target)


def _down_columns(values: NDArray[Any], target: int) -> NDArray[Any]:
    """Sums over the cells of the first axis, times `target`: integers, of a type that holds them."""
    size, wide = len(values), np.int32 if values.dtype == np.uint8 else np.int64
    edges, parts = _cells(size, target)
    # The smallest type that holds a sum: casting first, then adding rows as they lie, is several times as fast as adding bytes.
    small = values.dtype == np.uint8 and np.diff(edges).max() <= 257
    rows = values.astype(np.uint16 if small else np.uint32)
    sums = np.empty((target, *values.shape[1:]), rows.dtype)
    for cell, (first, last) in enumerate(pairwise(edges)):
        np.add.reduce(rows[first:last], axis=0, dtype=rows.dtype, out=sums[cell])
    result: NDArray[Any] = sums.astype(wide)
    result *= target
    if parts.any():
        cut: NDArray[Any] = values[np.minimum(edges, size - 1)].astype(wide)
        cut *= parts.astype(wide).reshape(-1, *[1] * (values.ndim - 1))
        result -= cut[:-1]
        result += cut[1:]
    return result


def _along_rows(values: NDArray[Any], target: int) -> NDArray[np.int64]:
    """Sums over the cells of the second axis of (h, w, c), times `target`: differences of running sums, which are few calls."""
    size = values.shape[1]
    edges, parts = _cells(size, target)
    running = np.zeros((len(values), size + 1, *values.shape[2:]), np.int64)
    np.cumsum(values, axis=1, out=running[:, 1:])
    at_edges = running[:, edges]
    part = values[:, np.minimum(edges, size - 1)] * parts[:, None]
    result: NDArray[np.int64] = target * np.diff(at_edges, axis=1) + np.diff(part, axis=1)
    return result
