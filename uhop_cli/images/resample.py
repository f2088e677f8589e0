"""Bringing one axis of an array of pixels to another length."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


def resample(values: NDArray[Any], target: int) -> NDArray[Any]:
    """Area means along the first axis if it shrinks, linear interpolation if it grows, `values` itself if it fits.

    Sums of integers, not a product of matrices: exact, the same on every machine, and free of the threads that a matrix library
    would start under each of ours.
    """
    size = len(values)
    if size == target:
        return values
    if size > target:
        edges, parts = np.divmod(np.arange(target + 1) * size, target)  # cell i spans the pixels from edges[i] + parts[i] / target
        # The smallest type that holds a sum: casting first, then adding rows as they lie, is several times as fast as adding bytes.
        small = values.dtype == np.uint8 and np.diff(edges).max() <= 257
        whole = np.uint16 if small else np.uint32 if values.dtype.kind == "u" else np.float64
        rows = np.ascontiguousarray(values, whole)
        sums = np.stack([np.add.reduce(rows[i:j], axis=0, dtype=whole) for i, j in pairwise(edges)])
        cut = values[np.minimum(edges, size - 1)] * (parts / target).reshape(-1, *[1] * (values.ndim - 1))
        means: Float64 = (sums - cut[:-1] + cut[1:]) * (target / size)
        return means
    centres = np.clip((np.arange(target) + 0.5) * (size / target) - 0.5, 0, size - 1)
    left = centres.astype(np.intp)
    share = (centres - left).reshape(-1, *[1] * (values.ndim - 1))
    mixed: Float64 = values[left] * (1 - share) + values[np.minimum(left + 1, size - 1)] * share
    return mixed
