"""Squared distances of queries to all memories, over all values or the visible ones, exact where it matters.

|x|^2 - 2 <x, xi> + |xi|^2 is one matrix product, but a difference of large sums: it loses the last digits of small distances. The
closest memories are therefore measured again from the difference itself.
"""

from __future__ import annotations

import math

import numpy as np

from uhop_cli.arrays.device import device_of
from uhop_cli.arrays.library import Array, like, namespace, to_numpy
from uhop_cli.arrays.operations import clip_over, topk
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Int64
from uhop_cli.retrieval.pattern_matrix import PatternMatrix

EXACT = 64  # memories that are measured again, at most
ROUNDING = (1 / 255) ** 2 / 12  # q: the variance of a value rounded to 8 bits, below which residuals mean nothing
LOST = 1e-5  # of |x|^2 + |xi|^2: more than the difference is off by in float32
TOGETHER = 1 << 17  # pairs of query and memory at a time: they stay in the cache
AGAIN_BYTES = 3 << 20  # of the pairs that are measured again together


def squared_distances(
    X: PatternMatrix,
    queries: Array,
    visible: Array | None = None,
    totals: Array | None = None,
    times: float = math.inf,
) -> Array:
    """sum over the visible values of (x - xi)^2: shape (Q, M).

    Args:
        X: the memories.
        queries: shape (Q, d).
        visible: shape (Q, d) bool; None: all.
        totals: |xi|^2 of all memories, (M,), where the caller has it; only used without `visible`.
        times: how many times as far as the closest memory those may be that are measured again, the rounding d q added to both;
            as far as it matters to the caller.
    """
    xp = namespace(queries)
    mask = None if visible is None else xp.astype(visible, queries.dtype)
    seen = queries if mask is None else queries * mask
    if mask is not None:
        own = X.products(mask, squared=True)
    else:
        own = X.products(xp.ones_like(queries[:1]), squared=True) if totals is None else totals
    squares, lengths = X.products(seen), xp.sum(seen * seen, axis=-1, keepdims=True)
    longest = float(xp.max(own)) if times < math.inf else 0.0

    def work(part: slice) -> None:
        values = squares[part]
        values *= -2
        values += own if mask is None else own[part]
        values += lengths[part]
        squares[part] = values = clip_over(values, least=0)
        lost = LOST * (lengths[part] + longest)
        bound = times * (xp.min(values, axis=-1, keepdims=True) + lost + X.dim * ROUNDING) + lost
        asked, near = _near(values, bound)
        for some in chunks(len(near), AGAIN_BYTES // (4 * X.dim)):
            index, rows = like(values, part.start + asked[some]), like(values, near[some])
            difference = X.rows(rows)
            difference -= queries[index]
            if mask is not None:
                difference *= mask[index]
            difference *= difference
            squares[index, rows] = xp.sum(difference, axis=-1)

    device_of(queries).on_all_cores(work, int(queries.shape[0]), max(1, TOGETHER // X.count))
    return squares


def _near(values: Array, bound: Array) -> tuple[Int64, Int64]:
    """The places (q, mu) of values (Q, M) within a bound (Q, 1), as two arrays (n,): of a query the `EXACT` least ones at most."""
    xp, (count, memories) = namespace(values), values.shape
    least = min(EXACT, memories)
    if bool(xp.all(bound >= xp.max(values, axis=-1, keepdims=True))):  # all are
        return np.repeat(np.arange(count), least), to_numpy(topk(-values, least)[1]).ravel()
    places = to_numpy(xp.nonzero((values <= bound).reshape(-1))[0])
    asked, near = places // memories, places % memories
    crowded = np.flatnonzero(np.bincount(asked, minlength=count) > EXACT)
    if len(crowded):
        kept = ~np.isin(asked, crowded)
        least_ones = to_numpy(topk(-values[like(values, crowded)], EXACT)[1])
        asked = np.concatenate([asked[kept], np.repeat(crowded, EXACT)])
        near = np.concatenate([near[kept], least_ones.ravel()])
    return asked, near
