"""What comparisons with originals say together: confirmed, contradicted, or not decided by the original.

With L1 and L2 the evidence of the best and of the second picture (0 where there is one only), and n the pixels compared:

    confirmed     L1 - L2 >= 3 bar n / 128^2; or L1 - L2 >= bar n / 128^2 and X >= .6 or c > .9 in .6 of the textured blocks. In
                  other frames, and where the original of another candidate is not at hand, always X >= .8 or .65 of the blocks;
                  of what a search proposes, the second only with X >= .7 or 2 bar n / 128^2 (`thresholds.py`).
                  In the same frame it takes that the alignment moved no corner by more than 1.5% of a side; and where alignment was
                  needed, that no other picture fits as well (X >= .6 or .6 of the blocks; in other frames what these ask): shots
                  of a scene all do
    contradicted  the best explains too little: X < .5 and c > .9 in at most .4 of the blocks, L1 - L2 below the bar; the query has
                  what it takes to tell: 3 textured blocks, power > 1e-5 in its middle band, of which at most .3 are noise, and a
                  sharpness >= .4; and none of the others fits better than that
    undecided     else: a query of noise, of blur or of few pixels has no margin, and is no stranger for it. One that has what it
                  takes to tell (but a sharpness >= .5, the median over the originals: one of them alone may be less sharp than the
                  right one) and is like none of all (X < .6, and less than .6 of the blocks) may well be one: this is a reason

A margin alone does not confirm: drawings of thin lines that share nothing reach 2,500 nats once they are aligned. X alone does not
contradict: a copy blurred by more than some 3% of its width has next to nothing of its original in the middle band, and one of
which a tenth of the values is left has more noise there than picture. tests/acceptance/verification.py shows the figures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from uhop_cli.frames.block_evidence import Comparison
from uhop_cli.frames.thresholds import VerificationSettings


class Outcome(StrEnum):
    """What the originals say of the answer."""

    CONFIRMED = "confirmed by the original"
    CONTRADICTED = "contradicted by the original"
    UNDECIDED = "not decided by the original"


class Reason(StrEnum):
    """Why, in words."""

    FITS = "its original fits far better than any other"
    DIFFERS = "the original shows something else"
    CLOSE = "originals of other pictures fit nearly as well, or none fits clearly"
    UNLIKE = "the query is clear enough, and no original fits it well"
    NEAR = "several stored pictures fit: they are of one scene"
    MOVED = "it fits, but shifted: a shot of the same scene, or a copy in another frame"
    ALIKE = "it fits, but not well enough for a picture in another frame or beside originals that are not at hand"
    SMALL = "the originals show no more than the patterns"
    ABSENT = "no original is at hand"
    BLANK = "too little can be compared"


@dataclass(frozen=True)
class Compared:
    """One candidate's comparison.

    Attributes:
        comparison: what was measured.
        picture: which picture it is; candidates of one number are one picture under several names.
        identity: whether it lies in the same frame.
        moved: how far alignment moved it, in shares of its sides; None where it was not aligned.
        searched: whether a search in frames proposed it, be it in the same frame, in which it was refused before.
    """

    comparison: Comparison
    picture: int
    identity: bool
    moved: float | None = None
    searched: bool = False


@dataclass(frozen=True)
class Decision:
    """Attributes:
    outcome: of the three.
    best: the place of the candidate with the most evidence, or None.
    margin: L1 - L2 in nats.
    reason: why.
    """

    outcome: Outcome
    best: int | None
    margin: float
    reason: Reason


def decide(compared: Sequence[Compared | None], all_seen: bool, settings: VerificationSettings) -> Decision:
    """The outcome of several comparisons, in the order of the candidates; None for one without.

    Args:
        compared: one for each candidate.
        all_seen: whether the originals of all pictures among the candidates were compared: otherwise one that was not may fit too.
        settings: the thresholds.
    """
    found = [(place, entry) for place, entry in enumerate(compared) if entry is not None]
    if not found:
        return Decision(Outcome.UNDECIDED, None, 0.0, Reason.ABSENT)
    best, first = max(found, key=lambda item: item[1].comparison.evidence)
    others = (entry.comparison.evidence for _, entry in found if entry.picture != first.picture)
    margin = first.comparison.evidence - max(others, default=0.0)
    pixels = first.comparison.pixels
    if pixels == 0:
        return Decision(Outcome.UNDECIDED, best, margin, Reason.BLANK)
    searched = first.searched or not first.identity
    strict = searched or not all_seen
    if settings.confirms(first.comparison, margin, strict, searched):
        reason = _doubt(first, [entry for _, entry in found], settings)
        outcome = Outcome.CONFIRMED if reason == Reason.FITS else Outcome.UNDECIDED
        return Decision(outcome, best, margin, reason)
    unlike = all(settings.is_unlike(entry.comparison) for _, entry in found)
    if all_seen and unlike and settings.contradicts(first.comparison) and not settings.passes(first.comparison, margin):
        return Decision(Outcome.CONTRADICTED, best, margin, Reason.DIFFERS)
    if strict and settings.confirms(first.comparison, margin, strict=False):
        return Decision(Outcome.UNDECIDED, best, margin, Reason.ALIKE)
    is_sharp = median(entry.comparison.sharpness for _, entry in found) >= settings.clear_sharpness
    unlike = all_seen and not any(settings.is_like(entry.comparison) for _, entry in found)
    told = is_sharp and unlike and settings.tells(first.comparison)
    return Decision(Outcome.UNDECIDED, best, margin, Reason.UNLIKE if told else Reason.CLOSE)


def _doubt(first: Compared, found: list[Compared], settings: VerificationSettings) -> Reason:
    """What speaks against the best of several comparisons although it has the margin; `FITS` if nothing does."""
    if first.moved is None:
        return Reason.FITS
    is_like = settings.is_like if first.identity else settings.is_strictly_like
    if any(is_like(entry.comparison) for entry in found if entry.picture != first.picture):
        return Reason.NEAR
    return Reason.MOVED if first.identity and first.moved > settings.most_moved else Reason.FITS
