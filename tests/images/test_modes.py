"""Every mode of pixels that is accepted, exactly."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from PIL import Image as Pillow

from made_pictures import (
    ALPHA,
    GRAY,
    RGB,
    WIDE,
    check,
    chunk,
    palette_image,
    png,
    stored,
)
from uhop_cli.errors import ImageError
from uhop_cli.images.decode import decode, read_header


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "PPM"])
def test_rgb(kind):
    check(stored(Pillow.fromarray(RGB), kind, **({"lossless": True} if kind == "WEBP" else {})), RGB, gray=False)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_grey(kind):
    check(stored(Pillow.fromarray(GRAY), kind), GRAY, gray=True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_one_bit(kind):
    check(stored(Pillow.fromarray(GRAY > 99), kind), (GRAY > 99) * 255, gray=True)


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_few_bits(depth):
    values = np.arange(8) % 2**depth
    packed = np.packbits(((values[:, None] >> np.arange(depth - 1, -1, -1)) & 1).astype(np.uint8).ravel()).tobytes()
    check(png(8, 1, depth, 0, [packed]), np.rint(values * 255 / (2**depth - 1)), gray=True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_with_alpha(kind):
    check(stored(Pillow.fromarray(np.dstack((GRAY, ALPHA))), kind), GRAY, ALPHA, gray=True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_rgb_with_alpha(kind):
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    check(stored(Pillow.fromarray(np.dstack((RGB, ALPHA))), kind, **options), RGB, ALPHA, gray=False)


def test_alpha_that_hides_nothing_is_none():
    opaque = np.dstack((RGB, np.full_like(ALPHA, 255)))
    check(stored(Pillow.fromarray(opaque)), RGB, gray=False)


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "TIFF"])
def test_palette(kind):
    indexed, colors = palette_image()
    check(stored(indexed, kind), colors, gray=False)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_one_transparent_colour(kind):
    indexed, colors = palette_image()
    image = decode(stored(indexed, kind, transparency=2))
    hidden = GRAY % 4 == 2
    assert np.array_equal(image.alpha, np.where(hidden, 0, 255))
    assert np.array_equal(image.pixels[~hidden], colors[~hidden])


def test_palette_with_an_alpha_for_each_colour():
    indexed, colors = palette_image()
    check(stored(indexed, transparency=bytes([0, 80, 160, 255])), colors, np.array([0, 80, 160, 255])[GRAY % 4], gray=False)


def test_a_transparent_colour_of_rgb_and_grey():
    color = tuple(int(v) for v in RGB[2, 3])
    hidden = np.all(RGB[2, 3] == RGB, axis=2)
    check(stored(Pillow.fromarray(RGB), transparency=color), RGB, np.where(hidden, 0, 255), gray=False)
    value = int(GRAY[0, 0])
    check(stored(Pillow.fromarray(GRAY), transparency=value), GRAY, np.where(value == GRAY, 0, 255), gray=True)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    WIDE[0, :2] = 0, 65535
    check(stored(Pillow.fromarray(WIDE), kind), np.rint(WIDE / 257), gray=True)


def test_16_bit_grey_with_a_transparent_value():
    lines = [line.astype(">u2").tobytes() for line in WIDE]
    data = png(8, 6, 16, 0, lines, chunk(b"tRNS", struct.pack(">H", int(WIDE[1, 1]))))
    check(data, np.rint(WIDE / 257), np.where(WIDE[1, 1] == WIDE, 0, 255), gray=True)


def test_16_bit_rgb_keeps_the_upper_bytes():
    deep = (RGB.astype(np.uint16) << 8) | 0x37
    lines = [line.astype(">u2").tobytes() for line in deep]
    check(png(8, 6, 16, 2, lines), RGB, gray=False)
    hidden = np.all(RGB[4, 4] == RGB, axis=2)
    trns = chunk(b"tRNS", struct.pack(">HHH", *(int(v) for v in deep[4, 4])))
    check(png(8, 6, 16, 2, lines, trns), RGB, np.where(hidden, 0, 255), gray=False)


def test_16_bit_pgm():
    data = b"P5 8 6 65535\n" + WIDE.astype(">u2").tobytes()
    check(data, np.rint(WIDE / 257), gray=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-1.0, 0.0, 1.0], [0, 128, 255]),
        ([1000.0, 2000.0, 3000.0], [0, 128, 255]),
        ([np.nan, 0.25, np.inf], [0, 64, 255]),
        ([7e30, 7e30, 7e30], [0, 0, 0]),
    ],
)
def test_floats_have_a_stated_scale(values, expected):
    array = np.array([values], np.float32)
    assert decode(stored(Pillow.fromarray(array), "TIFF")).pixels.ravel().tolist() == expected


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 100, 255], [0, 100, 255]), ([0, 257, 65535], [0, 1, 255]), ([-5, 0, 5], [0, 128, 255])]
)
def test_integers_have_a_stated_scale(values, expected):
    array = np.array([values], np.int32)
    assert decode(stored(Pillow.fromarray(array), "TIFF")).pixels.ravel().tolist() == expected


def test_floats_without_one_finite_value_are_refused():
    with pytest.raises(ImageError, match="finite"):
        decode(stored(Pillow.fromarray(np.full((2, 2), np.nan, np.float32)), "TIFF"))


def test_jpeg_grey_colour_and_cmyk():
    y, x = np.mgrid[:64, :64]
    smooth = np.stack((x * 4, y * 4, (x + y) * 2), axis=2).astype(np.uint8)
    for mode, gray in (("RGB", False), ("L", True), ("CMYK", False)):
        source = Pillow.fromarray(smooth).convert(mode)
        data = stored(source, "JPEG", quality=98)
        image = decode(data)
        assert read_header(data).gray == gray
        wanted = np.asarray(source.convert("L" if gray else "RGB")).reshape(64, 64, -1)
        assert np.abs(image.pixels.astype(int) - wanted).mean() < 3
    assert b"Adobe" in stored(Pillow.fromarray(smooth).convert("CMYK"), "JPEG"), "Pillow writes CMYK inverted, as Adobe does"


@pytest.mark.parametrize(
    ("lab", "rgb"),
    [
        ((100, 0, 0), (255, 255, 255)),
        ((0, 0, 0), (0, 0, 0)),
        ((54.29, 80.80, 69.89), (255, 0, 0)),  # the primaries of sRGB as its profile, made for D50, has them
        ((87.82, -79.27, 80.99), (0, 255, 0)),
        ((29.57, 68.29, -112.03), (0, 0, 255)),
        ((53.59, 0, 0), (128, 128, 128)),
        ((3, 0, 0), (11, 11, 11)),  # in the straight part of both curves: Y = 3 / 903.3, and 12.92 Y
    ],
)
def test_lab(lab, rgb):
    in_file = np.rint([lab[0] * 2.55, lab[1], lab[2]]).astype(int) % 256
    data = stored(Pillow.frombytes("LAB", (1, 1), bytes(in_file.tolist())), "TIFF")
    assert np.abs(decode(data).pixels.ravel().astype(int) - rgb).max() <= 10  # a step of a* is so much near black
    assert not read_header(data).gray
