"""Embedded pictures: their shape is true, and the page stays small."""

from __future__ import annotations

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from made_pictures import stored
from uhop_cli.cli.report.shots import LARGEST, PAGE_BYTES, SMALLEST, Room, embedded, shot
from uhop_cli.cli.screen.pictures import Picture

RNG = np.random.default_rng(0)


def opened(source: str) -> Image.Image:
    head, _, data = source.partition(";base64,")
    assert head in ("data:image/webp", "data:image/png")
    return Image.open(BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize(("rows", "columns"), [(600, 800), (800, 600), (2000, 100)])
def test_a_picture_keeps_its_shape(rows: int, columns: int) -> None:
    made = shot(Picture("x", RNG.integers(0, 256, (rows, columns, 3), dtype=np.uint8)), Room(10))
    assert max(made.width, made.height) == LARGEST
    assert made.width / made.height == pytest.approx(columns / rows, rel=0.06)
    assert opened(made.source).size == (made.width, made.height)
    assert not made.coarse


def test_a_pattern_is_shown_in_the_shape_of_its_picture_with_its_own_pixels() -> None:
    gray = RNG.integers(0, 256, (4, 4, 1), dtype=np.uint8)
    made = shot(Picture("x", gray, aspect=2.0), Room(2))
    assert (made.width, made.height, made.coarse) == (360, 180, True)
    image = opened(made.source)
    assert image.size == (360, 180)  # a browser takes the shape from the pixels
    assert np.abs(np.asarray(image.convert("L")).astype(int)[22::45, 45::90] - gray[:, :, 0]).max() < 8
    assert opened(shot(Picture("x", gray), Room(2)).source).size == (4, 4)  # its own pixels, which have its shape


def test_many_pictures_take_no_more_room_than_few() -> None:
    noise = Picture("x", RNG.integers(0, 256, (400, 300, 3), dtype=np.uint8))  # the worst to compress
    sides = []
    for count in (2, 200, 1000, 4000):
        made = shot(noise, Room(count))
        assert len(made.source) * count < 1.5 * PAGE_BYTES
        sides.append(max(made.width, made.height))
    assert sides == sorted(sides, reverse=True)
    assert sides[0] == LARGEST
    assert SMALLEST < sides[-1] < sides[1]
    assert Room(10**9).side == SMALLEST


def test_a_figure_is_embedded_as_it_is() -> None:
    png = stored(Image.new("RGB", (30, 20)))
    made = embedded("f", png)
    assert (made.width, made.height) == (30, 20)
    assert base64.b64decode(made.source.partition(",")[2]) == png
