"""Squared distances of queries to all memories, over all values or the visible ones, exact where it matters.

|x|^2 - 2 <x, xi> + |xi|^2 is one matrix product, but a difference of large sums: it loses the last digits of small distances. The
closest memories are therefore measured again from the difference itself.
"""

from __future__ import annotations

import math

from uhop_cli.arrays.device import device_of
from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.operations import topk
from uhop_cli.retrieval.pattern_matrix import PatternMatrix

EXACT = 64  # memories that are measured again, at most
ROUNDING = (1 / 255) ** 2 / 12  # q: the variance of a value rounded to 8 bits, below which residuals mean nothing
LOST = 1e-5  # of |x|^2 + |xi|^2: more than the difference is off by in float32
TOGETHER = 1 << 17  # pairs of query and memory at a time: they stay in the cache


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
        squares[part] = xp.clip(values, 0, None)
        negative, closest = topk(-squares[part], EXACT)
        near = -to_numpy(negative)
        lost = LOST * (to_numpy(lengths[part]) + longest)
        counts = (near <= times * (near[:, :1] + lost + X.dim * ROUNDING) + lost).sum(axis=1)
        for index, count in enumerate(counts.tolist(), part.start):
            rows = closest[index - part.start, :count]
            difference = X.rows(rows)
            difference -= queries[index]
            if mask is not None:
                difference *= mask[index]
            difference *= difference
            squares[index, rows] = xp.sum(difference, axis=-1)

    device_of(queries).on_all_cores(work, int(queries.shape[0]), max(1, TOGETHER // X.count))
    return squares
