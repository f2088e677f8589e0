"""The few operations that the array API standard lacks, and divisions by lengths that may be 0."""

from __future__ import annotations

import math
import operator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.types import Float32, Int64

LEAST_GROUP = 4  # values, of which to find the largest first takes less time than to choose among all
A_LITTLE = 0.01  # what an exponential of the least value may be off by, and yet be a normal number
MANY = 16  # times as many values as are looked for, above their bound: then to choose among all takes less time


def flat_rows(patterns: NDArray[np.generic]) -> tuple[NDArray[np.generic], float]:
    """Patterns (M, ...) as rows (M, d), and the scale of their values."""
    flat = patterns.reshape(len(patterns), math.prod(patterns.shape[1:]))
    return flat, 1 / 255 if flat.dtype == np.uint8 else 1.0


def unit_rows(patterns: NDArray[Any], rows: slice = slice(None)) -> Float32:
    """Rows of stored patterns as vectors in [0, 1], (m, d) float32: pixels (uint8) divided by 255, floats as they are."""
    part = patterns[rows]
    part = part.reshape(len(part), math.prod(part.shape[1:]))
    if part.dtype != np.uint8:
        return part.astype(np.float32, copy=False)
    vectors = part.astype(np.float32)
    vectors *= np.float32(1 / 255)
    return vectors


def inverse(x: Array) -> Array:
    """1 / x, and 0 where x is not positive: a vector without a direction (an all-black picture) has cosine 0 with every other."""
    return quotient(1, x)


def quotient(x: Array | float, y: Array, otherwise: float = 0) -> Array:
    """x / y, and `otherwise` where y is not positive; shapes broadcast."""
    xp = namespace(y)
    return xp.where(y > 0, x / xp.where(y > 0, y, 1), otherwise)


def unit_vectors(x: Array) -> Array:
    """x / ||x|| along the last axis, shape (..., d); a vector of length 0 stays as it is."""
    xp = namespace(x)
    length = xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True))
    return x / xp.where(length > 0, length, 1)


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
        if k == 1:
            place = np.argmax(x, axis=-1, keepdims=True)
            return np.take_along_axis(x, place, axis=-1), place
        part = np.broadcast_to(np.arange(size), x.shape) if k == size else np.sort(largest(x, k), axis=-1)
        values = np.take_along_axis(x, part, axis=-1)
        order = np.argsort(-values, axis=-1, kind="stable")
        return np.take_along_axis(values, order, axis=-1), np.take_along_axis(part, order, axis=-1)
    values, indices = x.topk(k, dim=-1)
    return values, indices


def largest(x: NDArray[Any], k: int) -> Int64:
    """The places of the k largest values along the last axis, shape (..., M), in no order: (..., k).

    The k largest maxima of groups are as many values: so the last of these bounds what is looked for from below, and little else
    lies above it. A group is every n-th value, so that all maxima are found in one pass.
    """
    size, before = x.shape[-1], x.shape[:-1]
    length = math.isqrt(size // max(k, 1))  # of a group: of the more values there are the more maxima
    if length >= LEAST_GROUP:
        lines, count = x.reshape(-1, size), size // length
        maxima = lines[:, : length * count].reshape(-1, length, count).max(axis=1)
        above = np.flatnonzero(lines >= np.partition(maxima, count - k, axis=1)[:, count - k, None])
        found = np.diff(np.searchsorted(above, size * np.arange(len(lines) + 1)))
        if found.min() >= k and found.max() < MANY * k:  # not where numbers are missing, or many are equal
            return _largest_of(lines, above, found, k).reshape(*before, k)
    return np.asarray(np.argpartition(x, size - k, axis=-1)[..., size - k :])


def _largest_of(lines: NDArray[Any], above: Int64, found: Int64, k: int) -> Int64:
    """The places of the k largest of each line (L, M), (L, k), which are among those `above` a bound, (n,), of which each line has
    `found`, (L,)."""
    if len(lines) == 1:
        return above[None, np.argpartition(lines[0, above], len(above) - k)[len(above) - k :]]
    slots = np.arange(found.max())
    taken = above[np.minimum((np.cumsum(found) - found)[:, None] + slots, len(above) - 1)]
    values = np.where(slots < found[:, None], lines.ravel()[taken], -np.inf)
    best = np.argpartition(values, len(slots) - k, axis=1)[:, len(slots) - k :]
    return np.asarray(np.take_along_axis(taken, best, axis=1) - lines.shape[1] * np.arange(len(lines))[:, None])


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


def row_sums(values: Array) -> Array:
    """sum v along the last axis. NumPy adds up in pairs, which takes three times as long as the product with ones; of some thousand
    float32 values of one sign that is exact to a millionth too."""
    if not isinstance(values, np.ndarray):
        return namespace(values).sum(values, axis=-1)
    return np.asarray(values @ np.ones(values.shape[-1], values.dtype))


def sum_of_logs(values: Array) -> Array:
    """sum ln v along the last axis, of positive values whose products of four are normal numbers: a product takes less time than a
    logarithm. They are overwritten."""
    xp, size = namespace(values), int(values.shape[-1])
    quarter = size // 4
    first, second, third, fourth = (values[..., place * quarter : (place + 1) * quarter] for place in range(4))
    first *= second
    third *= fourth
    first *= third
    total = row_sums(xp.log(first))
    return total + row_sums(xp.log(values[..., 4 * quarter :])) if size % 4 else total


def clip_over(values: Array, least: float = -math.inf, most: float = math.inf) -> Array:
    """`values` within bounds; an array of NumPy's is overwritten and stays in the cache. (One bound takes longer than two.)"""
    if isinstance(values, np.ndarray):
        return np.clip(values, least, most, out=values)
    return namespace(values).clip(values, least, most)


def less_over(values: Array, minuend: Array) -> Array:
    """minuend - values, shapes broadcast to that of the values; an array of NumPy's is overwritten."""
    return np.subtract(minuend, values, out=values) if isinstance(values, np.ndarray) else minuend - values


def into(out: Array, operation: Literal["add", "sub", "mul", "truediv"], left: Array, right: Array | float) -> Array:
    """The elementwise `operation` of `left` and `right`; of NumPy's arrays in `out`, which may be one of them."""
    if isinstance(out, np.ndarray):
        return {"add": np.add, "sub": np.subtract, "mul": np.multiply, "truediv": np.divide}[operation](left, right, out=out)
    return getattr(operator, operation)(left, right)


def log_over(values: Array) -> Array:
    """ln v; an array of NumPy's is overwritten."""
    return np.log(values, out=values) if isinstance(values, np.ndarray) else namespace(values).log(values)


def exp_over(values: Array) -> Array:
    """exp(u) for u <= 0, and 0 where that is below the normal numbers (1e-38 in float32), which many processors compute with a
    hundred times more slowly. An array of NumPy's is overwritten."""
    if not isinstance(values, np.ndarray) or not values.size:
        return namespace(values).exp(values)
    least = math.log(np.finfo(values.dtype).tiny) + A_LITTLE
    if values.min() >= least:
        return np.exp(values, out=values)
    kept = values > least  # to multiply by it takes a fifth of the time of writing where it is false
    np.exp(np.clip(values, least, math.inf, out=values), out=values)
    return np.multiply(values, kept, out=values)
