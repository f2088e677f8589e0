"""The thresholds of `outcome.py`, and what one comparison says by them.

A search compares many proposals, and each is aligned over six free numbers before. So of what a search proposes more is asked: two
bars, where X leaves it to the blocks. Of drawings that were never stored one had .65 of the blocks at .1 bars, one .61 at 1.9, one
.47 at 4.1 (276 comparisons); of 14 photos, half covered and with a border, of which only the blocks say so the least was 2.6 bars.
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
        clear_explained: X that what a search proposes needs,
        searched_bars: or so many bars.
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
    searched_bars: float = 2.0
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

    def confirms(self, comparison: Comparison, margin: float, strict: bool, searched: bool = False) -> bool:
        """Whether a margin, in nats, and the fit itself confirm; `strict` asks more of it, `searched` two bars where X is low."""
        if strict:
            clear = not searched or comparison.explained >= self.clear_explained
            fits = self.is_strictly_like(comparison) and (clear or self.passes(comparison, margin, self.searched_bars))
        else:
            fits = self.passes(comparison, margin, self.sure_bars) or self.is_like(comparison)
        return fits and self.passes(comparison, margin)
