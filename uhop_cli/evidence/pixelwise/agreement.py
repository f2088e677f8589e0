"""Agreement: every value of the query is either kept or replaced.

The noise model of covered, zeroed and salted pictures, whose mask nobody knows. With pi the fraction of values that are kept,

    Lambda(x, xi) = sum_j ln(pi p_j / h_j + 1 - pi),       p_j = mean over tau of N(x_j; xi_j, tau),

h the query's own histogram of values, so that a replaced value says nothing about the memory. It is a likelihood of mixtures, and
pi is found by expectation-maximisation. It is no function of inner products, and is evaluated on a shortlist.

Of two pictures in 8 bits x_j - xi_j takes 256 values but for its sign: p is looked up then, which takes a fifth of the time.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import clip_over, exp_over, into, row_sums, sum_of_logs
from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.types import Float32, UInt8

# Each tau is a third of the one before, so that its densities are ninth powers and one exponential serves all.
FALL = 1 / 3
TAUS = (0.054, 0.018, 0.006)  # of a kept value: 14, 5 and 1.5 grey levels of 255, for compression, resampling and rounding
STEPS = 3  # of expectation-maximisation
BINS = 64  # of the histogram
LEAST = 1e-30  # of a density in the units of `TAUS`; what it is multiplied by later on leaves it a normal number (`exp_over`)
LEVEL = 1 / 255  # one grey level: the width over which a heap of equal values counts as spread


def value_density(queries: Float32) -> Float32:
    """h: the density of the query's own values at each of its values, shape (Q, d).

    Values at exactly 0 and 1 are heaps, spread over one grey level; the others are counted in bins, each with one count to begin
    with.
    """
    count, total = queries.shape
    inside = (queries != 0) & (queries != 1)
    low = np.minimum(queries.min(axis=1, keepdims=True), 0)
    width = (np.maximum(queries.max(axis=1, keepdims=True), 1) - low) / BINS
    place = np.clip(((queries - low) / width).astype(np.int64), 0, BINS - 1) + BINS * np.arange(count)[:, None]
    counts = np.bincount(place[inside], minlength=BINS * count).reshape(count, BINS) + 1.0
    share = np.maximum(inside.mean(axis=1, keepdims=True), 1 / total)
    density: Float32 = (counts / (counts.sum(axis=1, keepdims=True) * width) * share).astype(np.float32).ravel()[place]
    for heap in (0, 1):
        at = queries == heap
        np.copyto(density, np.maximum(at.mean(axis=1, keepdims=True), 1 / total) / LEVEL, where=at, casting="same_kind")
    return density


def agreement(density: Array, squares: Array, sharpness: float = 1.0, scratch: Scratch | None = None) -> tuple[Array, Array]:
    """Lambda of memories and the fraction of values that agree.

    Args:
        density: h at each value of the query, shape (..., d).
        squares: (x - xi)^2, shape (..., d); it is overwritten.
        sharpness: every tau is divided by it; above 1 where kept values are known to be exact.
        scratch: where arrays of that shape are kept until the next call.

    Returns:
        Lambda and pi, both of the shape (...). Lambda is 0 for a memory with which nothing agrees.
    """
    scratch = scratch or Scratch()
    return _mixture(_kept_density(squares, sharpness, scratch, per=density), squares)


def agreement_of_levels(density: Float32, differences: UInt8, scratch: Scratch | None = None) -> tuple[Float32, Float32]:
    """`agreement` of pictures in 8 bits.

    Args:
        density: h at each value of the query, shape (..., d), broadcast.
        differences: |x - xi| in levels of 255, shape (..., d).
        scratch: where arrays of that shape are kept until the next call.
    """
    scratch = scratch or Scratch()
    ratio = _looked_up(differences, scratch.empty("ratio", differences.shape, density))
    ratio /= density
    found, kept = _mixture(ratio, scratch.empty("spare", differences.shape, density))
    return np.asarray(found), np.asarray(kept)


def _kept_density(squares: Array, sharpness: float, scratch: Scratch, per: Array | float = 1.0) -> Array:
    """p of (x - xi)^2, which is overwritten, `per` another density."""
    first, finest = TAUS[0] / sharpness, TAUS[-1] / sharpness
    squares *= -0.5 / first**2
    power = exp_over(clip_over(squares, least=math.log(LEAST), most=0))
    spare = scratch.empty("spare", squares.shape, squares)
    # sum over tau of power / tau, from the widest to the finest, in units of 1 / finest.
    ratio = into(scratch.empty("ratio", squares.shape, squares), "mul", power, FALL)
    for place in range(1, len(TAUS)):
        power, spare = _ninth_power(power, spare), power
        ratio += power
        if place < len(TAUS) - 1:
            ratio *= FALL
    ratio *= 1 / (len(TAUS) * math.sqrt(2 * math.pi) * finest) / per
    return ratio


@cache
def _of_level() -> Float32:
    """p of each difference in levels of 255."""
    squares = (np.arange(256, dtype=np.float32) / 255) ** 2
    return np.array(_kept_density(squares, 1.0, Scratch()))


@cache
def _of_two_levels() -> NDArray[np.complex64]:
    """p of two differences at a time, by the 16 bits that the two levels are in memory: two float32 values in the place of one."""
    return _of_level()[np.arange(1 << 16, dtype=np.uint16).view(np.uint8)].view(np.complex64)


def _looked_up(differences: UInt8, out: Float32) -> Float32:
    """p of differences in levels of 255, in `out`."""
    pairs = differences.reshape(-1)
    even = pairs.size // 2 * 2
    # An index of 8 bits is in range, so that clipping it costs nothing; the other modes take a copy of what is written.
    places = pairs[:even].view(np.uint16)
    np.take(_of_two_levels(), places, out=out.reshape(-1)[:even].view(np.complex64), mode="clip")
    if even < pairs.size:
        out.reshape(-1)[even:] = _of_level()[pairs[even:]]
    return out


def _mixture(ratio: Array, spare: Array) -> tuple[Array, Array]:
    """Lambda and pi of r = p / h, which is overwritten, as is `spare` of that shape."""
    xp = namespace(ratio)
    kept = xp.full_like(ratio[..., :1], 0.5)
    for _ in range(STEPS):
        # E: the chance that a value was kept, pi r / (pi r + 1 - pi); M: their mean.
        spare = into(spare, "add", ratio, 1 / kept - 1)
        spare = into(spare, "truediv", ratio, spare)
        kept = xp.clip(row_sums(spare)[..., None] / spare.shape[-1], 1e-4, 1 - 1e-4)
    ratio *= kept
    ratio += 1 - kept
    return sum_of_logs(ratio), kept[..., 0]


def _ninth_power(values: Array, out: Array) -> Array:
    """u^9 of values in [0, 1], but no less than `LEAST`, in `out`; the values are overwritten."""
    values = clip_over(values, least=LEAST ** (1 / 9), most=1)
    eighth = into(out, "mul", values, values)
    eighth *= eighth
    eighth *= eighth
    eighth *= values
    return eighth
