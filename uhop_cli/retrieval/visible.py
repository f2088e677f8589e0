"""Known missing pixels: the likelihood of what is visible.

With V the n visible values of a query and independent Gaussian noise of unknown level, profiling out the level gives for memory mu

    Lambda_mu = -(n/2) ln(r_mu + q),      r_mu = (1/n) sum_{j in V} (x_j - xi_mu,j)^2,

with q = (1/255)^2 / 12 the variance of rounding to 8 bits, below which residuals mean nothing. Its order is that of
-||V(x - xi)||^2, the maximum-likelihood decoder of this noise, whatever the level; its size is a log-probability, so that
softmax(Lambda) is the posterior over the memories. All r_mu of a query are two matrix-vector products (of the pixels and of their
squares); the closest
memories are measured again from the difference itself, since the products lose the last digits of small residuals.
"""

from __future__ import annotations

from uhop_cli.arrays import Array, namespace, topk
from uhop_cli.retrieval.bank import Bank

ROUNDING = (1 / 255) ** 2 / 12
EXACT = 64  # memories whose residual is measured again


def visible_residuals(bank: Bank, queries: Array, visible: Array) -> Array:
    """r_mu, the mean squared residual over the visible values: shape (Q, M).

    Args:
        bank: the memories.
        queries: shape (Q, d).
        visible: shape (Q, d) bool; at least one value of each query is visible.
    """
    xp = namespace(queries)
    mask = xp.astype(visible, queries.dtype)
    seen = queries * mask
    count = xp.sum(mask, axis=-1, keepdims=True)
    sums = bank.products(mask.T, squared=True).T - 2 * bank.products(seen.T).T  # (Q, M)
    residuals = xp.clip((sums + xp.sum(seen * seen, axis=-1, keepdims=True)) / count, 0, None)
    _, closest = topk(-residuals, EXACT)
    for index in range(queries.shape[0]):
        difference = (bank.rows(closest[index]) - queries[index]) * mask[index]
        residuals[index, closest[index]] = xp.sum(difference * difference, axis=-1) / count[index]
    return residuals


def visible_log_likelihood(bank: Bank, queries: Array, visible: Array) -> Array:
    """Lambda_mu, shape (Q, M): larger = closer."""
    xp = namespace(queries)
    count = xp.sum(xp.astype(visible, queries.dtype), axis=-1, keepdims=True)
    return -0.5 * count * xp.log(visible_residuals(bank, queries, visible) + ROUNDING)
