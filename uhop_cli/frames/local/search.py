"""Stored pictures found by the local descriptors of a query: votes first, then where the original lies.

The keypoints of the query and those of its mirror image vote for stored pictures (`matching.py`); of the first ten the pairs of
like keypoints are brought to one map (`consensus.py`), and the frame nearest to it is proposed. What is proposed is a guess:
verification decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64
from uhop_cli.errors import SettingsError
from uhop_cli.frames.frame import Frame, composed
from uhop_cli.frames.local.consensus import Consensus, consensus
from uhop_cli.frames.local.describing import SIDE, UNIT, codes, decode_places
from uhop_cli.frames.local.keypoints import Keypoints, installed, keypoints, mirrored
from uhop_cli.frames.local.matching import LEAST, votes
from uhop_cli.frames.local.matching import nearest as nearest_of
from uhop_cli.frames.passes import Nearest
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.sheet import sheet_of_image
from uhop_cli.images.decode import Image
from uhop_cli.memory.memory import Memory

MOST = 150  # keypoints of a query
VOTED = 30
PAIRS = 128  # of like keypoints, at most

_FLIP = np.array([[-1.0, 0, 1], [0, 1, 0]])


@dataclass(frozen=True, eq=False)
class _View:
    """The keypoints of a query as it is, or of its mirror image.

    Attributes:
        points: their places, in units of the longer side.
        codes: (n, 64).
        mirrored: which of the two.
    """

    points: Float32
    codes: Float32
    mirrored: bool


@dataclass(frozen=True)
class Sighting:
    """What the keypoints of a query led to.

    Attributes:
        proposals: where stored pictures may lie, the likeliest first.
        keypoints: how many it has.
    """

    proposals: list[Proposal]
    keypoints: int


class LocalSearch:
    """Searches one memory.

    Args:
        memory: with local descriptors.
        nearest: finds the nearest of these, by their numbers; by default it is done here.
    """

    def __init__(self, memory: Memory, nearest: Nearest | None = None) -> None:
        assert memory.local is not None
        self._local = memory.local
        self._nearest = nearest or partial(nearest_of, stored=memory.local.codes)
        assert memory.shapes is not None  # whatever describes pictures knows their shapes
        self._shapes = memory.shapes

    @staticmethod
    def available(memory: Memory) -> bool:
        """Whether there is something to search, and OpenCV to do it with."""
        local = memory.local
        return local is not None and memory.shapes is not None and len(local.codes) > 0 and installed()

    @property
    def described(self) -> Bool:
        """Which of the memories have descriptors, (M,)."""
        return self._local.described

    def look(self, image: Image, most: int = 10) -> Sighting:
        """Where stored pictures may lie in a query, at most `most`, the likeliest first."""
        sheet = sheet_of_image(image)
        width, height = sheet.width, sheet.height
        points = keypoints(sheet, SIDE, MOST)
        if not len(points):
            return Sighting([], 0)
        views = [self._view(p, width, height, flipped) for flipped, p in ((False, points), (True, mirrored(points)))]
        likeness, numbers = self._nearest(np.concatenate([view.codes for view in views]))
        halves = np.split(np.arange(len(likeness)), 2)
        polls = np.stack([votes(likeness[half], numbers[half], self._local.offsets) for half in halves])
        found: list[tuple[int, Consensus, bool]] = []
        for place in np.argsort(-polls, axis=None, kind="stable")[:VOTED].tolist():
            flipped, row = divmod(place, polls.shape[1])
            agreed = self._located(views[flipped], row) if polls[flipped, row] > 0 else None
            if agreed is not None:
                found.append((row, agreed, bool(flipped)))
        best: dict[int, Proposal] = {}
        for row, agreed, flipped in sorted(found, key=lambda item: -item[1].score):
            frame = self._frame(agreed.affine, row, flipped, width, height)
            if row not in best and frame is not None:
                best[row] = Proposal(row, frame, agreed.score)
        return Sighting(list(best.values())[:most], len(points))

    def _view(self, points: Keypoints, width: float, height: float, flipped: bool) -> _View:
        return _View(_metric(points.places, width, height), codes(points.descriptors, self._local.directions), flipped)

    def _located(self, view: _View, row: int) -> Consensus | None:
        """The map of the query's points, in units of its longer side, to those of the original in `row`."""
        begin, end = self._local.offsets[row : row + 2]
        likeness = view.codes @ (self._local.codes[begin:end].astype(np.float32).T / np.float32(UNIT))
        alike = np.flatnonzero(likeness > LEAST)
        order = alike[np.argsort(-likeness.ravel()[alike], kind="stable")[:PAIRS]]
        asked, number = np.divmod(order, likeness.shape[1])
        places = _metric(decode_places(self._local.places[begin:end]), *self._shapes[row])
        return consensus(view.points[asked], places[number], likeness.ravel()[order] - np.float32(LEAST), number)

    def _frame(self, affine: Float64, row: int, flipped: bool, width: float, height: float) -> Frame | None:
        """The frame of a map of points in longer sides."""
        shape = self._shapes[row]
        query = np.diag((width, height)) / max(width, height)
        shares = np.diag(max(shape) / shape) @ affine
        shares[:, :2] = shares[:, :2] @ query
        try:
            return Frame.of_affine(composed(shares, _FLIP) if flipped else shares, width / height)
        except SettingsError:
            return None


def _metric(places: Float32, width: float, height: float) -> Float32:
    """Places of keypoints with x and y in units of the picture's longer side."""
    size = max(width, height)
    scaled: Float32 = (places * np.array([width / size, height / size, 1, 1])).astype(np.float32)
    return scaled
