"""Bringing an array of pixels to another size: area means along an axis that shrinks, linear interpolation along one that grows.

A mean over cells is a product with a matrix of whole numbers, divided at the end. Both products are exact in their floating-point
type, so that the result is the same on every machine and in any order of summation; and they are few calls on much data, during
which other threads of Python can work.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays import chunks

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
EXACT_IN_FLOAT32 = 1 << 24  # whole numbers up to here
TOGETHER = 1 << 21  # pixels, which bounds the memory


def resize(values: NDArray[Any], height: int, width: int) -> NDArray[Any]:
    """(h, w, c) of unsigned integers -> (height, width, c), float64 unless it fits as it is; each axis on its own."""
    if values.shape[0] > height and values.shape[1] > width:
        sums = _down_columns(values, height).astype(np.float64)
        means: Float64 = np.matmul(sums.swapaxes(1, 2), _across(values.shape[1], width)).swapaxes(1, 2)
        means /= values.shape[0] * values.shape[1]
        return means
    return _resample(_resample(values, height).swapaxes(0, 1), width).swapaxes(0, 1)


def _resample(values: NDArray[Any], target: int) -> NDArray[Any]:
    """One axis, the first, brought to another length; `values` itself if it fits."""
    size = len(values)
    if size == target:
        return values
    if size > target:
        return _down_columns(values, target).astype(np.float64) / size
    centres = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
    left = centres.astype(np.intp)
    share = (centres - left).reshape(-1, *[1] * (values.ndim - 1))
    mixed: Float64 = values[left] * (1 - share) + values[np.minimum(left + 1, size - 1)] * share
    return mixed


def _cells(size: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """The pixels that each of `target` cells may touch, and `target` times the share of each that lies in the cell: (target, n)."""
    first = np.arange(target) * size // target
    last = -(-np.arange(1, target + 1) * size // target)
    pixels = first[:, None] + np.arange((last - first).max())
    begin = size * np.arange(target)[:, None]
    overlap = np.minimum((pixels + 1) * target, begin + size) - np.maximum(pixels * target, begin)
    return np.minimum(pixels, size - 1), np.clip(overlap, 0, None)


@lru_cache(maxsize=64)
def _weights(size: int, target: int, kind: type[np.floating[Any]]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """`_cells` with the shares as weights of products, (target, 1, n), of the type `kind`."""
    pixels, shares = _cells(size, target)
    return pixels, shares[:, None].astype(kind)


@lru_cache(maxsize=64)
def _across(size: int, target: int) -> Float64:
    """The same as a matrix, (size, target)."""
    matrix = np.zeros((size, target))
    pixels, shares = _cells(size, target)
    np.add.at(matrix, (pixels, np.arange(target)[:, None]), shares)
    return matrix


def _down_columns(values: NDArray[Any], target: int) -> NDArray[Any]:
    """Sums over the cells of the first axis, times `target`: whole numbers, exact in the floating-point type that they come in."""
    size = len(values)
    largest = {"uint8": 255, "uint16": 65535}.get(values.dtype.name, math.inf)
    kind = np.float32 if largest * size < EXACT_IN_FLOAT32 else np.float64
    pixels, weights = _weights(size, target, kind)
    flat = values.reshape(size, -1)
    sums = np.empty((target, flat.shape[1]), kind)
    for columns in chunks(flat.shape[1], TOGETHER // size):
        rows = np.take(flat[:, columns], pixels, axis=0).astype(kind)  # (target, n, columns)
        np.matmul(weights, rows, out=sums[:, None, columns])  # one small product a cell
    return sums.reshape(target, *values.shape[1:])
