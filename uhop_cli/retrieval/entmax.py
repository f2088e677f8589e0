"""alpha-entmax: the sparse separation functions, exactly, with the threshold in a form that stays finite as alpha -> 1.

    entmax_alpha(x) = argmax over the simplex of <p, x> + H_alpha(p),     H_alpha(p) = sum (p - p^alpha) / (alpha (alpha - 1))
                    = [(alpha - 1) x - tau]_+ ^ (1 / (alpha - 1)),        tau such that the weights sum to 1

alpha = 1 is softmax, alpha = 2 is sparsemax. With a = alpha - 1 and c = (tau + 1) / a the weights are [1 + a (x - c)]_+ ^ (1 /
a): c is the logit that would have weight 1, it lies between max x and max x + (1 - M^(-a)) / a, and tends to logsumexp(x) as a ->
0. All computation is in c. Sources: Martins & Astudillo 2016 (arXiv 1602.02068), Peters, Niculae & Martins 2019 (arXiv
1905.05702).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import exp_over
from uhop_cli.errors import SettingsError

SOFTMAX_ALPHA = 1.0
ARGMAX_ALPHA = math.inf  # the limit: all weight on the largest logit, shared equally where several are


@dataclass(frozen=True)
class Threshold:
    """What turns logits into weights, one row at a time: p = [1 + (alpha - 1) (x - top - cut)]_+ ^ (1 / (alpha - 1)) / total.

    Attributes:
        alpha: at least 1; at 1 the weight is exp(x - top - cut) / total.
        top: the largest logit of the row, shape (..., 1). It is kept apart from the cut, so that the rounding of large logits stays
            out of the weights.
        cut: c - top, shape (..., 1), at least 0.
        total: the sum of the weights before the division, shape (..., 1); 1 but for rounding, except at alpha = 1, where the cut
            is 0 and the total is the whole partition function.
    """

    alpha: float
    top: Array
    cut: Array
    total: Array

    def weights(self, logits: Array) -> Array:
        """The weights of any part of the row, shape (..., m) from logits (..., m)."""
        return power(logits - self.top - self.cut, self.alpha) / self.total


def softmax(logits: Array) -> Array:
    """exp(x) / sum exp(x), without overflow, along the last axis."""
    weights = exp_over(logits - _top(logits))
    weights /= namespace(weights).sum(weights, axis=-1, keepdims=True)
    return weights


def sparsemax(logits: Array) -> Array:
    """The Euclidean projection of x on the simplex: [x - tau]_+, exactly, by sorting."""
    return entmax(logits, 2.0)


def entmax(logits: Array, alpha: float) -> Array:
    """alpha-entmax along the last axis: exact (by sorting) for alpha 1.5 and 2, softmax for alpha 1, argmax for
    alpha infinite, bisection else.

    Args:
        logits: shape (..., M); -infinity for a memory outside the support.

    Returns:
        non-negative, summing to 1, the shape and dtype of the logits.

    Raises:
        SettingsError: alpha below 1.
    """
    if alpha == SOFTMAX_ALPHA:
        return softmax(logits)
    dense = alpha == ARGMAX_ALPHA
    return threshold(logits if dense else candidates(logits, alpha), alpha).weights(logits)


def candidates(logits: Array, alpha: float) -> Array:
    """The logits that may have a weight, (..., K), falling, K as small as the rows allow; what cannot have one is -infinity.

    The largest weight is at most 1, so a logit 1 / (alpha - 1) or more below the largest has weight 0 whatever the others are: the
    candidates alone decide the threshold. This is what makes a sort over few values, and a stream over chunks of memories, exact.
    """
    if not alpha > 1:
        raise SettingsError(f"entmax needs alpha of at least 1, not {alpha:g}")
    xp = namespace(logits)
    # The difference, not the bound: at 1e8 in float32, max - 1 is max, and not even the largest would be above it.
    near = logits - _top(logits) > -1 / (alpha - 1)
    return -xp.sort(-_packed(logits, near), axis=-1)


def _top(logits: Array) -> Array:
    """The largest logit of each row, (..., 1); the smallest finite number where all are -infinity."""
    xp = namespace(logits)
    return xp.clip(xp.max(logits, axis=-1, keepdims=True), xp.finfo(logits.dtype).min, None)


def _packed(logits: Array, near: Array) -> Array:
    """The chosen logits of each row side by side, (..., K) with K the largest number in a row, the rest -infinity.

    Usually a handful of many thousands: sorting these costs nothing beside the one pass that finds them.
    """
    xp = namespace(logits)
    size = int(logits.shape[-1])
    chosen = xp.reshape(near, (-1, size))
    counts = xp.count_nonzero(chosen, axis=-1)
    rows, _ = xp.nonzero(chosen)
    order = xp.cumulative_sum(xp.ones_like(rows)) - 1  # 0, 1, 2, ... on the device of the logits
    places = order - (xp.cumulative_sum(counts) - counts)[rows]
    packed = xp.full((chosen.shape[0], max(1, int(xp.max(counts)))), -math.inf, dtype=logits.dtype, device=logits.device)
    packed[rows, places] = xp.reshape(logits, (-1, size))[chosen]
    return xp.reshape(packed, (*logits.shape[:-1], packed.shape[-1]))


def threshold(logits: Array, alpha: float) -> Threshold:
    """The threshold of rows of logits. Between softmax and argmax they have to be the `candidates`, falling.

    A row of nothing but -infinity has the total 0: a chunk of a stream may be like that, a whole row may not.
    """
    xp = namespace(logits)
    top = _top(logits)
    shifted = logits - top
    if alpha in (SOFTMAX_ALPHA, ARGMAX_ALPHA):
        cut = xp.zeros_like(top)
    elif alpha == 2.0:
        cut = _sparsemax_cut(shifted)
    elif alpha == 1.5:
        cut = _entmax15_cut(shifted)
    else:
        cut = _bisected_cut(shifted, alpha)
    return Threshold(alpha, top, cut, xp.sum(power(shifted - cut, alpha), axis=-1, keepdims=True))


def power(distance: Array, alpha: float) -> Array:
    """[1 + (alpha - 1) u]_+ ^ (1 / (alpha - 1)): the weight of a logit at u <= 0 from the one of weight 1; exp(u) at alpha 1."""
    xp = namespace(distance)
    if alpha == SOFTMAX_ALPHA:
        return exp_over(distance)
    if alpha == ARGMAX_ALPHA:
        return xp.astype(distance >= 0, distance.dtype)
    base = xp.clip(1 + (alpha - 1) * distance, 0, None)
    if alpha == 2.0:
        return base
    if alpha == 1.5:
        return base * base
    # exp(log1p(a u) / a) keeps its precision as a = alpha - 1 -> 0, where it becomes exp(u).
    positive = base > 0
    exponent = xp.log1p(xp.where(positive, (alpha - 1) * distance, 0)) / (alpha - 1)
    return xp.where(positive, xp.exp(exponent), 0)


def _sparsemax_cut(shifted: Array) -> Array:
    """c = tau + 1, tau = (sum of the k largest - 1) / k, k the largest for which 1 + k x_(k) exceeds that sum."""
    xp = namespace(shifted)
    finite = xp.where(xp.isfinite(shifted), shifted, -1)  # -1 below the top is the edge of the support: never inside
    sums = xp.cumulative_sum(finite, axis=-1)
    rank = _ranks(shifted)
    size = xp.count_nonzero(1 + rank * finite > sums, axis=-1, keepdims=True)
    total = xp.take_along_axis(sums, size - 1, axis=-1)
    return (total - 1) / xp.astype(size, shifted.dtype) + 1


def _entmax15_cut(shifted: Array) -> Array:
    """The exact threshold for alpha = 1.5, from the running mean and variance of the sorted half logits (Peters et al., alg. 2)."""
    xp = namespace(shifted)
    half = xp.where(xp.isfinite(shifted), shifted, -2) / 2
    rank = _ranks(shifted)
    mean = xp.cumulative_sum(half, axis=-1) / rank
    # k * variance as sum of squares - k mean^2: both are at most k, and 1 is what is compared with.
    spread = xp.cumulative_sum(half * half, axis=-1) - rank * mean * mean
    tau = mean - xp.sqrt(xp.clip((1 - spread) / rank, 0, None))
    size = xp.count_nonzero(tau <= half, axis=-1, keepdims=True)
    return 2 * (xp.take_along_axis(tau, size - 1, axis=-1) + 1)


def _bisected_cut(shifted: Array, alpha: float) -> Array:
    """c by halving: at c = 0 the top weight alone is 1; at c = (1 - M^(1 - alpha)) / (alpha - 1) even M equal weights sum to 1."""
    xp = namespace(shifted)
    size = int(shifted.shape[-1])
    low = xp.zeros_like(shifted[..., :1])
    high = low - math.expm1((1 - alpha) * math.log(size)) / (alpha - 1)
    for _ in range(30 if shifted.dtype == xp.float32 else 60):
        middle = (low + high) / 2
        heavy = xp.sum(power(shifted - middle, alpha), axis=-1, keepdims=True) >= 1
        low, high = xp.where(heavy, middle, low), xp.where(heavy, high, middle)
    return (low + high) / 2


def _ranks(shifted: Array) -> Array:
    """1, 2, ..., K in the dtype and on the device of the array."""
    return namespace(shifted).cumulative_sum(namespace(shifted).ones_like(shifted), axis=-1)
