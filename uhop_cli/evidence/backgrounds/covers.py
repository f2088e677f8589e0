"""Whether pixels that differ from a memory may lie under a cover: a cover does not know what is below.

The pixels D of a clean query all have one colour, and the memory, laid down as well as it can be, has others there. Either
something lies on the picture, or it is another picture, some part of which has that colour. A cover fills a rectangle, as a label
or half a picture does, or all but a rectangle; or it lies anywhere, as dust and lost pixels do. But a rectangle of the background's
colour is a part that is not there, and what a cover leaves tells nothing if that is next to nothing. Of the n pixels in which it
would be seen, k are in D, and two descriptions of D are compared. With shares that are uniform a priori, what they give it are Beta
functions (the Bayes factor of a contingency table, Jeffreys 1961, section 5.1),

    anywhere        P(D) = int_0^1 p^k (1 - p)^(n - k) dp = 1 / [(n + 1) binom(n, k)]
    by parts        P(D) = prod_g 1 / [(n_g + 1) binom(n_g, k_g)],      n_g, k_g those in part g of the memory

The parts are what is clear and what is opaque, or what is clear and each colour of what is opaque; both are as likely, and so are a
cover and another picture. Few pixels tell nothing: then D may lie under a cover.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from uhop_cli.arrays.types import Bool, Float64, Int64

FULL = 0.9  # of a rectangle
LEAST_LEFT = 1 / 8  # of the picture, by a cover that fills a rectangle or all but one
TRIMMED = 0.03  # of the pixels on each side, before the rectangle is taken


def may_be_covered(differing: Bool, same: Bool, seen: Bool, partitions: Sequence[Int64], width: int, *, blends: bool) -> bool:
    """Whether pixels that differ may lie under a cover of one colour.

    Args:
        differing: D, (H W,).
        same: which pixels have the cover's colour, D among them, (H W,).
        seen: those in which a cover of that colour would be seen, D among them, (H W,).
        partitions: for each way to take the memory apart, the part of each pixel, (H W,).
        width: W.
        blends: whether the colour is that of the background.
    """
    outside = ~rectangle(~same, width)
    all_but = (differing & outside).sum() >= FULL * differing.sum()
    if not blends and same.mean() <= 1 - LEAST_LEFT and (all_but or filled(differing, same, width) >= FULL):
        return True
    by_parts = [told_by_parts(differing[seen], parts[seen]) for parts in partitions]
    return bool(np.logaddexp.reduce(by_parts) <= math.log(len(by_parts)))


def told_by_parts(differing: Bool, parts: Int64) -> float:
    """ln of P(D by parts) / P(D anywhere).

    Args:
        differing: which of the n pixels are in D, (n,).
        parts: of the memory, numbered from 0 on, (n,).
    """
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, len(parts) + 2)))])  # of factorials

    def length(count: Int64, of: Int64) -> Float64:
        """ln [(n + 1) binom(n, k)]."""
        return np.asarray(logs[of + 1] - logs[count] - logs[of - count])

    of = np.bincount(parts, minlength=1)
    count = np.bincount(parts[differing], minlength=len(of))
    return float(length(count.sum(), of.sum()) - length(count, of).sum())


def filled(marked: Bool, same: Bool, width: int) -> float:
    """The share of the rectangle around all `marked` pixels but a few that is the `same`, (H W,) each."""
    return float(same[rectangle(marked, width)].mean())


def rectangle(marked: Bool, width: int) -> Bool:
    """The rectangle around all marked pixels but a few, (H W,)."""
    inside = np.zeros_like(marked)
    sides = []
    for places in np.nonzero(marked.reshape(-1, width)):
        low, high = np.quantile(places, [TRIMMED, 1 - TRIMMED]) if len(places) else (0, -1)
        sides.append(slice(math.floor(low), math.ceil(high) + 1))
    inside.reshape(-1, width)[tuple(sides)] = True
    return inside
