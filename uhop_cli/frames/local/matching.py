"""Which stored pictures the descriptors of a query vote for.

Each descriptor q of the query votes for the pictures of its three nearest among all stored ones c, with max(0, <q, c> - .6): what
many pictures have in common is nearest nowhere in particular, and gives few votes to each.
"""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.threads import chunks, cores, on_all_cores
from uhop_cli.arrays.types import Float32, Float64, Int8, Int64
from uhop_cli.frames.local.describing import UNIT

NEAREST = 3
LEAST = 0.6  # likeness from which on two descriptors may be of one thing
BLOCK = 4096  # stored descriptors in a product
_LATER = 1e-12  # of equal ones the first comes first


def nearest(queries: Float32, stored: Int8) -> tuple[Float32, Int64]:
    """The three likest of `stored` (N, K) for each of `queries` (n, K): their likeness and numbers, (n, 3), the likest first.

    Of equally like ones the first. Where fewer than three are stored, the likeness of the others is -inf.
    """
    parts: dict[int, tuple[Float32, Int64]] = {}

    def work(part: slice) -> None:
        best = np.full((len(queries), NEAREST), -np.inf, np.float32)
        rows = np.zeros((len(queries), NEAREST), np.int64)
        for block in chunks(part.stop - part.start, BLOCK):
            begin = part.start + block.start
            likeness = queries @ (stored[begin : part.start + block.stop].astype(np.float32).T / np.float32(UNIT))
            better = np.flatnonzero(likeness.max(axis=1) > best[:, -1])  # soon there are few
            if len(better):
                best[better], rows[better] = _three(best[better], rows[better], likeness[better], begin)
        parts[part.start] = best, rows

    on_all_cores(work, len(stored), max(BLOCK, -(-len(stored) // cores())))
    best, rows = (np.concatenate([parts[start][which] for start in sorted(parts)], axis=1) for which in (0, 1))
    order = np.argsort(-best, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _three(best: Float32, rows: Int64, likeness: Float32, begin: int) -> tuple[Float32, Int64]:
    """The three likest so far and those of a block (n, b) that begins at descriptor `begin`, taken together."""
    count = likeness.shape[1]
    size = min(NEAREST, count)
    keys = np.arange(count) * _LATER - likeness  # in float64
    columns = np.sort(np.argpartition(keys, size - 1, axis=1)[:, :size], axis=1)
    values = np.concatenate((best, np.take_along_axis(likeness, columns, axis=1)), axis=1)
    numbers = np.concatenate((rows, columns + begin), axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(numbers, order, axis=1)


def votes(likeness: Float32, numbers: Int64, offsets: Int64) -> Float64:
    """Votes for each of M pictures, (M,), from what `nearest` found; `offsets` (M + 1,) says where the pictures begin and end."""
    count = len(offsets) - 1
    pictures = np.searchsorted(offsets, numbers.ravel(), side="right") - 1
    weights = np.maximum(likeness.ravel().astype(np.float64) - LEAST, 0)
    return np.bincount(pictures, weights, count)[:count].astype(np.float64)
