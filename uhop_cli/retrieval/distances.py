"""Squared distances of queries to all memories, over all values or the visible ones, exact where it matters.

|x|^2 - 2 <x, xi> + |xi|^2 is one matrix product, but a difference of large sums: it loses the last digits of small distances. The
closest memories are therefore measured again from the difference itself.
"""

from __future__ import annotations

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import topk
from uhop_cli.retrieval.pattern_matrix import PatternMatrix

EXACT = 64  # memories that are measured again
ROUNDING = (1 / 255) ** 2 / 12  # q: the variance of a value rounded to 8 bits, below which residuals mean nothing


def squared_distances(X: PatternMatrix, queries: Array, visible: Array | None = None, totals: Array | None = None) -> Array:
    """sum over the visible values of (x - xi)^2: shape (Q, M).

    Args:
        X: the memories.
        queries: shape (Q, d).
        visible: shape (Q, d) bool; None: all.
        totals: |xi|^2 of all memories, (M,), where the caller has it; only used without `visible`.
    """
    xp = namespace(queries)
    mask = None if visible is None else xp.astype(visible, queries.dtype)
    seen = queries if mask is None else queries * mask
    if mask is not None:
        own = X.products(mask, squared=True)
    else:
        own = X.products(xp.ones_like(queries[:1]), squared=True) if totals is None else totals
    squares = own - 2 * X.products(seen) + xp.sum(seen * seen, axis=-1, keepdims=True)
    squares = xp.clip(squares, 0, None)
    _, closest = topk(-squares, EXACT)
    for index in range(queries.shape[0]):
        difference = X.rows(closest[index])
        difference -= queries[index]
        if mask is not None:
            difference *= mask[index]
        difference *= difference
        squares[index, closest[index]] = xp.sum(difference, axis=-1)
    return squares
