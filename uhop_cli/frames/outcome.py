"""What comparisons with originals say together: confirmed, contradicted, or not decided by the original.

With L1 and L2 the evidence of the best and of the second picture (0 where there is one only), and n the pixels compared:

    confirmed     L1 - L2 >= 3 bar n / 128^2; or L1 - L2 >= bar n / 128^2 and X >= .6 or c > .9 in .6 of the textured blocks. In
                  other frames, and where the original of another candidate is not at hand, always X >= .8 or .65 of the blocks;
                  of what a search proposes, only as many as none comes upon by chance (below)
                  In the same frame it takes that the alignment moved no corner by more than 1.5% of a side; and where alignment was
                  needed, that no other picture fits as well (X >= .6 or .6 of the blocks; in other frames what these ask): shots
                  of a scene all do
    contradicted  the best explains too little: X < .5 and c > .9 in at most .4 of the blocks, L1 - L2 below the bar; the query has
                  what it takes to tell: 3 textured blocks, power > 1e-5 in its middle band, of which at most .3 are noise, and a
                  sharpness >= .4; and none of the others fits better than that
    undecided     else: a query of noise, of blur or of few pixels has no margin, and is no stranger for it. One that has what it
                  takes to tell (but a sharpness >= .5, the median over the originals: one of them alone may be less sharp than the
                  right one) and is like none of all (X < .6, and less than .6 of the blocks) may well be one: this is a reason

In other frames each proposal that is compared is aligned over six free numbers first: of the n textured blocks of a stranger a
share p agrees then, and a share a > p in one of T comparisons with a probability of at most (Chernoff 1952)

    T exp(-n KL(a || p)),    KL(a || p) = a ln(a / p) + (1 - a) ln((1 - a) / (1 - p)),

which has to be below .001, unless X >= .7: of few blocks, as thin lines have, nearly all have to agree. p = .4 is what strangers
among drawings hardly reach where a search led to; T = 15 are compared, three in each of five rounds.

A margin alone does not confirm: drawings of thin lines that share nothing reach 2,500 nats once they are aligned. X alone does not
contradict: a copy blurred by more than some 3% of its width has next to nothing of its original in the middle band, and one of
which a tenth of the values is left has more noise there than picture. tests/acceptance/verification.py shows the figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

from uhop_cli.errors import SettingsError
from uhop_cli.frames.block_evidence import Comparison

FULL_PIXELS = 128 * 128


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
class VerificationSettings:
    """The thresholds.

    Attributes:
        bar: nats for 128 x 128 pixels compared, above 0.
        sure_bars: bars that confirm whatever X is: of a copy that is mostly covered.
        fits: X, or share of the blocks with c > .9, that confirms with the bar.
        unlike_explained: X below which an original does not fit,
        unlike_agreeing: if no more than this share of the blocks has c > .9.
        least_textured: textured blocks that a contradiction needs.
        least_power: mean square of the query's middle band that it needs.
        most_noise: share of that power that may be noise.
        least_sharpness: sharpness that it needs.
        clear_sharpness: median of the sharpness beside all originals from which on a query that none fits is doubted.
        most_moved: shares of a side that an alignment may move a corner of the whole frame by.
        most_still: the same for one that lies still.
        whole_explained: X of an unrefined whole frame from which on nothing is aligned: near-copies would be aligned away.
        whole_correlation: the same for the median correlation of the blocks.
        strict_explained: X that any frame but the identity needs,
        strict_agreeing: or the share of blocks with c > .9,
        clear_explained: X that any frame that was searched for needs,
        chance: or so many agreeing blocks that this share of them, p,
        tries: in T comparisons,
        most_chance: has at most this probability to give them.
        hopeless_explained: X on the coarse grid, once aligned there, below which nothing is aligned any further,
        hopeless_agreeing: if no more than this share of the blocks has c > .9 there.
        side: pixels of the side of a square that the compared part is brought to.
        coarse_side: the same for the first level of the alignment.

    Raises:
        SettingsError: a bar or a side that is not above 0.
    """

    bar: float = 1600.0
    sure_bars: float = 3.0
    fits: float = 0.6
    unlike_explained: float = 0.5
    unlike_agreeing: float = 0.4
    least_textured: int = 3
    least_power: float = 1e-5
    most_noise: float = 0.3
    least_sharpness: float = 0.4
    clear_sharpness: float = 0.5
    most_moved: float = 0.015
    most_still: float = 0.002
    whole_explained: float = 0.85
    whole_correlation: float = 0.9
    strict_explained: float = 0.8
    strict_agreeing: float = 0.65
    clear_explained: float = 0.7
    chance: float = 0.4
    tries: float = 15.0
    most_chance: float = 0.001
    hopeless_explained: float = 0.4
    hopeless_agreeing: float = 0.2
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

    def is_like(self, comparison: Comparison) -> bool:
        """Whether the original explains most of what the query shows, or of most of its blocks."""
        return comparison.explained >= self.fits or comparison.agreeing >= self.fits

    def is_strictly_like(self, comparison: Comparison) -> bool:
        """The same as it is asked of any frame but the identity, in which alignment finds likenesses everywhere."""
        return comparison.explained >= self.strict_explained or comparison.agreeing >= self.strict_agreeing

    def is_hopeless(self, comparison: Comparison) -> bool:
        """Whether an original that was aligned on the coarse grid explains too little there to be like on the fine one."""
        return comparison.explained < self.hopeless_explained and not comparison.agreeing > self.hopeless_agreeing

    def is_unlike(self, comparison: Comparison) -> bool:
        """Whether the original explains little of what the query shows."""
        return comparison.explained < self.unlike_explained and not comparison.agreeing > self.unlike_agreeing

    def tells(self, comparison: Comparison) -> bool:
        """Whether the query has what it takes to tell a stranger, if it is sharp."""
        enough = comparison.textured >= self.least_textured and comparison.power > self.least_power
        return enough and comparison.noise <= self.most_noise

    def contradicts(self, comparison: Comparison) -> bool:
        """Whether the original explains little of a query that has what it takes to tell."""
        return self.tells(comparison) and comparison.sharpness >= self.least_sharpness and self.is_unlike(comparison)

    def passes(self, comparison: Comparison, margin: float, bars: float = 1.0) -> bool:
        """Whether a margin, in nats, is at least so many bars for the pixels compared."""
        return margin >= bars * self.bar * comparison.pixels / FULL_PIXELS

    def is_no_chance(self, comparison: Comparison) -> bool:
        """Whether X says enough, or more blocks agree than by chance in any of the frames that a search compares."""
        nats = comparison.textured * _divergence(comparison.agreeing, self.chance)
        return comparison.explained >= self.clear_explained or nats >= math.log(self.tries / self.most_chance)

    def confirms(self, comparison: Comparison, margin: float, strict: bool, searched: bool = False) -> bool:
        """Whether a margin, in nats, and the fit itself confirm; `strict` asks more of the fit, `searched` that it is no chance."""
        if strict:
            fits = self.is_strictly_like(comparison) and (not searched or self.is_no_chance(comparison))
        else:
            fits = self.passes(comparison, margin, self.sure_bars) or self.is_like(comparison)
        return fits and self.passes(comparison, margin)


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


def _divergence(a: float, p: float) -> float:
    """KL(a || p) of two shares where a > p, else 0; in nats."""
    if not a > p:
        return 0.0
    return a * math.log(a / p) + ((1 - a) * math.log((1 - a) / (1 - p)) if a < 1 else 0.0)
