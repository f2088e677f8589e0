"""Which stored pictures are nearly alike: pairs proposed by their patterns, and looked at at the originals' resolution.

A pair is proposed where one is among the three nearest of the other by the correlation of means over 8 x 8 cells, at least .95,
and the correlation of the whole patterns is at least .93. It is verified where one original, asked as a query, is confirmed by the
other as it lies: aligned they would fit too if they were two shots of a scene.

How many pairs `store` looks at is a number of the memory's size and not of its time, so that the same pictures give the same file;
it takes about a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np

from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.frames.sheet import sheet_of_image
from uhop_cli.frames.verification import are_one
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import to_vectors
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.near import DIFFERENT, UNSEEN, VERIFIED, NearPairs
from uhop_cli.memory.originals import OriginalFiles
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.querying.verifying import DRAFT

CELLS = 8
NEIGHBOURS = 3
LEAST_COARSE, LEAST = 0.95, 0.93
MOST_MEMORIES = 50_000  # beyond which all with all takes minutes
CHUNK = 1024
FEWEST, EACH = 8, 40  # pairs that `store` looks at: 8, and one more for each 40 pictures
OPENED = 16  # originals in memory at a time


def propose(memory: Memory, progress: OnProgress | None = None) -> NearPairs:
    """Pairs of nearly equal patterns, the most alike first; none for more than `MOST_MEMORIES`."""
    count = len(memory)
    found = [np.zeros((0, 2), np.int64)]
    if 1 < count <= MOST_MEMORIES:
        codes = _centred(_coarse(memory))
        nearest = min(NEIGHBOURS, count - 1)
        for part in chunks(count, CHUNK):
            cosines = codes[part] @ codes.T
            rows = np.arange(part.start, part.start + len(cosines))
            cosines[rows - part.start, rows] = -1
            columns = np.argpartition(-cosines, nearest - 1, axis=1)[:, :nearest]
            close = np.take_along_axis(cosines, columns, axis=1) >= LEAST_COARSE
            found.append(np.sort(np.stack((np.repeat(rows, close.sum(axis=1)), columns[close]), axis=1), axis=1))
            if progress:
                progress(Progress("near-duplicates", int(rows[-1]) + 1, count))
    pairs = np.unique(np.concatenate(found), axis=0)
    alike = np.concatenate([_alike(memory, pairs[part]) for part in chunks(len(pairs), CHUNK)] or [np.zeros(0, np.float32)])
    order = np.argsort(-alike, kind="stable")[: int((alike >= LEAST).sum())]
    return NearPairs(pairs[order], np.full(len(order), UNSEEN, np.int8))


def looked_at(
    near: NearPairs, memory: Memory, originals: OriginalFiles, most: int | None = None, progress: OnProgress | None = None
) -> NearPairs:
    """The pairs after those that nobody has looked at were compared with their originals, as far as these are at hand.

    Args:
        near: pairs.
        memory: whose rows they are.
        originals: its files.
        most: at most so many; None: all.
        progress: told how far the work is.
    """
    verified, opened = near.verified.copy(), _opener(memory, originals)
    waiting = np.flatnonzero(near.verified == UNSEEN)[:most].tolist()
    side = max(memory.spec.width, memory.spec.height)
    for done, place in enumerate(waiting, 1):
        first, second = (opened(int(row)) for row in near.pairs[place])
        if first is not None and second is not None:
            one = are_one(sheet_of_image(first), second, pattern_side=side)
            verified[place] = UNSEEN if one is None else VERIFIED if one else DIFFERENT
        if progress:
            progress(Progress("near-duplicates", done, len(waiting)))
    return NearPairs(near.pairs, verified)


def pairs_to_look_at(count: int) -> int:
    """How many pairs `store` looks at where M pictures are stored."""
    return FEWEST + count // EACH


def _opener(memory: Memory, originals: OriginalFiles) -> Callable[[int], Image | None]:
    side = max(DRAFT, memory.spec.width, memory.spec.height)

    @lru_cache(OPENED)
    def opened(row: int) -> Image | None:
        return originals.of(row).picture((side, side))

    return opened


def _coarse(memory: Memory) -> Float32:
    """Means over 8 x 8 cells of each pattern, (M, 64 C); a smaller pattern has fewer."""
    spec, means = memory.spec, []
    rows, columns = (np.unique(np.arange(CELLS) * size // CELLS) for size in (spec.height, spec.width))
    area = np.outer(np.diff(rows, append=spec.height), np.diff(columns, append=spec.width))[:, :, None]
    for part in chunks(len(memory), CHUNK):
        sums = np.add.reduceat(np.add.reduceat(memory.patterns[part].astype(np.float32), rows, axis=1), columns, axis=2)
        means.append((sums / area).reshape(len(sums), -1).astype(np.float32))
    return np.concatenate(means)


def _centred(rows: Float32) -> Float32:
    """Rows less their means, of unit length; 0 where nothing is left."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    unit: Float32 = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)
    return unit


def _alike(memory: Memory, pairs: Int64) -> Float32:
    """The correlation of the patterns of pairs (N, 2)."""
    first, second = (_centred(to_vectors(memory.patterns[pairs[:, side]])) for side in (0, 1))
    alike: Float32 = (first * second).sum(axis=1)
    return alike
