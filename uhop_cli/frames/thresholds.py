"""The thresholds of `outcome.py`, and what one comparison says by them.

In other frames each proposal that is compared is aligned over six free numbers first: of the n textured blocks of a stranger a
share p agrees then, and a share a > p in one of T comparisons with a probability of at most (Chernoff 1952)

    T exp(-n KL(a || p)),    KL(a || p) = a ln(a / p) + (1 - a) ln((1 - a) / (1 - p)),

which has to be below .001, unless X >= .7: of few blocks, as thin lines have, nearly all have to agree. p = .4 is what strangers
among drawings hardly reach where a search led to; T = 15 are compared, three in each of five rounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from uhop_cli.errors import SettingsError
from uhop_cli.frames.block_evidence import Comparison

FULL_PIXELS = 128 * 128


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


def _divergence(a: float, p: float) -> float:
    """KL(a || p) of two shares where a > p, else 0; in nats."""
    if not a > p:
        return 0.0
    return a * math.log(a / p) + ((1 - a) * math.log((1 - a) / (1 - p)) if a < 1 else 0.0)
