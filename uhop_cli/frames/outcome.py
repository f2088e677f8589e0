"""What comparisons with originals say together: confirmed, contradicted, or not decided by the original.

With L1 and L2 the evidence of the best and of the second picture (0 where there is one only), and n the pixels compared:

    confirmed     L1 - L2 >= bar n / 128^2; in any frame but the identity, or where another candidate's original is not at hand,
                  also X >= .8, or c > .9 in .65 of the textured blocks
    contradicted  at least 3 textured blocks, power of the query's middle band > 1e-4, sharpness >= .3, X < .35: each for every
                  original compared. A copy blurred by more than some 3% of its width is no stranger: its middle band holds
                  next to nothing of the original, and is told by its lack of sharpness
    undecided     else: a query of noise, of blur or of few pixels has no margin, and is no stranger for it
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from uhop_cli.errors import SettingsError
from uhop_cli.frames.block_evidence import Comparison

FULL_PIXELS = 128 * 128


class Outcome(StrEnum):
    """What the originals say of the answer."""

    CONFIRMED = "confirmed"
    CONTRADICTED = "contradicted"
    UNDECIDED = "not decided by the original"


class Reason(StrEnum):
    """Why, in words."""

    FITS = "its original fits far better than any other"
    DIFFERS = "the original shows something else"
    CLOSE = "originals of other pictures fit nearly as well, or none fits clearly"
    ALIKE = "it fits, but not well enough for a picture in another frame or beside originals that are not at hand"
    SMALL = "the originals show no more than the patterns"
    ABSENT = "no original is at hand"
    BLANK = "too little can be compared"
    STOPPED = "the time for it was used up"


@dataclass(frozen=True)
class VerificationSettings:
    """The thresholds.

    Attributes:
        bar: nats for 128 x 128 pixels compared, above 0.
        contradicted: X below which an original contradicts.
        least_textured: textured blocks that a contradiction needs.
        least_power: mean square of the query's middle band that it needs.
        least_sharpness: sharpness that it needs.
        whole_explained: X of an unrefined whole frame from which on nothing is aligned: near-copies would be aligned away.
        whole_correlation: the same for the median correlation of the blocks.
        strict_explained: X that any frame but the identity needs,
        strict_agreeing: or the share of blocks with c > .9.
        side: pixels of the side of a square that the compared part is brought to.
        coarse_side: the same for the first level of the alignment.

    Raises:
        SettingsError: a bar or a side that is not above 0.
    """

    bar: float = 1600.0
    contradicted: float = 0.35
    least_textured: int = 3
    least_power: float = 1e-4
    least_sharpness: float = 0.3
    whole_explained: float = 0.85
    whole_correlation: float = 0.9
    strict_explained: float = 0.8
    strict_agreeing: float = 0.65
    side: int = 128
    coarse_side: int = 48

    def __post_init__(self) -> None:
        if not (math.isfinite(self.bar) and self.bar > 0):
            raise SettingsError(f"a bar of {self.bar:g} nats is not possible", "it is above 0")
        if not 0 < self.coarse_side <= self.side:
            raise SettingsError(f"sides of {self.coarse_side} and {self.side} pixels are not possible", "the coarse one is smaller")

    def is_whole(self, comparison: Comparison) -> bool:
        """Whether an unrefined whole frame fits so well that it needs no alignment."""
        return comparison.explained >= self.whole_explained or comparison.correlation >= self.whole_correlation

    def contradicts(self, comparison: Comparison) -> bool:
        """Whether the query has enough to compare and the original explains too little of it."""
        seen = comparison.power > self.least_power and comparison.sharpness >= self.least_sharpness
        return comparison.textured >= self.least_textured and seen and comparison.explained < self.contradicted

    def is_strict(self, comparison: Comparison) -> bool:
        """Whether the original itself fits, apart from every other."""
        return comparison.explained >= self.strict_explained or comparison.agreeing >= self.strict_agreeing


@dataclass(frozen=True)
class Compared:
    """One candidate's comparison.

    Attributes:
        comparison: what was measured.
        picture: which picture it is; candidates of one number are one picture under several names.
        identity: whether it lies in the same frame.
    """

    comparison: Comparison
    picture: int
    identity: bool


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
    if margin >= settings.bar * pixels / FULL_PIXELS:
        if (first.identity and all_seen) or settings.is_strict(first.comparison):
            return Decision(Outcome.CONFIRMED, best, margin, Reason.FITS)
        return Decision(Outcome.UNDECIDED, best, margin, Reason.ALIKE)
    if all_seen and all(settings.contradicts(entry.comparison) for _, entry in found):
        return Decision(Outcome.CONTRADICTED, best, margin, Reason.DIFFERS)
    return Decision(Outcome.UNDECIDED, best, margin, Reason.CLOSE)
