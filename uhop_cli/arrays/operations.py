"""Which array library and which device, and the few operations that the array API standard lacks.

The engine is written once against the array API standard. On the CPU its namespace is NumPy itself and torch is never imported; on
a GPU it is `array_api_compat.torch`. This is the only file, beside nn/, in which torch is imported (`torch_library`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.types import Float32

TOPK_BLOCK = 64


def unit_rows(patterns: NDArray[Any], rows: slice = slice(None)) -> Float32:
    """Rows of stored patterns as vectors in [0, 1], (m, d) float32: pixels (uint8) divided by 255, floats as they are."""
    part = patterns[rows].reshape(len(patterns[rows]), -1)
    if part.dtype != np.uint8:
        return part.astype(np.float32, copy=False)
    vectors = part.astype(np.float32)
    vectors *= np.float32(1 / 255)
    return vectors


def topk(x: Array, k: int) -> tuple[Array, Array]:
    """The k largest values along the last axis, in falling order, and their indices. Equal values come in the order of their index.

    Args:
        x: shape (..., M).
        k: at most M are returned.

    Returns:
        values and indices, shape (..., min(k, M)).
    """
    size = int(x.shape[-1])
    k = min(k, size)
    if isinstance(x, np.ndarray):
        if size > 2 * TOPK_BLOCK * k > 0:
            # The k largest are in the k blocks of the largest maxima.
            whole = size - size % TOPK_BLOCK
            maxima = x[..., :whole].reshape(*x.shape[:-1], -1, TOPK_BLOCK).max(axis=-1)
            blocks = np.sort(topk(maxima, k)[1], axis=-1)
            part = (blocks[..., None] * TOPK_BLOCK + np.arange(TOPK_BLOCK)).reshape(*x.shape[:-1], -1)
            part = np.concatenate([part, np.broadcast_to(np.arange(whole, size), (*x.shape[:-1], size - whole))], axis=-1)
            values, places = topk(np.take_along_axis(x, part, axis=-1), k)
            return values, np.take_along_axis(part, places, axis=-1)
        if k < size:
            # The k-th largest value is the threshold; argpartition leaves ties there in no order, so the index decides afterwards.
            part = np.sort(np.argpartition(x, size - k, axis=-1)[..., size - k :], axis=-1)
        else:
            part = np.broadcast_to(np.arange(size), x.shape)
        values = np.take_along_axis(x, part, axis=-1)
        order = np.argsort(-values, axis=-1, kind="stable")
        return np.take_along_axis(values, order, axis=-1), np.take_along_axis(part, order, axis=-1)
    values, indices = x.topk(k, dim=-1)
    return values, indices


def logsumexp(x: Array, axis: int = -1, keepdims: bool = False) -> Array:
    """log sum exp along an axis, without overflow; -infinity where all entries are -infinity."""
    xp = namespace(x)
    top = xp.max(x, axis=axis, keepdims=True)
    top = xp.where(xp.isfinite(top), top, xp.zeros_like(top))
    total = xp.sum(xp.exp(x - top), axis=axis, keepdims=True)
    if isinstance(x, np.ndarray):
        with np.errstate(divide="ignore"):  # log 0 = -infinity is the answer there
            result = np.log(total) + top
    else:
        result = xp.log(total) + top
    return result if keepdims else xp.squeeze(result, axis=axis)
