"""A query compared with the originals of the few best candidates, at higher resolution than the patterns have.

The leader and the next other picture are compared as they lie in their frames. Where the best of them fits so, lies still and is
confirmed, nothing else is opened. Else all candidates are compared so. Where the best then fits as it lies in the whole frame,
these comparisons decide, since alignment would bring all shots of a scene to fit alike; to lie still means that a few steps of
alignment on the coarse grid move it by next to nothing: a shot that is not stored would be moved. Else all are aligned and compared
again, on the coarse grid first, where most that have nothing in common end. In another frame nothing is compared before it is
aligned: the frame is a guess.
`outcome.py` says what follows, `pair.py` on what grids.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.alignment import align_on, displacement
from uhop_cli.frames.block_evidence import Comparison
from uhop_cli.frames.frame import IDENTITY, Frame
from uhop_cli.frames.outcome import Compared, Decision, Outcome, Reason, decide
from uhop_cli.frames.pair import SAMPLES, Pair
from uhop_cli.frames.sheet import Sheet, sheet_of_image
from uhop_cli.frames.thresholds import VerificationSettings
from uhop_cli.images.decode import Image

Float64 = NDArray[np.float64]

LEAST_SIDES = 2  # an original shows something new from so many times the pattern's side on
_STEPS = 3  # of the alignment that shows whether a picture lies still


@dataclass(frozen=True)
class Candidate:
    """A stored picture that the query may be a copy of.

    Attributes:
        open: gives its original, decoded, or None where it is not at hand; called once at most, and only where it is needed.
        frame: where the original lies in the query.
        picture: which picture it is: stored pictures that verify against each other share a number and are never rivals.
    """

    open: Callable[[], Image | None]
    frame: Frame = IDENTITY
    picture: int = -1


@dataclass(frozen=True)
class Measured:
    """What was found out about one candidate.

    Attributes:
        comparison: with its original, or None where there was none to compare.
        affine: the map (2, 3) from the query's unit square to the original's that it was compared with, or None.
        moved: how far alignment moved a corner, in shares of the original's sides; None where the frame stands as it was given.
        reason: why it was not compared; None where it was.
    """

    comparison: Comparison | None = None
    affine: Float64 | None = None
    moved: float | None = None
    reason: Reason | None = None


@dataclass(frozen=True)
class Verification:
    """The outcome and what it rests on.

    Attributes:
        outcome: confirmed, contradicted or undecided.
        best: the candidate with the most evidence, its place in the list, or None.
        margin: nats between it and the best other picture.
        reason: why the outcome is what it is.
        measured: one for each candidate.
    """

    outcome: Outcome
    best: int | None
    margin: float
    reason: Reason
    measured: tuple[Measured, ...]


def verify(
    query: Sheet,
    candidates: Sequence[Candidate],
    *,
    pattern_side: int,
    settings: VerificationSettings | None = None,
) -> Verification:
    """Compares a query with the originals of candidates, the most likely first.

    Args:
        query: with its damage, at its own or a reduced size.
        candidates: at most a handful; the best guess first.
        pattern_side: the longer side of the patterns: an original of less than twice that shows nothing new.
        settings: the thresholds, or None for the defaults.
    """
    return _Run(query, candidates, pattern_side, settings or VerificationSettings()).verify(len(candidates))


def confirm(
    query: Sheet,
    candidates: Sequence[Candidate],
    *,
    pattern_side: int,
    settings: VerificationSettings | None = None,
) -> Verification:
    """The first proposal of a search in frames compared alone, and only where that confirms it again beside its rivals.

    Args:
        query: with its damage, at its own or a reduced size.
        candidates: the guess and its rivals.
        pattern_side: the longer side of the patterns.
        settings: the thresholds, or None for the defaults.
    """
    run = _Run(query, candidates, pattern_side, settings or VerificationSettings(), searched=True)
    alone = run.verify(1)
    return run.verify(len(candidates)) if alone.outcome == Outcome.CONFIRMED and len(candidates) > 1 else alone


def are_one(first: Sheet, second: Image, *, pattern_side: int, settings: VerificationSettings | None = None) -> bool | None:
    """Whether two originals are one picture: the first, as a query, is confirmed by the second as it lies; None: too small to tell.

    Args:
        first: an original.
        second: another one.
        pattern_side: the longer side of the patterns.
        settings: the thresholds, or None for the defaults.
    """
    return _Run(first, [Candidate(lambda: second)], pattern_side, settings or VerificationSettings()).are_one()


class _Run:
    """One query; holds what is opened and measured."""

    def __init__(
        self,
        query: Sheet,
        candidates: Sequence[Candidate],
        pattern_side: int,
        settings: VerificationSettings,
        searched: bool = False,
    ) -> None:
        self._query, self._candidates, self._settings, self._searched = query, candidates, settings, searched
        self._least = LEAST_SIDES * pattern_side
        self._pairs: dict[int, Pair] = {}
        self._unseen: dict[int, Reason] = {}
        self._compared: dict[int, Measured] = {}
        self._laid: dict[int, Measured] = {}
        self._measured = [Measured()] * len(candidates)
        # a number of its own for each candidate that shares none
        self._pictures = [c.picture if c.picture >= 0 else -2 - place for place, c in enumerate(candidates)]

    def verify(self, count: int) -> Verification:
        """What the first `count` candidates say; the steps in order, each only where those before it leave something open."""
        self._measured = [Measured()] * count
        everyone, still = range(count), False
        if any(self._candidates[place].frame.is_identity for place in everyone):
            rivals = [place for place in everyone if self._pictures[place] != self._pictures[0]][:1]
            for places in ([*everyone[:1], *rivals], everyone):
                for place in places:
                    self._measured[place] = self._as_given(place)
                decision = self._decide()
                still = decision.best is not None and self._is_still(decision.best)
                if still and decision.outcome == Outcome.CONFIRMED:
                    return self._result(decision)
        if not still:
            for place in everyone:
                self._measured[place] = self._aligned(place, alone=count == 1)
            decision = self._decide()
        return self._result(decision)

    def are_one(self) -> bool | None:
        """Whether the query is the only candidate, unrefined; None: it can't be compared."""
        self._measured = [self._as_given(0)]
        if self._measured[0].reason is not None:
            return None
        return self._is_still(0) and self._decide().outcome == Outcome.CONFIRMED

    def _is_still(self, place: int) -> bool:
        """Whether a candidate fits as it lies in the whole frame, and alignment would leave it there."""
        comparison, pair = self._measured[place].comparison, self._pairs[place]
        whole = comparison is not None and self._candidates[place].frame.is_identity and self._settings.is_whole(comparison)
        if not whole:
            return False
        found = align_on(pair.level(self._settings.coarse_side, 1), pair.start, _STEPS, coarsest=True)
        return displacement(found, pair.start) <= self._settings.most_still

    def _as_given(self, place: int) -> Measured:
        """A candidate compared as it lies in its frame."""
        pair = self._pair(place)
        if pair is None:
            return Measured(reason=self._unseen[place])
        if place not in self._compared:
            self._compared[place] = Measured(pair.compare(pair.start, self._settings.side, 1), pair.start)
        return self._compared[place]

    def _aligned(self, place: int, *, alone: bool) -> Measured:
        """A candidate aligned and compared. Where the coarse grid shows nothing in common no other one will: in the same frame it
        then counts as it lies, and in another one as it is there, unless it is a rival, whose evidence is the margin."""
        pair, settings = self._pair(place), self._settings
        if pair is None or place in self._laid:
            return self._laid.get(place) or Measured(reason=self._unseen[place])
        affine = align_on(pair.level(settings.coarse_side, 1), pair.start, coarsest=True)
        same = self._candidates[place].frame.is_identity
        if same or alone:
            coarse = pair.compare(affine, settings.coarse_side, SAMPLES)
            if settings.is_hopeless(coarse):
                return (
                    replace(self._as_given(place), moved=0.0)
                    if same
                    else Measured(coarse, affine, displacement(affine, pair.start))
                )
        affine = align_on(pair.level(settings.side, 1), affine)
        if affine is pair.start:
            self._laid[place] = self._as_given(place)
        else:
            comparison = pair.compare(affine, settings.side, SAMPLES)
            self._laid[place] = Measured(comparison, affine, displacement(affine, pair.start))
        return self._laid[place]

    def _pair(self, place: int) -> Pair | None:
        """A candidate beside the query; None where there is nothing to compare, with the reason in `_unseen`."""
        if place not in self._pairs and place not in self._unseen:
            image = self._candidates[place].open()
            if image is None:
                self._unseen[place] = Reason.ABSENT
            elif _sides(image) < self._least:
                self._unseen[place] = Reason.SMALL
            else:
                self._pairs[place] = Pair(self._query, sheet_of_image(image), self._candidates[place].frame)
        return self._pairs.get(place)

    def _decide(self) -> Decision:
        compared = [
            None
            if m.comparison is None
            else Compared(m.comparison, self._pictures[place], c.frame.is_identity, m.moved, self._searched)
            for place, (m, c) in enumerate(zip(self._measured, self._candidates, strict=False))
        ]
        unseen = any(m.comparison is None and m.reason is not None for m in self._measured)
        return decide(compared, not unseen, self._settings)

    def _result(self, decision: Decision) -> Verification:
        reason = decision.reason
        if decision.outcome == Outcome.UNDECIDED:
            reasons = {m.reason for m in self._measured}
            if decision.best is None:
                reason = Reason.SMALL if Reason.SMALL in reasons else Reason.ABSENT
        return Verification(decision.outcome, decision.best, decision.margin, reason, tuple(self._measured))


def _sides(image: Image) -> int:
    """The longer side of the original that a picture may be a reduction of."""
    if image.axes is not None:
        return max(axis.size for axis in image.axes)
    return max(image.width, image.height)
