"""Which stored pictures the descriptors of a query vote for.

Each descriptor q of the query votes for the pictures of its three nearest among all stored ones c, with max(0, <q, c> - .6): what
many pictures have in common is nearest nowhere in particular, and gives few votes to each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uhop_cli.arrays.threads import chunks, cores, on_all_cores
from uhop_cli.arrays.types import Float32, Float64, Int8, Int64
from uhop_cli.frames.local.describing import UNIT

NEAREST = 3
LEAST = 0.6  # likeness from which on two descriptors may be of one thing
BLOCK = 4096  # stored descriptors in a product


def nearest(queries: Float32, stored: Int8) -> tuple[Float32, Int64]:
    """The three likest of `stored` (N, K) for each of `queries` (n, K): their likeness and numbers, (n, 3), the likest first.

    Of equally like ones the first. Where fewer than three are stored, the likeness of the others is -inf.
    """
    nothing = np.full((len(queries), NEAREST), -np.inf, np.float32), np.zeros((len(queries), NEAREST), np.int64)
    parts: dict[int, tuple[Float32, Int64]] = {}

    def work(part: slice) -> None:
        best, rows = nothing[0].copy(), nothing[1].copy()
        for block in chunks(part.stop - part.start, BLOCK):
            begin = part.start + block.start
            likeness = queries @ (stored[begin : part.start + block.stop].astype(np.float32).T / np.float32(UNIT))
            better = np.flatnonzero(likeness.max(axis=1) > best[:, -1])  # soon there are few
            if len(better):
                best[better], rows[better] = _three(best[better], rows[better], likeness[better], begin)
        parts[part.start] = best, rows

    on_all_cores(work, len(stored), max(BLOCK, -(-len(stored) // cores())))
    return likest([nothing, *(parts[start] for start in sorted(parts))])


def likest(parts: Sequence[tuple[Float32, Int64]]) -> tuple[Float32, Int64]:
    """The three likest of all from those of parts of what is stored, in the order of these; as `nearest` has them."""
    best, rows = (np.concatenate(column, axis=1) for column in zip(*parts, strict=True))
    order = np.argsort(-best, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)


def _three(best: Float32, rows: Int64, likeness: Float32, begin: int) -> tuple[Float32, Int64]:
    """The three likest so far and those of a block (n, b) from descriptor `begin` on, taken together; `likeness` is used up."""
    values, numbers, everyone = [best], [rows], np.arange(len(likeness))
    for _ in range(min(NEAREST, likeness.shape[1])):
        columns = likeness.argmax(axis=1)  # the first of equal ones
        values.append(likeness[everyone, columns][:, None])
        numbers.append(columns[:, None] + begin)
        likeness[everyone, columns] = -np.inf
    found, places = np.concatenate(values, axis=1), np.concatenate(numbers, axis=1)
    order = np.argsort(-found, axis=1, kind="stable")[:, :NEAREST]
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(places, order, axis=1)


def votes(likeness: Float32, numbers: Int64, offsets: Int64) -> Float64:
    """Votes for each of M pictures, (M,), from what `nearest` found; `offsets` (M + 1,) says where the pictures begin and end."""
    count = len(offsets) - 1
    pictures = np.searchsorted(offsets, numbers.ravel(), side="right") - 1
    weights = np.maximum(likeness.ravel().astype(np.float64) - LEAST, 0)
    return np.bincount(pictures, weights, count)[:count].astype(np.float64)
