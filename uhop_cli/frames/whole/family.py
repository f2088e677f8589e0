"""The frames in which a whole picture may lie in a query, coarse enough to be tried one by one on canvases of some pixels.

A canvas is a grid of n x n cells over the original. With r the query's aspect after a turn over the original's:

* query inside canvas (a crop, or all of it): it covers the shares (s, s/r) of the canvas's sides where r >= 1, else (s r, s), with
  s = .85^k, k = 0 .. 5, and at least a tenth of its area; places 1.5 cells apart;
* canvas inside query (a border, a screenshot): the larger of U, V is .85^k, k = 1 .. 5, U/V = 1/r, at least .08 of the query;
  places 2.25 cells apart;
* the whole query stretched onto the canvas, also moved by a step in each of the four directions, unturned and not mirrored;
* rotations by 9, 18, 27, 36 and 45 degrees either way about the middle, unturned, not mirrored or mirrored. Of a query of height 1
  and width W the original has the heights 1, W/(a cos t + sin t), 1/(a sin t + cos t), .65, .8, 1.2 and 1.45, a its aspect.

All but the last two in all eight turns.

Crops have a family of their own for canvases of 12 x 12 cells, upright and mirrored: s = .9^k, places one cell apart.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from uhop_cli.frames.frame import Frame

GROUP = 0.12  # logarithm of the ratio of the aspects of neighbouring groups
CANVAS = 8
CROP_STEP, BORDER_STEP = 1.5, 2.25
SIZES = 5
RATIO = 0.85
CROP_CANVAS, CROP_SIZES, CROP_RATIO = 12, 11, 0.9
LEAST_COVERED, LEAST_SHOWN = 0.1, 0.08
ANGLES = (9, 18, 27, 36, 45)
HEIGHTS = (0.65, 0.8, 1.2, 1.45)


def aspect_group(aspect: float) -> int:
    """The group that originals of an aspect, width over height, are tried together in: round(ln(aspect)/.12)."""
    return round(math.log(aspect) / GROUP)


def whole_picture_frames(query_aspect: float, group: int, canvas: int = CANVAS) -> list[Frame]:
    """All frames for the originals of a group, in a query of an aspect, the unturned ones first."""
    aspect = math.exp(GROUP * group)
    frames = list(_stretched(canvas))
    ratios = query_aspect / aspect, 1 / (query_aspect * aspect)  # before and after a quarter turn
    sizes = tuple(RATIO**k for k in range(SIZES + 1))
    places = [(*_crops(r, sizes, CROP_STEP / canvas), *_borders(r, canvas)) for r in ratios]
    for mirrored in (False, True):
        for turn in range(4):
            frames += [Frame(*place, turn, mirrored) for place in places[turn % 2]]
    frames += list(_rotated(query_aspect, aspect))
    return frames


def crop_frames(query_aspect: float, group: int) -> list[Frame]:
    """The finer frames of crops, for the originals of a group, in a query of an aspect."""
    sizes = tuple(CROP_RATIO**k for k in range(CROP_SIZES + 1))
    places = list(_crops(query_aspect / math.exp(GROUP * group), sizes, 1 / CROP_CANVAS))
    return [Frame(*place, 0, mirrored) for mirrored in (False, True) for place in places]


Place = tuple[float, float, float, float]


def _crops(r: float, sizes: tuple[float, ...], step: float) -> Iterator[Place]:
    for s in sizes:
        wide, tall = (s, s / r) if r >= 1 else (s * r, s)
        if wide * tall < LEAST_COVERED:
            continue
        for top in _offsets(1 - tall, step):
            for left in _offsets(1 - wide, step):
                yield -left / wide, -top / tall, 1 / wide, 1 / tall


def _borders(r: float, canvas: int) -> Iterator[Place]:
    for k in range(1, SIZES + 1):
        s = RATIO**k
        width, height = (s / r, s) if r >= 1 else (s, s * r)
        if width * height < LEAST_SHOWN:
            continue
        for y in _offsets(1 - height, BORDER_STEP * height / canvas):
            for x in _offsets(1 - width, BORDER_STEP * width / canvas):
                yield x, y, width, height


def _stretched(canvas: int) -> Iterator[Frame]:
    step = CROP_STEP / canvas
    for x, y in ((0, 0), (-step, 0), (step, 0), (0, -step), (0, step)):
        yield Frame(x, y, 1, 1)


def _rotated(query_aspect: float, aspect: float) -> Iterator[Frame]:
    for degrees in ANGLES:
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        for height in (1.0, query_aspect / (aspect * cos + sin), 1 / (aspect * sin + cos), *HEIGHTS):
            width = height * aspect / query_aspect
            if not LEAST_SHOWN <= width * height <= 1 / LEAST_COVERED:
                continue
            for angle in (degrees, -degrees):
                for mirrored in (False, True):
                    yield Frame((1 - width) / 2, (1 - height) / 2, width, height, 0, mirrored, angle)


def _offsets(room: float, step: float) -> list[float]:
    """Places from 0 to `room`, both included, evenly spaced and at most `step` apart."""
    count = math.ceil(max(0.0, room) / step - 1e-9) + 1
    return [max(0.0, room) * place / max(1, count - 1) for place in range(count)]
