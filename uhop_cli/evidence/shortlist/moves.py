"""Queries that were moved by a few pixels, put back among the memories of their shortlist.

No noise model explains a picture that lies beside the one it shows: what is compared value by value has to lie in its place. Its
code, which knows coarse shapes, is alike enough to be on the shortlist, and once the query is back in place it is alike in full.
So each of a few moves is undone, the edge repeated, and the one whose code is most like that of a listed memory is tried.
"""

from __future__ import annotations

from itertools import product
from typing import NamedTuple

import numpy as np

from uhop_cli.arrays.operations import largest
from uhop_cli.arrays.threads import on_all_cores
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.evidence.shortlist.index import CodeIndex

STEPS = 2  # each way along either side
STEP = 1 / 32  # of that side: a pixel of 32
TRIED = 256  # memories that a query is compared with in its new place: the right one is the first


def moves(height: int, width: int) -> Int64:
    """The moves that are undone, in pixels down and to the right, none first: (T, 2)."""
    along = np.array(sorted(range(-STEPS, STEPS + 1), key=abs))
    sides = (np.round(along * length * STEP).astype(int).tolist() for length in (height, width))
    return np.array(list(dict.fromkeys(product(*sides))))


def undone(pictures: Float32, move: Int64) -> Float32:
    """Pictures (..., H, W, C) that were moved by `move`, in their place again; the edge is repeated."""
    rows, columns = (np.clip(np.arange(n) + by, 0, n - 1) for n, by in zip(pictures.shape[-3:-1], move, strict=True))
    return pictures[..., rows[:, None], columns, :]


class Placed(NamedTuple):
    """Queries that are more like one of their memories in another place.

    Attributes:
        which: of the queries, (q,), rising.
        queries: in that place, (q, d).
        rows: the memories that are most like each there, (q, S), rising.
    """

    which: Int64
    queries: Float32
    rows: Int64


def back_in_place(index: CodeIndex, shape: tuple[int, int, int], queries: Float32, rows: Int64) -> Placed:
    """Those of the queries (Q, d) whose code is most like that of one of their memories `rows` (Q, S) in another place.

    Args:
        index: of the codes of all memories.
        shape: of a pattern.
    """
    tried = min(TRIED, rows.shape[1])
    placed, alike, moved = np.empty_like(queries), np.empty((len(rows), tried), np.int64), np.zeros(len(rows), np.bool_)
    some = moves(*shape[:2])

    def work(part: slice) -> None:
        for place in range(part.start, part.stop):
            own = rows[place]
            copies = np.stack([undone(queries[place].reshape(shape), move) for move in some]).reshape(len(some), -1)
            cosines = index.among(copies, own)
            best = int(cosines.max(axis=1).argmax())
            moved[place], placed[place], alike[place] = best > 0, copies[best], np.sort(own[largest(cosines[best], tried)])

    on_all_cores(work, len(queries), 1)
    return Placed(np.flatnonzero(moved), placed[moved], alike[moved])
