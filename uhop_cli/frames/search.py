"""Where in a query a stored picture lies, if it isn't the whole of it: proposals, and what the originals say of them.

The rounds, cheap ones first:

    boxes      the whole query in all eight turns; what is left after trimming; rectangles between lines; upright and mirrored
    pictures   the whole family of frames (`family.py`) of the query
    trimmed    the same of what is left after trimming

Each goes through all memories (`canvases.py`), and the best few proposals are compared with their originals, where the rule is
strict (`outcome.py`). The search ends with the first proposal that is confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.frames.canvases import Canvases, aspects_of
from uhop_cli.frames.family import CANVAS, whole_picture_frames
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.line_rectangles import line_rectangles
from uhop_cli.frames.outcome import Outcome
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.sheet import Sheet
from uhop_cli.frames.trimming import trimmed_frames
from uhop_cli.frames.verification import Candidate, verify
from uhop_cli.frames.windows import Picture, Windows, picture_of
from uhop_cli.images.decode import Image
from uhop_cli.memory.memory import Memory

Float64 = NDArray[np.float64]

SHORTLIST = 50
COMPARED = 5


@dataclass(frozen=True)
class Found:
    """A stored picture that was found in a frame.

    Attributes:
        row: of the memory.
        frame: where its original lies in the query.
        affine: the map (2, 3) from the query's unit square to the original's, refined.
        words, reason: what the original says, and why.
    """

    row: int
    frame: Frame
    affine: Float64
    words: str
    reason: str


class FrameSearch:
    """Looks for the pictures of one memory in frames.

    Args:
        memory: what is stored.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    @cached_property
    def canvases(self) -> Canvases:
        """The memories as canvases, made for the first query and kept for the others."""
        return Canvases(self.memory, CANVAS)

    def find(self, image: Image, sheet: Sheet, opener: Callable[[int], Image | None]) -> Found | None:
        """The stored picture that a query shows in another frame, confirmed by its original; None where there is none.

        Args:
            image: the query, decoded; transparent where it is missing.
            sheet: the same as it is compared with originals.
            opener: the original of a row, decoded; None where it is not at hand.
        """
        spec = self.memory.spec
        for proposals in self.rounds(picture_of(image, spec.channels)):
            candidates = [
                Candidate(partial(opener, one.row), one.frame, self.memory.same(one.row)[0]) for one in proposals[:COMPARED]
            ]
            found = verify(sheet, candidates, pattern_side=max(spec.width, spec.height))
            if found.outcome == Outcome.CONFIRMED and found.best is not None:
                best, affine = proposals[found.best], found.measured[found.best].affine
                assert affine is not None
                return Found(best.row, _refined(best.frame, affine, sheet), affine, found.outcome.value, found.reason.value)
        return None

    def rounds(self, picture: Picture) -> Iterator[list[Proposal]]:
        """Proposals in falling order, a list a round."""
        trimmed = trimmed_frames(picture.pixels)
        boxes = [*trimmed, *line_rectangles(picture.pixels, aspects_of(self.memory))]
        frames = [Frame(0, 0, 1, 1, turn, mirrored) for turn in range(4) for mirrored in (False, True)]
        frames += [Frame(box.x, box.y, box.width, box.height) for box in boxes]
        frames += [Frame(1 - box.x - box.width, box.y, box.width, box.height, mirrored=True) for box in boxes]
        windows = picture.windows(frames, CANVAS)
        yield self.canvases.proposals(lambda group: windows, SHORTLIST)
        yield self._family(picture)
        if trimmed:
            box = trimmed[-1]
            yield [replace(one, frame=one.frame.within(box)) for one in self._family(picture.part(box))]

    def _family(self, picture: Picture) -> list[Proposal]:
        def windows(group: int) -> Windows:
            return picture.windows(whole_picture_frames(picture.aspect, group), CANVAS)

        return self.canvases.proposals(windows, SHORTLIST)


def _refined(frame: Frame, affine: Float64, sheet: Sheet) -> Frame:
    """The frame that an alignment led to; as it was if it was left as it is, or an affine map that is no frame."""
    aspect = sheet.width / sheet.height
    if np.array_equal(affine, frame.to_original(aspect)):
        return frame
    try:
        return Frame.of_affine(affine, aspect)
    except SettingsError:
        return frame
