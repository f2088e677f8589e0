"""A clean query that shows another thing than a transparent memory: what differs is no damage.

Damage either changes nearly every value a little, as noise, blur and compression do, or loses some and leaves the others as they
were. A picture of the same make that was never stored does neither: most of it may be as a stored thing has it, to the last level,
and the rest has colours of its own. A query is clean if it is so by itself (`clean`), or has about as many colours as a copy would
have, or one colour alone where the memory is clear, and was not made coarser. Of a clean one the pixels are counted that are
`else`: further than `ROUNDED` from the memory X, laid on any background b and under any light (`shown`),

    x_c = a X_c + b_c m + o_c,      robustly fitted where no value is 0 or 1, and to all;
                                    with a = 1 also for o = 0 and for o of the median opaque value, with b = b_0 and each of the
                                    `COMMONEST` colours behind X as b;
    x_c = f(X_c),                   f a tone curve (`tones`),

whichever leaves the fewest; and not of the colour of a cover, the commonest among them, if these pixels lie as those under a cover
may (`covers`). Values at 0 and 1 may be clipped or lost, and say nothing; nor do values through which a background at 0 or 1 is
seen in other light. The query is another picture if some pixels are `else`, if they are far off in the median, and if they aren't a
label: that fills a rectangle, and leaves some of the picture. Of a query that is not clean by itself, which may be more damaged
than it seems, less of the rectangle has to be filled, and it may be all of it; but what is all of one colour that is no cover's
(`covers`) is no label.

Of a query of one colour, within 6 levels, nothing but this is known, and there is no light to be told: it is another picture unless
the memory has that colour all over, as it is or on black or white.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.evidence.backgrounds.clean import is_clean, is_coarse
from uhop_cli.evidence.backgrounds.covers import FULL, LEAST_LEFT, may_be_covered, rectangle
from uhop_cli.evidence.backgrounds.recognition import LEVEL, ROUNDED
from uhop_cli.evidence.backgrounds.shown import fitted
from uhop_cli.evidence.backgrounds.tones import toned
from uhop_cli.images.patterns import LUMA, PatternSpec

COMMONEST = 4  # colours that may be the background
SEEN_THROUGH = 0.3  # veil from which on a pixel tells the background
LEAST_TOLD, LEAST_BEHIND = 3, 0.05  # pixels of one colour that tell a background, and of what tells one
CLEAR, LEAST_CLEAR = 0.99, 64  # veil of a pixel that is all background, and how many tell whether it has one colour
CONSTANT = 0.99  # of them
LEAST_FITTED = 32  # pixels that a fit is made to
LEAST_GAIN = 0.1  # of a fit: with less, one colour explains all that is opaque
SOME = 0.004  # of the pixels
FAR = 6 * LEVEL
ENTIRE = 0.97  # of a rectangle, for a label on a clean picture
LEFT = 0.1  # of what is opaque and tells anything: a label leaves as much of the picture
AS_MANY, AND = 1.25, 12  # colours of a clean copy: those of the memory, and those of edges that lie on another background


def another_picture(queries: Float32, patterns: Float32, veils: Float32, spec: PatternSpec) -> Bool:
    """Whether each query is a clean picture of something else than its memory: (Q,).

    Args:
        queries: x, (Q, d).
        patterns: X, one for each query, (Q, d).
        veils: m = 1 - opacity, (Q, H W).
        spec: of the patterns.
    """
    count, pixels = veils.shape
    x, memories = (part.reshape(count, pixels, -1).astype(np.float64) for part in (queries, patterns))
    return np.array([_another(*one, spec) for one in zip(x, memories, veils.astype(np.float64), strict=True)], np.bool_)


def _another(x: Float64, memory: Float64, veil: Float64, spec: PatternSpec) -> bool:
    """The same of one query (H W, C)."""
    colours, own, width = _codes(x), _codes(memory), spec.width
    if np.ptp(x, axis=0).max() <= FAR:
        return not _is_of_its_colour(x, memory, veil, spec)
    drawn, few = is_clean(x, colours, width), colours.max() + 1 <= AS_MANY * (own.max() + 1) + AND
    if is_coarse(x, width) or not (drawn or few or _is_constant(colours[veil >= CLEAR])):
        return False
    opaque = veil <= SEEN_THROUGH
    partitions = (opaque.astype(np.int64), np.where(opaque, own + 1, 0))
    open_ = (x > 0) & (x < 1)
    far, elsewhere, differing, absent = np.zeros(len(x)), np.ones(len(x), np.bool_), np.ones(len(x), np.bool_), False
    for rest in _explanations(x, memory, veil, colours, open_):
        size = np.where(open_, np.abs(rest), 0).max(axis=1)
        found = size >= ROUNDED
        clear = ~opaque & ~found
        behind = _commonest(colours[clear if clear.any() else ~opaque], 1)
        for colour in _commonest(colours[found], 1):
            same = colours == colour
            seen = np.abs(x - rest - x[same][0]).max(axis=1) >= ROUNDED
            if may_be_covered(found & same, same, seen, partitions, width, blends=colour in behind):
                found &= ~same
        if found.mean() <= SOME:
            return False
        if found.sum() <= elsewhere.sum():
            far, elsewhere, differing = size, found, np.abs(rest).max(axis=1) >= ROUNDED
            [colour] = _commonest(colours[found], 1)
            alone = (colours[found] == colour).mean() >= FULL
            absent = bool(alone and (colour in behind or found.mean() > 1 - LEAST_LEFT))
    if np.median(far[elsewhere]) <= FAR:
        return False
    if absent:
        return True
    inside = rectangle(elsewhere, width)
    if not drawn:
        return bool(elsewhere[inside].mean() < FULL)
    told = opaque & open_.any(axis=1)
    nothing_left = differing[told].sum() > (1 - LEFT) * told.sum()
    return bool(nothing_left or differing[inside].mean() < ENTIRE)


def _is_constant(background: Int64) -> bool:
    """Whether pixels where the memory is clear, by their colours (n,), have one colour but for a few: after damage they don't."""
    return len(background) >= LEAST_CLEAR and np.bincount(background).max() >= CONSTANT * len(background)


def _is_of_its_colour(x: Float64, memory: Float64, veil: Float64, spec: PatternSpec) -> bool:
    """Whether a query of one colour has that of the memory as it is, on black, or on white."""
    own = np.array(spec.background if spec.channels > 1 else [LUMA @ spec.background]) / 255
    return any(np.abs(x - memory - veil[:, None] * (background - own)).max() <= FAR for background in (0, own, 1))


def _explanations(x: Float64, memory: Float64, veil: Float64, colours: Int64, told: Bool) -> Iterator[Float64]:
    """What each way of laying the memory down leaves of the query, (H W, C).

    Args:
        x, memory, veil: x, X and m of one query.
        colours: of x, numbered.
        told: which values are neither 0 nor 1, (H W, C).
    """
    opaque = veil <= SEEN_THROUGH
    for light in (np.zeros(x.shape[1]), _medians(x - memory, told & opaque[:, None])):
        difference = x - memory - light
        yield difference
        for colour in _commonest(colours[~opaque], COMMONEST):
            through = (colours == colour) & ~opaque
            if through.sum() >= max(LEAST_TOLD, LEAST_BEHIND * (~opaque).sum()):
                shift = np.median(difference[through] / veil[through, None], axis=0)  # b - b_0
                clipped = ~told[through][0] & (np.abs(light).max() >= ROUNDED)  # b may lie beyond 0 and 1
                yield np.where(clipped & (veil[:, None] > ROUNDED), 0, difference - veil[:, None] * shift)
    open_, every = np.asarray(told.all(axis=1)), np.ones(len(x), np.bool_)
    for weights in (open_, every) if open_.sum() >= LEAST_FITTED else (every,):  # of what is open all may be background
        rest, _, gain = fitted(x[None], memory[None], veil[None], weights[None].astype(np.float64))
        if gain[0] >= LEAST_GAIN:
            yield rest[0]
    curved = toned(x, memory, veil, opaque, told)
    if curved is not None:
        yield curved


def _medians(values: Float64, taken: Bool) -> Float64:
    """Of each column the median of the values that are taken; 0 where none is."""
    return np.array([np.median(column[rows]) if rows.any() else 0.0 for column, rows in zip(values.T, taken.T, strict=True)])


def _codes(picture: Float64) -> Int64:
    """The colour of each pixel of a picture (H W, C), numbered from 0 on."""
    levels = np.rint(np.clip(picture, 0, 1) * 255).astype(np.int64)
    return np.asarray(np.unique(levels @ 256 ** np.arange(picture.shape[1]), return_inverse=True)[1], np.int64)


def _commonest(colours: Int64, most: int) -> Int64:
    """At most so many of the colours of some pixels, (n,), the commonest first."""
    return np.asarray(np.argsort(-np.bincount(colours), kind="stable")[:most])
