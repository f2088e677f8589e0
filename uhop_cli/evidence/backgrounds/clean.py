"""Whether a small picture is as it was drawn: what noise, blur and compression leave behind, and a drawing hasn't.

They change nearly every value, most of them by little. Where a drawing has one colour in two pixels side by side, what became of it
has two that differ by a few levels; and a drawing repeats its colours, of which noise makes as many as there are pixels. Of the
pixels that aren't of the commonest colour, and of the pairs of neighbours that aren't both of it, a clean picture has

    near / (near + equal) <= .25 and at most one colour for each 2 pixels,
                       or <= .35 and at most one for each 4,
                       or <= .6  and at most one for each 12;             near: pairs that differ by 1 to 4 levels.

Blur also takes off edges: a mean over 3 x 3 pixels leaves a third of a step. So the largest step is .6 of the range at least. Lost
values make few colours, but such that come without some of their values as well, which a drawing's hardly do. And a picture that is
one colour in every 2 x 2 pixels was made coarser, and has lost the values of its own.
"""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.types import Bool, Float64, Int64

NEAR = 4  # levels
PALETTES = ((0.25, 1 / 2), (0.35, 1 / 4), (0.6, 1 / 12))  # shares of near pairs, and colours a pixel, at most
SHARP = 0.6  # of the range
COMMONEST = 24  # colours that may come without some of their values
LOST = 2  # pairs of colours of which one is the other without some of its values
COARSE = 2  # pixels


def is_clean(picture: Float64, colours: Int64, width: int) -> bool:
    """Whether nothing changed a picture (H W, C) in [0, 1], the colours of its pixels numbered (H W,), since it was drawn."""
    levels, common = _levels(picture, width), np.asarray(colours == np.bincount(colours).argmax()).reshape(-1, width)
    step = 0.0
    near = equal = 0
    for axis in (0, 1):
        apart = np.abs(np.diff(levels, axis=axis)).max(axis=2)
        told = ~(_first(common, axis) & _second(common, axis))
        step = max(step, apart.max(initial=0))
        near += int((told & (apart > 0) & (apart <= NEAR)).sum())
        equal += int((told & (apart == 0)).sum())
    pixels, drawn = int((~common).sum()), int(colours.max())
    repeats = any(near <= share * (near + equal) and drawn <= few * pixels for share, few in PALETTES)
    sharp = step >= SHARP * np.ptp(levels, axis=(0, 1)).max()
    return bool(repeats and sharp and not _has_lost_values(levels.reshape(len(colours), -1), colours))


def _has_lost_values(levels: Float64, colours: Int64) -> bool:
    """Whether colours of a picture (H W, C) come without some of their values as well, as where these were set to 0."""
    common = levels[[int((colours == colour).argmax()) for colour in np.argsort(-np.bincount(colours), kind="stable")[:COMMONEST]]]
    whole, less = common[:, None], common[None]
    kept = (less == whole) & (less > 0)
    lost = (kept | (less == 0)).all(axis=2) & (less != whole).any(axis=2) & (kept & (less < 255)).any(axis=2)
    return bool(lost.sum() >= LOST)


def is_coarse(picture: Float64, width: int) -> bool:
    """Whether a picture (H W, C) has one colour in every 2 x 2 pixels."""
    levels = _levels(picture, width)
    height, width = (length - length % COARSE for length in levels.shape[:2])
    cells = levels[:height, :width].reshape(height // COARSE, COARSE, width // COARSE, COARSE, -1)
    return bool((cells == cells[:, :1, :, :1]).all())


def _levels(picture: Float64, width: int) -> Float64:
    """(H, W, C), whole numbers from 0 to 255."""
    return np.asarray(np.rint(np.clip(picture, 0, 1) * 255).reshape(-1, width, picture.shape[1]))


def _first(plane: Bool, axis: int) -> Bool:
    """The first of each two neighbours along an axis."""
    return plane[:-1] if axis == 0 else plane[:, :-1]


def _second(plane: Bool, axis: int) -> Bool:
    """The second of them."""
    return plane[1:] if axis == 0 else plane[:, 1:]
