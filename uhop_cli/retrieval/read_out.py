"""Read-out on the host: the weighted sum of memories, of which most weights are nothing.

    x_q = sum_mu p_q,mu xi_mu

is a matrix product, but the weights of Stage II are nearly one-hot. Weights of at most 2^-24 / M are below the rounding of the
result; only the others are read, by each query on its own where few queries share a memory, by one product where many do.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.threads import WORTH_THREADS, chunks, cores, on_all_cores, product_on_all_cores
from uhop_cli.arrays.types import Float32, Int64

WIDE_CHUNK_BYTES = 6 << 20  # of float32 rows that one query reads at a time
READ_CHUNK_BYTES = 48 << 20  # that all read together
ONE_CHUNK_BYTES = 3 << 19  # of one query that all cores read for: they stay in a core's cache
SHARED = 4  # queries that use a memory, on average, from which on one product for all of them reads it out faster


def read_out(patterns: NDArray[np.generic], weights: Float32) -> Float32:
    """sum_mu p_mu xi_mu, (Q, d) float32, of patterns (M, d) as they are stored and weights (Q, M)."""
    count, dim = patterns.shape
    least = np.float32(2.0**-24 / count)
    out = np.zeros((len(weights), dim), np.float32)
    chosen: list[Int64] = [np.empty(0, np.int64)] * len(weights)
    used = np.zeros(count, np.bool_)

    def choose(queries: slice) -> None:
        places = np.flatnonzero(weights[queries] > least)
        ends = np.searchsorted(places, count * np.arange(1, queries.stop - queries.start))
        rows = places % count
        chosen[queries] = np.split(rows, ends)
        used[rows] = True

    _over_queries(choose, weights)
    needed = np.flatnonzero(used)
    if sum(map(len, chosen)) <= SHARED * len(needed):  # few queries share a memory: each reads its own
        if len(weights) < cores():
            for query, many in enumerate(chosen):
                out[query] = _read_one(patterns, weights[query], many)
        else:
            _over_queries(lambda queries: _read_each(patterns, weights, chosen, queries, out), weights)
        return out
    for part in chunks(len(needed), READ_CHUNK_BYTES // (4 * dim)):
        rows = _neighbours(needed[part])
        # What is too small to count is set to 0: numbers below 1e-38 multiply a hundred times slower on some processors.
        counting = np.where(weights[:, rows] > least, weights[:, rows], np.float32(0))
        out += product_on_all_cores(counting, patterns[rows].astype(np.float32))
    return out


def _over_queries(work: Callable[[slice], object], weights: Float32) -> None:
    """Run `work` on parts of the queries, on all cores if there is enough to do."""
    count = len(weights)
    on_all_cores(work, count, count if weights.size < WORTH_THREADS else max(1, count // (4 * cores())))


def _read_one(patterns: NDArray[np.generic], weights: Float32, rows: Int64) -> Float32:
    """sum over `rows` of p_mu xi_mu, (d,): by all cores, each some of the rows, whose pixels stay in its cache."""
    dim, scratch = patterns.shape[1], Scratch()
    parts: dict[int, Float32] = {}

    def work(part: slice) -> None:
        some = _neighbours(rows[part])
        pixels = scratch.empty("pixels", (part.stop - part.start, dim), weights)
        np.copyto(pixels, patterns[some], casting="unsafe")
        parts[part.start] = weights[some] @ pixels

    on_all_cores(work, len(rows), ONE_CHUNK_BYTES // (4 * dim))
    out = np.zeros(dim, np.float32)
    for start in sorted(parts):  # in the order of the rows, whichever thread was first
        out += parts[start]
    return out


def _neighbours(rows: Int64) -> Int64 | slice:
    """Rising numbers of rows, as a slice where none is missing between them: that copies nothing."""
    first, last = int(rows[0]), int(rows[-1])
    return slice(first, last + 1) if last - first + 1 == len(rows) else rows


def _read_each(patterns: NDArray[np.generic], weights: Float32, chosen: list[Int64], queries: slice, out: Float32) -> None:
    """out[q] = sum over the chosen memories of query q of p_mu xi_mu, for a slice of the queries."""
    step = max(1, WIDE_CHUNK_BYTES // (4 * patterns.shape[1]))
    single = [query for query in range(queries.start, queries.stop) if len(chosen[query]) == 1]
    for some in chunks(len(single), step):  # most of them, as a rule
        own = np.array(single[some])
        rows = np.concatenate([chosen[query] for query in single[some]])
        out[own] = patterns[rows] * weights[own, rows][:, None]
    for query in range(queries.start, queries.stop):
        if len(chosen[query]) == 1:
            continue
        for part in chunks(len(chosen[query]), step):
            rows = chosen[query][part]
            out[query] += weights[query, rows] @ patterns[rows].astype(np.float32)
