"""Known missing pixels: the likelihood of what is visible.

With V the n visible values of a query and independent Gaussian noise of unknown level, profiling out the level gives for memory mu

    Lambda_mu = -(n/2) ln(r_mu + q),      r_mu = (1/n) sum_{j in V} (x_j - xi_mu,j)^2,

with q the variance of rounding to 8 bits. Its order is that of -||V(x - xi)||^2, the maximum-likelihood decoder of this noise,
whatever the level; its size is a log-probability, so that softmax(Lambda) is the posterior over the memories.
"""

from __future__ import annotations

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import topk
from uhop_cli.retrieval.distances import ROUNDING, squared_distances
from uhop_cli.retrieval.pattern_matrix import PatternMatrix


def visible_log_likelihood(X: PatternMatrix, queries: Array, visible: Array) -> Array:
    """Lambda_mu, shape (Q, M): larger = closer.

    Args:
        X: the memories.
        queries: shape (Q, d).
        visible: shape (Q, d) bool; at least one value of each query is visible.
    """
    xp = namespace(queries)
    count = xp.sum(xp.astype(visible, queries.dtype), axis=1, keepdims=True)
    return -0.5 * count * xp.log(squared_distances(X, queries, visible) / count + ROUNDING)


def visible_unrelated(queries: Array, visible: Array) -> Array:
    """Lambda of a memory that explains nothing, (Q,): its residual is the variance of the visible values themselves."""
    xp = namespace(queries)
    mask = xp.astype(visible, queries.dtype)
    count = xp.sum(mask, axis=1)
    mean = xp.sum(queries * mask, axis=1) / count
    variance = xp.clip(xp.sum(queries * queries * mask, axis=1) / count - mean * mean, 0, None)
    return -0.5 * count * xp.log(variance + ROUNDING)


def visible_features(scores: Array, queries: Array, visible: Array) -> Array:
    """What a confidence in the best memory is made of, (Q, 3): its lead, how much it explains, and the share that is visible.

    The lead is ln(1 + m), m the log-odds against the larger of the runner-up and "unrelated".

    Args:
        scores: what `visible_log_likelihood` returned, (Q, M).
        queries, visible: as there.
    """
    xp = namespace(queries)
    share = xp.mean(xp.astype(visible, queries.dtype), axis=1)
    unrelated = visible_unrelated(queries, visible)
    values, _ = topk(scores, 2)
    rival = xp.maximum(values[:, -1], unrelated) if values.shape[1] > 1 else unrelated
    lead = xp.clip(values[:, 0] - rival, 0, None)
    explained = xp.clip(values[:, 0] - unrelated, 0, None)
    return xp.stack([xp.log1p(lead), xp.log1p(explained), xp.log(share)], axis=1)
