"""How well what a transparent memory shows explains a query: facts for a confidence.

Every memory of one outline explains what lies behind it, to the last level where nothing was added, and in the likelihoods these
pixels drown the rest: a thing in other colours seems explained nearly as well as a copy. The memory X that answers is therefore
fitted once more, robustly, since a part may be covered, with a gain a >= 0 and, for each channel c, a background b and an offset o:

    x_c = a X_c + b_c m + o_c + r_c,     weights 1 / (1 + (u / 2s)^2),  u = max_c |r_c|,  s = 1.5 median u + 1 level

What is left is compared on both sides of the outline. With R the mean of r^2, weighted by the opacity 1 - m (shown) or by m
(behind), and V_shown that of x less its background and offset,

    excess    ln (R_shown + q) - ln (R_behind + q): noise and compression leave something on both sides, another picture on one
    left      ln (R_shown + q) - ln (V_shown + q)
    unlike    ln (1 + e - k), k the share of the pixels that are as a clean copy has them, but for a cover; e that of two pixels

and k the larger of two shares: of u < 1.5 levels; and of the pixels that are opaque and equal to X to 1.5 levels or, among all
others, have one of the two commonest colours, which are those of the background and of a cover.
"""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.operations import quotient
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float32, Float64
from uhop_cli.evidence.backgrounds.opacity import LEAST
from uhop_cli.evidence.backgrounds.recognition import LEVEL, ROUNDED
from uhop_cli.retrieval.distances import ROUNDING

TOGETHER = 1 << 17  # values at a time: they stay in the cache
STEPS = 4  # of reweighting
COMMONEST = 2  # colours: the background's and a cover's


def shown_facts(queries: Float32, patterns: Float32, veils: Float32) -> Float64:
    """`excess`, `left` and `unlike` of Q answers, (Q, 3).

    Args:
        queries: x, (Q, d).
        patterns: X, one for each query, (Q, d).
        veils: m, (Q, H W).
    """
    step = TOGETHER // queries.shape[1]
    parts = [_shown_facts(queries[rows], patterns[rows], veils[rows]) for rows in chunks(len(queries), step)]
    return np.concatenate(parts)


def _shown_facts(queries: Float32, patterns: Float32, veils: Float32) -> Float64:
    """The same of a few answers."""
    count, pixels = veils.shape
    x, memories = (part.reshape(count, pixels, -1).astype(np.float64) for part in (queries, patterns))
    rest, own, _ = fitted(x, memories, veils.astype(np.float64))
    shown, behind = _mean_square(rest, 1 - veils), _mean_square(rest, veils)
    behind = np.where(veils.sum(axis=1) > 1, behind, shown)
    logs = [np.log(value + ROUNDING) for value in (shown, behind, _mean_square(own, 1 - veils))]
    agreeing = (np.abs(rest).max(axis=2) < ROUNDED).mean(axis=1)
    equal = (np.abs(x - memories).max(axis=2) < ROUNDED) & (veils < 0.5)
    kept = np.maximum(agreeing, [_kept(*pair) for pair in zip(x, equal, strict=True)])
    return np.stack([logs[0] - logs[1], logs[0] - logs[2], np.log1p(COMMONEST / pixels - kept)], axis=1)


def fitted(x: Float64, memories: Float64, veils: Float64, told: Float64 | None = None) -> tuple[Float64, Float64, Float64]:
    """r, and x less its own background and offset, (Q, H W, C) each, and a, (Q,); fitted to the pixels that are `told`, (Q, H W) of
    0 and 1."""
    given = np.ones_like(veils) if told is None else told
    weights = given
    for _ in range(STEPS):
        total = weights.sum(axis=1, keepdims=True)
        veil = veils - (weights * veils).sum(axis=1, keepdims=True) / total
        weighted = weights * veil
        power = (weighted * veil).sum(axis=1)
        inverse = quotient(1.0, np.where(power >= LEAST * veils.shape[1], power, 0))
        x_rest, own = (_off(part, weights, weighted, veil, inverse) for part in (x, memories))
        product = np.einsum("qp,qpc,qpc->q", weights, x_rest, own)
        gain = np.maximum(product, 0) / (np.einsum("qp,qpc,qpc->q", weights, own, own) + x.shape[2] * ROUNDING)
        rest = x_rest - gain[:, None, None] * own
        size = np.abs(rest).max(axis=2)
        middle = np.nanmedian(np.where(given > 0, size, np.nan), axis=1, keepdims=True)
        scale = 1.5 * middle + LEVEL
        weights = given / (1 + (size / (2 * scale)) ** 2)
    return rest, x_rest, gain


def _off(values: Float64, weights: Float64, weighted: Float64, veil: Float64, inverse: Float64) -> Float64:
    """Values (Q, H W, C) less their weighted projection on an offset and on the centred veil."""
    centred = values - np.einsum("qp,qpc->qc", weights / weights.sum(axis=1, keepdims=True), values)[:, None]
    slopes = np.einsum("qp,qpc->qc", weighted, centred) * inverse[:, None]
    rest: Float64 = centred - veil[..., None] * slopes[:, None]
    return rest


def _mean_square(values: Float64, weights: Float32) -> Float64:
    """Of values (Q, H W, C), with these weights of the pixels: (Q,); 0 where all weights are."""
    total = weights.sum(axis=1, dtype=np.float64) * values.shape[2]
    return np.asarray(quotient(np.einsum("qp,qpc,qpc->q", weights, values, values), total))


def _kept(x: Float64, equal: Bool) -> float:
    """The share of the pixels of x (H W, C) that are `equal` or of one of the commonest colours among those that are not."""
    levels = np.rint(np.clip(x[~equal], 0, 1) * 255).astype(np.int64)
    codes = levels @ 256 ** np.arange(x.shape[1])
    counts = np.sort(np.unique(codes, return_counts=True)[1])
    return float(equal.sum() + counts[-COMMONEST:].sum()) / len(x)
