"""The ceiling: the best that any method can do, where the corruption is known.

With the likelihood p(x | xi) of the corruption and memories that are equally likely to be asked for, the posterior over the
memories is softmax(ln p(x | xi_mu)). No method has a smaller expected sum-of-squares error than the posterior mean, nor a higher
accuracy than its largest weight. Known here are, with their exact levels,

    covered values, the mask known     the visible values are exact: ln p = 0 for memories that agree on them, -infinity else
    Gaussian noise added               ln p = -||x - xi||^2 / (2 s^2)
    the same of a given norm n         as Gaussian noise with s^2 = n^2 / d, which it is but for terms of order 1/d
    the same, then |.| and clamped     per value, x < 1:  -(x - xi)^2 / (2 s^2) + ln(1 + exp(-2 x xi / s^2))
                                       x = 1:  ln P(|xi + n| >= 1)
    the same, clamped                  per value, 0 < x < 1:  -(x - xi)^2 / (2 s^2);  at 0 and 1 the log of the normal tail

The terms beyond the square depend on (x, xi) of one value at a time; they are tabulated and split into a few products (a singular
value decomposition of the table), so that they cost a few matrix products instead of a pass over all M Q d pairs of values.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import erfc, sqrt

import numpy as np

from uhop_cli.arrays.types import Float32, Float64
from uhop_cli.experiments.methods.task import Task
from uhop_cli.retrieval.distances import squared_distances
from uhop_cli.retrieval.pattern_matrix import pattern_matrix

LEAST_SIGMA = 1e-4  # level 0: an exact copy
LEVELS = 256  # of stored values
BINS = 1024  # of query values between 0 and 1
TABLE_ERROR = 1e-6  # of ln p, per value: at high noise the memories differ by little more in each of their thousands of values
Table = Callable[[Float64, Float64, float], Float64]

_log_tail = np.vectorize(lambda z: np.log(max(erfc(z / sqrt(2)) / 2, 1e-300)))  # ln P(N(0,1) >= z)


def log_likelihood(task: Task) -> Float64 | None:
    """ln p(x_i | xi_mu) up to a constant for each query, (Q, M), or None where the corruption's likelihood is not known here."""
    kind, level, patterns = task.corruption.kind, task.corruption.level, task.memories.patterns
    if task.held_out:
        return None
    if task.visible is not None:
        squares = squared_distances(pattern_matrix(patterns), task.queries, task.visible)
        return np.asarray(squares.astype(np.float64) / (-2 * LEAST_SIGMA**2))
    if kind not in ("noise", "noise-norm", "noise-abs", "noise-clamped"):
        return None
    sigma = max(float(level or 0) / (sqrt(patterns.shape[1]) if kind == "noise-norm" else 1), LEAST_SIGMA)
    result: Float64 = task.similarity("l2-squared").astype(np.float64) / (2 * sigma**2)
    if sigma > LEAST_SIGMA and kind in ("noise-abs", "noise-clamped"):
        result += _beyond_the_square(task, sigma, _folded if kind == "noise-abs" else _clamped)
    return np.asarray(result)


def _beyond_the_square(task: Task, sigma: float, table: Table) -> Float64:
    """sum_j R(x_j, xi_j), (Q, M), for a remainder R that is tabulated on BINS + 2 query values and LEVELS stored values."""
    query_terms, memory_terms = _factors(table, sigma)
    bins = np.clip(task.queries * BINS, 0, BINS - 1).astype(np.intp) + 1
    bins[task.queries <= 0] = 0
    bins[task.queries >= 1] = BINS + 1
    levels = np.rint(task.memories.patterns * (LEVELS - 1)).astype(np.intp)
    result = np.zeros((len(bins), len(levels)))
    for query_term, memory_term in zip(query_terms, memory_terms, strict=True):
        result += query_term.take(bins) @ memory_term.take(levels).T
    return result


@lru_cache(maxsize=32)
def _factors(table: Table, sigma: float) -> tuple[Float32, Float32]:
    """a, (r, BINS + 2), and b, (r, LEVELS), with R(x, xi) = sum_r a_r(x) b_r(xi), to `TABLE_ERROR` a value (root mean square)."""
    stored = np.arange(LEVELS) / (LEVELS - 1)
    shown = np.concatenate([[0.0], (np.arange(BINS) + 0.5) / BINS, [1.0]])
    values = table(shown, stored, sigma)
    left, scale, right = np.linalg.svd(values, full_matrices=False)
    left_out = np.sqrt(np.cumsum(np.square(scale[::-1]))[::-1] / values.size)
    rank = int(np.count_nonzero(left_out > TABLE_ERROR))
    return (left[:, :rank] * scale[:rank]).T.astype(np.float32), right[:rank].astype(np.float32)


def _folded(shown: Float64, stored: Float64, sigma: float) -> Float64:
    """R for |xi + n| clamped at 1."""
    table = np.log1p(np.exp(-2 * shown[:, None] * stored[None, :] / sigma**2))
    tails = np.logaddexp(_log_tail((1 - stored) / sigma), _log_tail((1 + stored) / sigma))
    table[-1] = tails + (1 - stored) ** 2 / (2 * sigma**2)
    return np.asarray(table)


def _clamped(shown: Float64, stored: Float64, sigma: float) -> Float64:
    """R for xi + n clamped to [0, 1]."""
    table = np.zeros((len(shown), len(stored)))
    table[0] = _log_tail(stored / sigma) + stored**2 / (2 * sigma**2)
    table[-1] = _log_tail((1 - stored) / sigma) + (1 - stored) ** 2 / (2 * sigma**2)
    return table
