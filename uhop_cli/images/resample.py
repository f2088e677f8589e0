"""Bringing an array of pixels to another size: area means along an axis that shrinks, linear interpolation along one that grows.

A mean over cells is a product with a matrix of whole numbers, divided at the end. Both products are exact in their floating-point
type, so that the result is the same on every machine and in any order of summation; and they are few calls on much data, during
which other threads of Python can work.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Float64, Int64

EXACT_IN_FLOAT32 = 1 << 24  # whole numbers up to here
TOGETHER = 1 << 21  # pixels, which bounds the memory


@dataclass(frozen=True)
class Axis:
    """Where the pixels of a picture lie along one axis, if each may be the mean of several of the original.

    Pixel j covers [start + j step, start + (j + 1) step] of the original, as far as that lies in [0, size].

    Attributes:
        size: pixels of the original.
        step: of them to one pixel.
        start: of the first pixel, 0 or less: it stands out before the original where the last pixel of a turned picture did.
    """

    size: int
    step: int = 1
    start: int = 0

    def __len__(self) -> int:
        return -(-(self.size - self.start) // self.step)

    def turned(self) -> Axis:
        """The axis from its other end."""
        return Axis(self.size, self.step, self.size - self.start - self.step * len(self))


def resize(values: NDArray[Any], height: int, width: int, axes: tuple[Axis, Axis] | None = None) -> NDArray[Any]:
    """(h, w, c) of unsigned integers -> (height, width, c), float64 unless it fits as it is; each axis on its own.

    `axes` says where the rows and the columns lie; it is heeded where both shrink. By default they are the original's.
    """
    if values.shape[0] > height and values.shape[1] > width:
        rows, columns = axes or (Axis(values.shape[0]), Axis(values.shape[1]))
        sums = _down_columns(values, height, rows).astype(np.float64)
        means: Float64 = np.matmul(sums.swapaxes(1, 2), _across(columns, width)).swapaxes(1, 2)
        means /= rows.size * columns.size
        return means
    return _resample(_resample(values, height).swapaxes(0, 1), width).swapaxes(0, 1)


def _resample(values: NDArray[Any], target: int) -> NDArray[Any]:
    """One axis, the first, brought to another length; `values` itself if it fits."""
    size = len(values)
    if size == target:
        return values
    if size > target:
        return _down_columns(values, target, Axis(size)).astype(np.float64) / size
    centres = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
    left = centres.astype(np.intp)
    share = (centres - left).reshape(-1, *[1] * (values.ndim - 1))
    mixed: Float64 = values[left] * (1 - share) + values[np.minimum(left + 1, size - 1)] * share
    return mixed


def _cells(axis: Axis, target: int) -> tuple[NDArray[np.intp], Int64]:
    """The pixels that each of `target` cells may touch, and `target` times the share of each that lies in the cell: (target, n)."""
    begin = axis.size * np.arange(target + 1)[:, None]
    step, start = axis.step * target, axis.start * target  # like `begin` in units of 1 / target
    first = (begin[:-1] - start) // step
    last = -(-(begin[1:] - start) // step)
    pixels = first + np.arange((last - first).max())
    left = np.maximum(pixels * step + start, begin[:-1])
    overlap = np.minimum((pixels + 1) * step + start, begin[1:]) - left
    return np.minimum(pixels, len(axis) - 1), np.clip(overlap, 0, None)


@lru_cache(maxsize=64)
def _weights(axis: Axis, target: int, kind: type[np.floating[Any]]) -> tuple[NDArray[np.intp], NDArray[Any]]:
    """`_cells` with the shares as weights of products, (target, 1, n), of the type `kind`."""
    pixels, shares = _cells(axis, target)
    return pixels, shares[:, None].astype(kind)


@lru_cache(maxsize=64)
def _across(axis: Axis, target: int) -> Float64:
    """The same as a matrix, (pixels, target)."""
    matrix = np.zeros((len(axis), target))
    pixels, shares = _cells(axis, target)
    np.add.at(matrix, (pixels, np.arange(target)[:, None]), shares)
    return matrix


def _down_columns(values: NDArray[Any], target: int, axis: Axis) -> NDArray[Any]:
    """Sums over the cells of the first axis, times `target`: whole numbers, exact in the floating-point type that they come in."""
    size = len(values)
    largest = {"uint8": 255, "uint16": 65535}.get(values.dtype.name, math.inf)
    kind = np.float32 if largest * axis.size < EXACT_IN_FLOAT32 else np.float64
    pixels, weights = _weights(axis, target, kind)
    flat = values.reshape(size, -1)
    sums = np.empty((target, flat.shape[1]), kind)
    for columns in chunks(flat.shape[1], TOGETHER // size):
        rows = np.take(flat[:, columns], pixels, axis=0).astype(kind)  # (target, n, columns)
        np.matmul(weights, rows, out=sums[:, None, columns])  # one small product a cell
    return sums.reshape(target, *values.shape[1:])
