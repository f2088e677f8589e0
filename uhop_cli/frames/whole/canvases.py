"""Stage A: stored pictures as canvases of some cells, looked for in a query in thousands of frames at once.

A memory is the mean of its pattern over n x n cells less the mean over the 3 x 3 around each (edges repeated), f. In a frame with
n visible cells, of C colours each, with q the query there (`windows.py`),

    L = -(n/2) ln(1 - c^2),   c = <q, f>+ / sqrt(|f|^2 + 2e-5 n C) over the visible cells,   c^2 <= .999,

and a memory's score is its largest L over the frames. |f|^2 depends on the frame only through which cells are visible, so the
largest product of all frames that see the same cells is taken first: what is left to do for each memory is a division for every
such mask and a logarithm for every n.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import topk
from uhop_cli.arrays.threads import on_all_cores
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.whole.family import aspect_group
from uhop_cli.frames.whole.windows import FLOOR, Windows
from uhop_cli.images.warp import area_weights
from uhop_cli.memory.memory import Memory

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Index = NDArray[np.intp]
Bool = NDArray[np.bool_]

MOST = 0.999
_BLOCK = 1024  # memories at a time


@dataclass(frozen=True)
class _Masks:
    """Frames in the order of what they see: those that see the same cells stand together, and so do masks of equal n.

    Attributes:
        values: (F, n n C), q.
        starts: (K,) where each mask begins among them.
        seen: (K, n n) of 0 and 1.
        counts: (K,) n of each mask, rising.
    """

    values: Float32
    starts: Index
    seen: Float32
    counts: Float32


class Canvases:
    """The memories as canvases, those of one aspect together.

    Args:
        memory: what is stored.
        side: n, cells along a canvas.
    """

    def __init__(self, memory: Memory, side: int) -> None:
        self.side, self.channels = side, memory.spec.channels
        groups = np.array([aspect_group(aspect) for aspect in aspects_of(memory).tolist()])
        self._rows = np.argsort(groups, kind="stable")
        self._groups = groups[self._rows]
        kinds, begins = np.unique(self._groups, return_index=True)
        ends = (*begins[1:], len(groups))
        self.groups = {int(kind): slice(begin, end) for kind, begin, end in zip(kinds, begins, ends, strict=True)}
        self._values = np.empty((len(groups), side * side * self.channels), np.float32)

        def build(part: slice) -> None:
            self._values[part] = _canvases(memory.patterns[self._rows[part]], side)

        on_all_cores(build, len(groups), _BLOCK)

    def __len__(self) -> int:
        return len(self._values)

    def proposals(self, windows_of: Callable[[int], Windows], most: int, among: Bool | None = None) -> list[Proposal]:
        """The memories with the largest scores, each in its best frame, in falling order; none that has no evidence at all.

        Args:
            windows_of: the query in the frames that are tried for the memories of a group.
            most: so many at most.
            among: (M,) which memories count; None: all.
        """
        scores, windows = np.zeros(len(self), np.float32), dict[int, Windows]()
        counts = np.ones(len(self), bool) if among is None else among[self._rows]
        for group, places in self.groups.items():
            if counts[places].any():
                windows[group] = windows_of(group)
                if windows[group].frames:
                    self._score(_masks(windows[group]), places, scores)
        scores[~counts] = 0
        best = topk(scores, most)[1]
        return [
            Proposal(int(self._rows[place]), self._frame(windows[int(self._groups[place])], place), float(scores[place]))
            for place in best.tolist()
            if scores[place] > 0
        ]

    def _score(self, masks: _Masks, places: slice, scores: Float32) -> None:
        """Writes L of the memories in `places` into `scores` (M,)."""
        floors = (FLOOR * self.channels * masks.counts)[:, None]
        numbers, begins = np.unique(masks.counts, return_index=True)

        def work(part: slice) -> None:
            block = slice(places.start + part.start, places.start + part.stop)
            f = self._values[block]
            products = np.maximum.reduceat(masks.values @ f.T, masks.starts, axis=0)
            energies = masks.seen @ np.square(f).reshape(len(f), -1, self.channels).sum(axis=2).T
            c = np.maximum(products, 0) / np.sqrt(energies + floors)
            most = np.minimum(np.maximum.reduceat(c, begins, axis=0) ** 2, MOST)
            scores[block] = (-numbers[:, None] / 2 * np.log1p(-most)).max(axis=0)

        on_all_cores(work, places.stop - places.start, _BLOCK)

    def _frame(self, windows: Windows, place: int) -> Frame:
        """The frame that gives a memory its score."""
        f = self._values[place]
        counts = windows.visible.sum(axis=1)
        energies = windows.visible @ np.square(f).reshape(-1, self.channels).sum(axis=1)
        c = np.maximum(windows.values @ f, 0) / np.sqrt(energies + FLOOR * self.channels * counts)
        return windows.frames[int((-counts / 2 * np.log1p(-np.minimum(c * c, MOST))).argmax())]


def aspects_of(memory: Memory) -> Float64:
    """Width over height of each original, (M,); of the pattern where a memory does not know."""
    if memory.shapes is None:
        return np.full(len(memory), memory.spec.width / memory.spec.height)
    return memory.shapes[:, 0] / memory.shapes[:, 1]


def _masks(windows: Windows) -> _Masks:
    """Sorted by n, and by what is visible among frames of equal n."""
    packed = np.packbits(windows.visible, axis=1)
    counts = windows.visible.sum(axis=1)
    order = np.lexsort((*packed.T, counts))
    seen = packed[order]
    starts = np.flatnonzero(np.concatenate(([True], (seen[1:] != seen[:-1]).any(axis=1))))
    first = order[starts]
    return _Masks(windows.values[order], starts, windows.visible[first].astype(np.float32), counts[first].astype(np.float32))


def _canvases(patterns: NDArray[np.uint8], side: int) -> Float32:
    """f of patterns (m, H, W, C), a row for each, (m, n n C)."""
    count, height, width, channels = patterns.shape
    rows = _pooled((patterns.reshape(count, height, -1) / np.float32(255)).astype(np.float32), side)
    columns = rows.reshape(count, side, width, channels).swapaxes(1, 2).reshape(count, width, -1)
    cells = _pooled(columns, side).reshape(count, side, side, channels).swapaxes(1, 2)
    padded = np.pad(cells, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
    means = sum(padded[:, down : down + side, right : right + side] for down in range(3) for right in range(3)) / np.float32(9)
    fine: Float32 = (cells - means).reshape(count, -1)
    return fine


def _pooled(values: Float32, cells: int) -> Float32:
    """(m, H, k) -> (m, cells, k), by means over areas, or interpolated where there are more cells than rows."""
    pixels, shares = area_weights(values.shape[1], 0, values.shape[1], cells)
    weights = np.zeros((cells, values.shape[1]), np.float32)
    np.add.at(weights, (np.arange(cells), pixels), shares)
    return weights @ values
