"""Stored pictures proposed by how the whole query looks: on canvases first, the best of these fitted on their patterns.

    boxes      the whole query in all eight turns; what is left after trimming; halves and quarters; rectangles between lines;
               upright and mirrored
    family     the whole family of frames (`family.py`)
    crops      the finer family of crops, on finer canvases
    trimmed    the family of what is left after trimming

A canvas says little about which picture it is, and the fit much: of crops the right picture is often first only after it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from uhop_cli.frames.frame import Frame, inverse, refined
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.whole.canvases import aspects_of
from uhop_cli.frames.whole.family import CANVAS, CROP_CANVAS, crop_frames, whole_picture_frames
from uhop_cli.frames.whole.fitting import fitted
from uhop_cli.frames.whole.line_rectangles import line_rectangles
from uhop_cli.frames.whole.looking import CanvasSearch, Look, Looker, These
from uhop_cli.frames.whole.trimming import trimmed_frames
from uhop_cli.frames.whole.windows import Picture
from uhop_cli.memory.memory import Memory

FAMILY_SIZE, CROPS_SIZE = 2000, 1500  # frames for the originals of one aspect, about
SHORTLIST, CROPS_SHORTLIST = 50, 200  # proposals that are fitted
GO_ON = 20  # of them beyond the first steps
PARTS = tuple(  # side by side, one above the other, four in a square
    Frame(x / columns, y / rows, 1 / columns, 1 / rows)
    for columns, rows in ((2, 1), (1, 2), (2, 2))
    for y in range(rows)
    for x in range(columns)
)


class WholeSearch:
    """Proposes pictures of one memory.

    Args:
        memory: what is stored.
        canvases: goes through the canvases of all memories; by default it is done here.
    """

    def __init__(self, memory: Memory, canvases: Looker | None = None) -> None:
        self._memory, self._aspects = memory, aspects_of(memory)
        self._look = canvases or CanvasSearch(memory)

    def family_work(self, count: int) -> float:
        """Multiplications and additions of a query's families for so many memories, but for the crops."""
        return 2.0 * 2 * FAMILY_SIZE * CANVAS**2 * self._memory.spec.channels * count

    def crops_work(self, count: int) -> float:
        """Those of the crops."""
        return 2.0 * CROPS_SIZE * CROP_CANVAS**2 * self._memory.spec.channels * count

    def boxes(self, picture: Picture) -> list[Proposal]:
        """Where the best memories fit in boxes, in falling order of what the fits are worth, their scores; likewise below."""
        boxes = [*trimmed_frames(picture.pixels), *PARTS, *line_rectangles(picture.pixels, self._aspects)]
        frames = [Frame(0, 0, 1, 1, turn, mirrored) for turn in range(4) for mirrored in (False, True)]
        frames += [Frame(box.x, box.y, box.width, box.height) for box in boxes]
        frames += [Frame(1 - box.x - box.width, box.y, box.width, box.height, mirrored=True) for box in boxes]
        return self.fit(picture, self._look(Look(picture, These(tuple(frames)), CANVAS, SHORTLIST)))

    def family(self, picture: Picture, undescribed: bool = False) -> list[Proposal]:
        """In the whole family of frames; `undescribed`: only memories without local descriptors count; likewise below."""
        return self.fit(picture, self._of_family(picture, undescribed))

    def crops(self, picture: Picture, undescribed: bool = False) -> list[Proposal]:
        """In the finer family of crops."""
        return self.fit(picture, self._look(Look(picture, crop_frames, CROP_CANVAS, CROPS_SHORTLIST, undescribed)))

    def trimmed(self, picture: Picture, undescribed: bool = False) -> list[Proposal]:
        """In the whole family of frames of what is left after trimming."""
        trimmed = trimmed_frames(picture.pixels)
        if not trimmed:
            return []
        inside = self._of_family(picture.part(trimmed[-1]), undescribed)
        return self.fit(picture, [replace(one, frame=one.frame.within(trimmed[-1])) for one in inside])

    def fit(self, picture: Picture, proposals: list[Proposal]) -> list[Proposal]:
        """The best `GO_ON` proposals where they lie once they are fitted to the query, the fits' worth their scores, falling."""
        if not proposals:
            return []
        starts = np.array([one.frame.to_query(picture.aspect) for one in proposals])
        maps, worth = fitted(picture, self._memory.patterns[[one.row for one in proposals]], starts, GO_ON)
        order = np.argsort(-worth, kind="stable")[:GO_ON].tolist()
        frames = [refined(proposals[place].frame, inverse(maps[place]), picture.aspect) for place in order]
        return [
            replace(proposals[place], frame=frame, score=float(worth[place])) for place, frame in zip(order, frames, strict=True)
        ]

    def _of_family(self, picture: Picture, undescribed: bool) -> list[Proposal]:
        return self._look(Look(picture, whole_picture_frames, CANVAS, SHORTLIST, undescribed))
