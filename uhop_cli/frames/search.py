"""Where in a query a stored picture lies, if it isn't the whole of it: proposals, and what the originals say of them.

The rounds, cheap ones first:

    boxes      the whole query in all eight turns; what is left after trimming; halves and quarters; rectangles between lines;
               upright and mirrored
    local      the keypoints of the query, where the originals were described (`local/search.py`): crops and rotations
    family     the whole family of frames (`whole/family.py`) of the query
    crops      a finer family of crops
    trimmed    the family of what is left after trimming

By canvases and fits on the patterns (`whole/search.py`), unless it is by keypoints. The families are for pictures that aren't
described, or for all if the query has few keypoints: in docs/frames.md no copy of a described picture was first found in one. The
best of a round are compared with their originals, where the rule is strict (`outcome.py`), and the search ends with the first one
that is confirmed. Where originals are not at hand, or show no more than the patterns, the fit on the patterns decides, by a bar of
its own, unless clean pixels say otherwise (`small_originals.py`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, partial

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.alignment import displacement
from uhop_cli.frames.frame import Frame, refined
from uhop_cli.frames.local.search import LocalSearch
from uhop_cli.frames.outcome import Outcome, Reason
from uhop_cli.frames.passes import Passes
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.sheet import Sheet
from uhop_cli.frames.small_originals import shows_another
from uhop_cli.frames.verification import Candidate, confirm
from uhop_cli.frames.whole.canvases import aspects_of
from uhop_cli.frames.whole.search import PARTS, WholeSearch
from uhop_cli.frames.whole.windows import Picture, picture_of
from uhop_cli.images.decode import Image
from uhop_cli.memory.memory import Memory

Float64 = NDArray[np.float64]

COMPARED = 3  # of them with their originals, in each round
RIVALS_OPENED = 2  # beside each
TELLING = 75  # keypoints of a query from which on described pictures that they don't lead to are not looked for in families
ALIKE = 0.03  # shares of a side that a corner is off in frames that alignment brings to one
CLEAR = 2.0  # times the fit of a rival: it need not be opened
AHEAD, LEAD = 2.0, 300.0  # times the fit of the best rival, and nats above it, that hold where no original can be asked
STRETCHED = 1.5  # of the aspect, either way
LEAST_SEEN, LEAST_KEPT = 0.04, 0.08  # shares of the query that is picture, and of the picture that is in the query
SHEARED = 0.15  # shares of a side that a corner may be off a frame, as in a photograph of a print
RIVALS = 0.3  # of the smaller of two windows: pictures that share more are rivals, others may both be there
SHOT = 0.06  # shares of a side that another shot of a scene may be moved by
SAME_SIZE = 0.03  # shares of a side that a window of the original's own size may differ by
_BLEED = 2  # pixels that a picture runs into what is beside it
EVEN = 12.0  # levels of 255: the standard deviation of what is beside a picture and no picture
PART = 0.02  # shares of a side that a picture's edge may be off that of a part


@dataclass(frozen=True)
class Found:
    """A stored picture that was found in a frame.

    Attributes:
        row: of the memory.
        frame: where its original lies in the query.
        affine: the map (2, 3) from the query's unit square to the original's, refined.
        unseen: why it was not compared with its original; None: that confirms it.
    """

    row: int
    frame: Frame
    affine: Float64
    unseen: Reason | None


class FrameSearch:
    """Looks for the pictures of one memory in frames.

    Args:
        memory: what is stored.
        limit: multiplications and additions that the families of a query may take; of a memory for which they take more there are
            only the boxes and the keypoints. None: whatever it takes.
        passes: go through all memories; by default that is done here.
    """

    def __init__(self, memory: Memory, limit: float | None = None, passes: Passes | None = None) -> None:
        self.memory = memory
        self._limit, self._passes, self._aspects = limit, passes, aspects_of(memory)
        self.whole = WholeSearch(memory, None if passes is None else passes.canvases)

    @property
    def thorough(self) -> bool:
        """Whether a query is looked for in all frames of all memories, but for those that its keypoints would lead to."""
        described = 0 if self.local is None else int(self.local.described.sum())
        count = len(self.memory) - described
        return self._within(self.whole.family_work(count) + self.whole.crops_work(count))

    @cached_property
    def local(self) -> LocalSearch | None:
        """The memories' local descriptors, where there are any."""
        if not LocalSearch.available(self.memory):
            return None
        return LocalSearch(self.memory, None if self._passes is None else self._passes.nearest)

    def find(self, image: Image, sheet: Sheet | None, opener: Callable[[int], Image | None], most: int = 1) -> list[Found]:
        """The stored pictures that a query shows in another frame; none overlap by much.

        Args:
            image: the query, decoded; transparent where it is missing.
            sheet: the same as it is compared with originals; None: it is not.
            opener: the original of a row, decoded; None where it is not at hand.
            most: so many at most; each is looked for in what those before it leave of the query.
        """
        picture, found, opener = picture_of(image, self.memory.spec.channels), list[Found](), cache(opener)
        while len(found) < most:
            one = self._first(image, picture, sheet, opener, found)
            if one is None:
                break
            found.append(one)
            picture = picture.without(one.affine)
        return found

    def _first(
        self,
        image: Image,
        picture: Picture,
        sheet: Sheet | None,
        opener: Callable[[int], Image | None],
        before: Sequence[Found],
    ) -> Found | None:
        """The first proposal that holds beside what was found `before`; a round's are looked at in falling order."""
        tried: list[Proposal] = []
        for proposals in self.rounds(image, picture):
            free = [one for one in proposals if all(_overlap(one.frame, other.frame) <= RIVALS for other in before)]
            possible = [one for one in free if self._is_possible(one.row, one.frame, picture.aspect)]
            for one in possible[:COMPARED]:
                if any(_are_alike(one, other, picture.aspect) for other in tried):
                    continue
                tried.append(one)
                rivals = [other for other in possible if self._are_rivals(one, other)][:COMPARED]
                found = self._held(one, rivals, picture, sheet, opener)
                if (
                    found is not None
                    and self._is_possible(found.row, found.frame, picture.aspect)
                    and displacement(found.affine, found.frame.to_original(picture.aspect)) <= SHEARED
                    and not _is_another_shot(found.frame, picture)
                ):
                    return found
        return None

    def _is_possible(self, row: int, frame: Frame, aspect: float) -> bool:
        """Whether a picture may lie so: hardly stretched, unless it fills a part of a page, not tiny, and not all but out of sight.

        Slivers fit anything.
        """
        upright = 1 / aspect if frame.turn % 2 else aspect
        stretch = frame.width * upright / frame.height / self._aspects[row]
        shown = frame.visible / (frame.width * frame.height)
        unstretched = 1 / STRETCHED <= stretch <= STRETCHED or _is_part(frame)
        return unstretched and frame.visible >= LEAST_SEEN and shown >= LEAST_KEPT

    def _held(
        self,
        one: Proposal,
        rivals: Sequence[Proposal],
        picture: Picture,
        sheet: Sheet | None,
        opener: Callable[[int], Image | None],
    ) -> Found | None:
        """What is found of a proposal: confirmed by its original; or, if there is none to ask, far ahead of its rivals and no other
        picture."""
        close = [other for other in rivals if CLEAR * other.score > one.score][:RIVALS_OPENED]
        found, unseen = (None, Reason.ABSENT) if sheet is None else self._compared(sheet, [one, *close], opener)
        if unseen is None:
            return found
        first, *others = self.whole.fit(picture, [one, *rivals])
        second = others[0].score if others else 0.0
        ahead = first.score >= AHEAD * second and (first.score - second) * self._independent(first.frame, picture) >= LEAD
        if first.row != one.row or not ahead or shows_another(picture, self.memory, first.row, first.frame):
            return None
        return Found(first.row, first.frame, first.frame.to_original(picture.aspect), unseen)

    def _independent(self, frame: Frame, picture: Picture) -> float:
        """Pixels of the query for each cell of the pattern, at most 1: few of them, enlarged, agree in as many cells as many do."""
        pixels = frame.width * frame.height * math.prod(picture.planes.shape[:2])
        return float(min(1.0, pixels / (self.memory.spec.height * self.memory.spec.width)))

    def rounds(self, image: Image, picture: Picture) -> Iterator[list[Proposal]]:
        """The proposals, in falling order, a list a round."""
        yield self.whole.boxes(picture)
        count, undescribed = len(self.memory), False
        if self.local is not None:
            seen = self.local.look(image)
            yield seen.proposals
            if seen.keypoints >= TELLING and self._limit is not None:
                undescribed = True
                count -= int(self.local.described.sum())
        if count and self._within(self.whole.family_work(count)):
            yield self.whole.family(picture, undescribed)
            if self._within(self.whole.family_work(count) + self.whole.crops_work(count)):
                yield self.whole.crops(picture, undescribed)
            yield self.whole.trimmed(picture, undescribed)

    def _within(self, work: float) -> bool:
        return self._limit is None or work <= self._limit

    def _are_rivals(self, one: Proposal, other: Proposal) -> bool:
        """Whether two proposals are of different pictures at one place; two at different places may both be there."""
        return other.row not in self.memory.same(one.row) and _overlap(other.frame, one.frame) > RIVALS

    def _compared(
        self, sheet: Sheet, proposals: Sequence[Proposal], opener: Callable[[int], Image | None]
    ) -> tuple[Found | None, Reason | None]:
        """The first of several proposals or the rival that fits better, if its original confirms it; and why the first was not
        compared, where it was not."""
        spec = self.memory.spec
        candidates = [Candidate(partial(opener, one.row), one.frame, self.memory.same(one.row)[0]) for one in proposals]
        said = confirm(sheet, candidates, pattern_side=max(spec.width, spec.height))
        if said.outcome != Outcome.CONFIRMED or said.best is None:
            return None, said.measured[0].reason
        best, affine = proposals[said.best], said.measured[said.best].affine
        assert affine is not None  # of what was compared
        return Found(best.row, refined(best.frame, affine, sheet.width / sheet.height), affine, None), None


def _are_alike(one: Proposal, other: Proposal, aspect: float) -> bool:
    """Whether two proposals are one picture at one place, so that the original says the same of both."""
    return one.row == other.row and displacement(one.frame.to_original(aspect), other.frame.to_original(aspect)) <= ALIKE


def _is_part(frame: Frame) -> bool:
    """Whether a frame's window is a half or a quarter of the query."""
    windows = np.array([part.window for part in PARTS])
    return bool(np.abs(windows - frame.window).max(axis=1).min() <= PART)


def _overlap(first: Frame, second: Frame) -> float:
    """The area that the windows of two frames share within the query, over that of the smaller one."""
    x, y, width, height = np.array([first.window, second.window]).T
    low, high = np.clip((x, y), 0, 1), np.clip((x + width, y + height), 0, 1)  # (2 axes, 2 windows)
    shared = np.maximum(high.min(axis=1) - low.max(axis=1), 0).prod()
    return float(shared / max((high - low).prod(axis=0).min(), 1e-9))


def _is_another_shot(frame: Frame, picture: Picture) -> bool:
    """Whether the query is nearly the whole original, moved a little, or of its size and moved by anything, with more of a picture
    where that ends: the next shot of a burst, or a page scrolled on, and not a copy."""
    edges = np.array([frame.x, frame.y, frame.x + frame.width - 1, frame.y + frame.height - 1])
    is_near = np.abs(edges).max() <= SHOT
    has_same_size = max(abs(frame.width - 1), abs(frame.height - 1)) <= SAME_SIZE
    if frame.turn or frame.mirrored or not (is_near or has_same_size):
        return False
    height, width = picture.planes.shape[:2]
    inner = np.rint(edges * (width, height, width, height)).astype(int) * (1, 1, -1, -1) - _BLEED
    left, top, right, bottom = np.maximum(inner, 0)
    pixels = picture.pixels
    beside = [pixels[:top], pixels[height - bottom :], pixels[:, :left], pixels[:, width - right :]]
    return any(strip.size and strip.std(axis=(0, 1)).max() > EVEN for strip in beside)
