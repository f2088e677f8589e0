"""Decoding: every mode and format that is accepted, exactly; everything else refused in one line."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL.PngImagePlugin import PngInfo

from uhop_cli.errors import ImageError
from uhop_cli.images import decode as module
from uhop_cli.images import guards
from uhop_cli.images.decode import Header, decode, read_bytes, read_header
from uhop_cli.images.patterns import PatternSpec, to_pattern

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8)
GRAY = RNG.integers(0, 256, (6, 8), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (6, 8), dtype=np.uint8)


def stored(image, kind="PNG", **options):
    buffer = BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, depth, color, lines, *chunks):
    """A PNG written by hand, for the variants that Pillow does not write; `lines` are unfiltered rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + line for line in lines))
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", body), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def check(data, pixels, alpha=None, *, gray):
    image = decode(data)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.shape[2] == (1 if gray else 3)
    assert np.array_equal(np.squeeze(image.pixels), np.squeeze(pixels))
    if alpha is None:
        assert image.alpha is None
    else:
        assert np.array_equal(image.alpha, alpha)
    header = read_header(data)
    assert (header.width, header.height) == (image.width, image.height)
    assert header.gray == gray
    assert header.alpha or image.alpha is None


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


def palette_image():
    indexed = Pillow.fromarray((GRAY % 4).astype(np.uint8), "L").convert("P")
    indexed.putdata((GRAY % 4).ravel().tolist())
    indexed.putpalette([9, 8, 7, 60, 50, 40, 100, 110, 120, 250, 251, 252])
    return indexed, np.array([[9, 8, 7], [60, 50, 40], [100, 110, 120], [250, 251, 252]], np.uint8)[GRAY % 4]


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


WIDE = RNG.integers(0, 65536, (6, 8)).astype(np.uint16)


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


def turned(array, orientation):
    return {
        1: array,
        2: array[:, ::-1],
        3: array[::-1, ::-1],
        4: array[::-1],
        5: array.swapaxes(0, 1),
        6: np.rot90(array, -1),
        7: np.rot90(array, 2).swapaxes(0, 1),
        8: np.rot90(array),
    }[orientation]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF", "JPEG"])
def test_exif_orientation(kind, orientation):
    y, x = np.mgrid[:48, :32]
    smooth = np.stack((x * 6, y * 4, x + y), axis=2).astype(np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = stored(Pillow.fromarray(smooth), kind, exif=exif, **({"lossless": True} if kind == "WEBP" else {}))
    image = decode(data)
    expected = turned(smooth, orientation)
    header = read_header(data)
    assert (header.height, header.width) == image.pixels.shape[:2] == expected.shape[:2]
    assert np.abs(image.pixels.astype(int) - expected).mean() < (4 if kind == "JPEG" else 1e-9)


def test_orientation_after_the_pixels_of_a_png_and_in_xmp():
    exif = Pillow.Exif()
    exif[0x0112] = 6
    late = stored(Pillow.fromarray(RGB))
    late = late[:-12] + chunk(b"eXIf", exif.tobytes()[6:]) + late[-12:]
    assert decode(late).pixels.shape == (8, 6, 3)
    assert read_header(late).width == 6
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf tiff:Orientation="3"/></x:xmpmeta>')
    assert np.array_equal(decode(stored(Pillow.fromarray(RGB), pnginfo=info)).pixels, RGB[::-1, ::-1])


def test_the_first_frame_of_an_animation():
    frames = [Pillow.fromarray(f) for f in (RGB, 255 - RGB, RGB // 2)]
    for kind in ("PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = stored(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        assert np.array_equal(decode(data).pixels, RGB), kind
    indexed, colors = palette_image()
    data = stored(indexed, "GIF", save_all=True, append_images=[frames[1].convert("P")])
    assert np.array_equal(decode(data).pixels, colors)


def test_the_first_picture_of_an_mpo():
    y, x = np.mgrid[:32, :32] * 8
    first = np.stack((x, y, x), axis=2).astype(np.uint8)
    data = stored(Pillow.fromarray(first), "MPO", save_all=True, append_images=[Pillow.fromarray(255 - first)])
    assert np.abs(decode(data).pixels.astype(int) - first).mean() < 8


@pytest.mark.parametrize(
    ("data", "rows"),
    [
        (b"P1 # note\n3 1\n1 0 1", [0, 255, 0]),
        (b"P2\n3 1\n255\n1 2 250", [1, 2, 250]),
        (b"P2\n3 1\n15\n0 5 15", [0, 85, 255]),
        (b"P3 1 1 255 3 2 1", [3, 2, 1]),
        (b"P4 3 1\n\xa0", [0, 255, 0]),
        (b"P5 3 1 100\n\x00\x32\x64", [0, 128, 255]),
        (b"P6 1 1 65535\n\xff\xff\x80\x00\x00\x00", [255, 128, 0]),
    ],
)
def test_netpbm(data, rows):
    assert decode(data).pixels.ravel().tolist() == rows


def test_draft_keeps_six_times_the_pattern_and_the_picture():
    y, x = np.mgrid[:1200, :1800]
    large = np.stack((x / 8, y / 5, 128 + 60 * np.sin(x / 40)), axis=2).astype(np.uint8)
    for kind in ("JPEG", "PNG"):
        data = stored(Pillow.fromarray(large), kind)
        full, small = decode(data).pixels, decode(data, draft=(32, 16)).pixels
        assert full.shape == large.shape
        assert 192 <= min(small.shape[:2]) < 600
        assert small.shape[1] / small.shape[0] == pytest.approx(1.5, rel=0.01)
        factor = 1200 // small.shape[0]
        means = full.reshape(small.shape[0], factor, small.shape[1], factor, 3).mean(axis=(1, 3))
        assert np.abs(small - means).max() < 6
        assert np.array_equal(decode(data, draft=(640, 640)).pixels, full)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_reduced_picture_gives_the_pattern_of_the_whole_one(kind, orientation):
    """Sizes that no step divides: the last row and column of a reduced picture are narrow, at whichever end they come to lie."""
    y, x = np.mgrid[:203, :301]
    waves = np.stack((128 + 100 * np.sin(x / 9), 128 + 100 * np.cos(y / 7), (x + y) / 2), axis=2).astype(np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = stored(Pillow.fromarray(waves), kind, exif=exif, **({"quality": 95} if kind == "JPEG" else {}))
    spec = PatternSpec(8, 8, 3)
    full, reduced = (to_pattern(decode(data, draft=draft), spec).astype(int) for draft in (None, (8, 8)))
    assert decode(data, draft=(8, 8)).width < decode(data).width
    assert np.abs(full - reduced).max() <= 2


def test_reduction_leaves_out_what_is_transparent():
    pixels = np.zeros((512, 512, 4), np.uint8)
    pixels[:, 1::2] = (200, 100, 50, 255)
    pixels[:, ::2] = (0, 255, 0, 0)
    image = decode(stored(Pillow.fromarray(pixels)), draft=(16, 16))
    assert image.pixels.shape == (128, 128, 3)
    assert np.abs(image.pixels.astype(int) - (200, 100, 50)).max() <= 1
    assert np.abs(image.alpha.astype(int) - 128).max() <= 1


def test_strips_join_without_a_seam(monkeypatch):
    from uhop_cli.images import modes

    pixels = RNG.integers(0, 256, (70, 50, 4), dtype=np.uint8)
    wide = RNG.integers(0, 65536, (70, 50)).astype(np.uint16)
    whole = [decode(stored(Pillow.fromarray(p)), draft=d) for p in (pixels, wide) for d in (None, (3, 3))]
    monkeypatch.setattr(modes, "_STRIP_PIXELS", 200)
    for (p, d), one in zip(((p, d) for p in (pixels, wide) for d in (None, (3, 3))), whole, strict=True):
        other = decode(stored(Pillow.fromarray(p)), draft=d)
        assert np.array_equal(one.pixels, other.pixels)
        assert (one.alpha is None and other.alpha is None) or np.array_equal(one.alpha, other.alpha)


def refusal(data, **options):
    with pytest.raises(ImageError) as caught:
        decode(data, **options)
    message = caught.value.message
    assert "\n" not in message
    assert message.isprintable()
    assert len(message) < 200
    with contextlib.suppress(ImageError):  # the pixels may be all that is wrong
        read_header(data)
    return caught.value


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"", "an empty file", ""),
        (b"hello, world, this is text", "not an image", "are read"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC pictures are not read", "magick"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF pictures are not read", "magick"),
        (b"\0\0\0\x18ftypcrx \0\0\0\x01crx isom", "camera raw", "raw developer"),
        (b"II*\0\x10\0\0\0CR\x02\0", "camera raw", "raw developer"),
        (b"FUJIFILMCCD-RAW 0201", "camera raw", "raw developer"),
        (b"8BPS\0\x01", "Photoshop", "PNG"),
        (b"\0\0\0\x18ftypisom\0\0\0\0isommp42", "not an image", "are read"),
        (b"<svg xmlns=", "SVG", "PNG"),
    ],
)
def test_what_is_not_read_is_named_with_the_cure(data, message, hint):
    error = refusal(data)
    assert message in error.message
    assert hint in (error.hint or "")


def tiff_with_tags(tags):
    """A TIFF of one byte a pixel with further tags (tag, type, value)."""
    entries = sorted(
        [(256, 4, 2), (257, 4, 2), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 0), (278, 4, 2), (279, 4, 4), *tags]
    )
    end = 8 + 2 + 12 * len(entries) + 4
    body = b"".join(struct.pack("<HHII", tag, kind, 1, end if tag == 273 else value) for tag, kind, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + body + struct.pack("<I", 0) + b"\1\2\3\4"


def test_a_raw_file_in_tiff_form_is_known_by_its_tags():
    assert decode(tiff_with_tags([])).pixels.ravel().tolist() == [1, 2, 3, 4]
    assert "camera raw" in refusal(tiff_with_tags([(50706, 4, 0x0104)])).message
    assert "camera raw" in refusal(tiff_with_tags([(254, 4, 1), (330, 4, 8)])).message


GOOD = {
    "PNG": stored(Pillow.fromarray(np.dstack((RGB, ALPHA)))),
    "PNG palette": stored(palette_image()[0], transparency=bytes([0, 80, 160, 255])),
    "PNG 16": stored(Pillow.fromarray(WIDE)),
    "JPEG": stored(Pillow.fromarray(RGB), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"),
    "JPEG progressive": stored(Pillow.fromarray(RGB), "JPEG", progressive=True),
    "JPEG CMYK": stored(Pillow.fromarray(RGB).convert("CMYK"), "JPEG"),
    "WEBP": stored(Pillow.fromarray(RGB), "WEBP", lossless=True),
    "GIF": stored(palette_image()[0], "GIF", transparency=1),
    "BMP": stored(Pillow.fromarray(RGB), "BMP"),
    "TIFF": stored(Pillow.fromarray(RGB), "TIFF"),
    "TIFF LZW": stored(Pillow.fromarray(RGB), "TIFF", compression="tiff_lzw"),
    "TIFF JPEG": stored(Pillow.fromarray(RGB), "TIFF", compression="jpeg"),
    "TIFF G4": stored(Pillow.fromarray(GRAY > 99), "TIFF", compression="group4"),
    "PPM": stored(Pillow.fromarray(RGB), "PPM"),
    "PGM plain": b"P2\n3 2\n255\n1 2 250\n4 5 6\n",
}


def outcome(data):
    """Decodes, and checks that either a sound picture or a one-line refusal comes out."""
    results = []
    for draft in (None, (1, 1)):
        try:
            image = decode(data, draft=draft)
            assert image.pixels.dtype == np.uint8
            assert image.pixels.ndim == 3
            assert image.pixels.size > 0
            assert image.alpha is None or image.alpha.shape == image.pixels.shape[:2]
            header = read_header(data)
            assert draft is not None or (header.width, header.height) == (image.width, image.height)
            results.append("read")
        except ImageError as error:
            results.append(error.message)
    for message in results:
        assert message.isprintable()
        assert len(message) < 200
    return "read" if results[0] == "read" else "refused"


@pytest.mark.parametrize("name", GOOD)
def test_every_truncation_ends_in_a_picture_or_a_refusal(name):
    data = GOOD[name]
    step = max(1, len(data) // 150)
    outcomes = [outcome(data[:end]) for end in range(0, len(data), step)]
    assert outcome(data) == "read"
    assert outcomes.count("refused") > len(outcomes) * 0.4


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.data())
def test_flipped_bits_end_in_a_picture_or_a_refusal(name, data):
    damaged = bytearray(GOOD[name])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    outcome(bytes(damaged))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(GOOD)), st.sampled_from(sorted(GOOD)), st.data())
def test_spliced_files_end_in_a_picture_or_a_refusal(first, second, data):
    head = GOOD[first][: data.draw(st.integers(1, len(GOOD[first])))]
    outcome(head + GOOD[second][data.draw(st.integers(0, len(GOOD[second]) - 1)) :])


@settings(max_examples=60, deadline=None)
@given(st.sampled_from([d[:12] for d in GOOD.values()]), st.binary(max_size=200))
def test_a_right_beginning_and_rubbish_end_in_a_refusal_or_a_picture(head, rubbish):
    outcome(head + rubbish)


def webp_canvas(width, height):
    body = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


BOMBS = {
    "PNG": png(60000, 60000, 8, 2, [b"\0" * 100]),
    "PNG long": png(2_000_000_000, 1, 1, 0, [b"\0"]),
    "PNG narrow": png(1, 70_000, 1, 0, [b"\0"] * 70_000),
    "PNG text": png(1, 1, 8, 0, [b"\0"], chunk(b"zTXt", b"a\0\0" + zlib.compress(b"\0" * 50_000_000))),
    "JPEG": GOOD["JPEG"].replace(struct.pack(">HH", 6, 8), struct.pack(">HH", 65000, 65000)),
    "WEBP": webp_canvas(16383, 16383),
    "WEBP within Pillow's limit": webp_canvas(8000, 6000),
    "GIF": b"GIF89a" + struct.pack("<HH", 65535, 65535) + GOOD["GIF"][10:],
    "BMP": GOOD["BMP"][:18] + struct.pack("<ii", 60000, 60000) + GOOD["BMP"][26:],
    "TIFF": tiff_with_tags([]).replace(struct.pack("<HHII", 256, 4, 1, 2), struct.pack("<HHII", 256, 4, 1, 2**31)),
    "PPM": b"P6 99999 99999 255\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_from_the_header(name, monkeypatch):
    monkeypatch.setattr(module, "to_arrays", lambda *_: pytest.fail("decoded"))
    message = refusal(BOMBS[name]).message
    assert "too large" in message or name == "PNG text"


@pytest.mark.parametrize("options", [{}, {"lossless": True}, {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0"}])
def test_the_limit_of_webp_holds_for_each_of_its_kinds(options, monkeypatch):
    data = stored(Pillow.fromarray(RGB), "WEBP", **options)
    monkeypatch.setattr(guards, "WEBP_PIXELS", 48)
    assert decode(data).pixels.shape == (6, 8, 3)
    monkeypatch.setattr(guards, "WEBP_PIXELS", 47)
    assert "WebP is read up to" in refusal(data).message


def test_a_jpeg_with_thousands_of_scans_is_refused():
    progressive = stored(Pillow.fromarray(np.zeros((2000, 2000, 3), np.uint8)), "JPEG", progressive=True)
    scan = progressive.rindex(b"\xff\xda")
    bomb = progressive[:-2] + progressive[scan:-2] * 2000 + b"\xff\xd9"
    assert decode(progressive).pixels.shape == (2000, 2000, 3)
    assert "scans" in refusal(bomb).message


def test_variants_that_are_decoded_slowly_are_refused_when_large():
    assert "megapixels" in refusal(b"P2 2000 2000 255\n" + b"0 " * 10).message
    assert "megapixels" in refusal(b"P5 2000 2000 100\n" + bytes(4_000_000)).message
    assert "comments" in refusal(b"P2 2 2 255\n" + b"#\n" * 20_000 + b"1 2 3 4").message


def test_absurd_metadata_is_refused_before_it_is_parsed():
    gif, jpeg, picture = GOOD["GIF"], GOOD["JPEG"], GOOD["PNG"]
    start = gif.index(b"!")
    many = 150_000
    absurd = {
        "PNG": picture[:33] + chunk(b"abCd", b"") * many + picture[33:],
        "JPEG": jpeg[:2] + b"\xff\xfe\0\x02" * many + jpeg[2:],
        "JPEG padding": jpeg[:2] + b"\xff" * many + jpeg[2:],
        "GIF": gif[:start] + b"!\xfe\x01a\0" * many + gif[start:],
        "GIF parts": gif[:start] + b"!\xfe" + b"\x01a" * many + b"\0" + gif[start:],
    }
    for name, data in absurd.items():
        assert "absurd number" in refusal(data).message, name
    parts = jpeg[:2] + (b"\xff\xe1\0\x08Exif\0\0") * 200 + jpeg[2:]
    assert "metadata" in refusal(parts).message
    assert "header" in refusal(b"P6 " + b" " * 100_000 + b"1 1 255 abc").message
    a_few = picture[:33] + chunk(b"abCd", b"") * 1000 + picture[33:]
    assert np.array_equal(decode(a_few).pixels, decode(picture).pixels)


def test_reading_takes_regular_files_only(tmp_path, monkeypatch):
    path = tmp_path / "a\n.png"
    path.write_bytes(GOOD["PNG"])
    assert read_bytes(path) == GOOD["PNG"]
    assert read_bytes(str(path)) == GOOD["PNG"]
    for target in (tmp_path, tmp_path / "missing\x1b.png", "null\0byte"):
        with pytest.raises(ImageError) as caught:
            read_bytes(target)
        assert caught.value.message.isprintable()
    monkeypatch.setattr(module, "MAX_FILE_BYTES", len(GOOD["PNG"]) - 1)
    with pytest.raises(ImageError, match="larger than"):
        read_bytes(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_reading_never_waits_on_a_pipe(tmp_path):
    pipe = tmp_path / "pipe.png"
    os.mkfifo(pipe)
    errors = []

    def read():
        with pytest.raises(ImageError, match="not a regular file") as caught:
            read_bytes(pipe)
        errors.append(caught.value)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    thread.join(30)
    assert len(errors) == 1
    if os.path.exists("/dev/zero"):
        with pytest.raises(ImageError, match="not a regular file"):
            read_bytes("/dev/zero")


def test_an_unreadable_file_is_named(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(GOOD["PNG"])

    def deny(*_):
        raise PermissionError(13, "Permission denied")  # the tests may run as a user who may read everything

    monkeypatch.setattr(os, "open", deny)
    with pytest.raises(ImageError, match=r"a\.png: permission denied"):
        read_bytes(path)


def test_threads_decode_as_one_does(monkeypatch):
    monkeypatch.setattr(module, "LARGE_PIXELS", 10)  # so that the lock for large pictures is passed as well
    jobs = list(GOOD.values()) * 10
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(decode, jobs))
    for data, image in zip(jobs, together, strict=True):
        assert np.array_equal(decode(data).pixels, image.pixels)


def test_header_and_limits_of_a_plain_case():
    assert read_header(GOOD["PNG"]) == Header(8, 6, gray=False, alpha=True)
    assert read_header(GOOD["JPEG"]) == Header(6, 8, gray=False, alpha=False)


QUIET = """
import sys
from uhop_cli.errors import ImageError
from uhop_cli.images.decode import decode, read_header
for line in sys.stdin:
    for work in (read_header, decode):
        try:
            work(bytes.fromhex(line))
        except ImageError:
            pass
print("done")
"""


def test_damaged_files_write_nothing_to_the_terminal():
    rng = np.random.default_rng(1)
    damaged = []
    for data in GOOD.values():
        for _ in range(15):
            copy = bytearray(data)
            copy[rng.integers(8, len(copy))] ^= 0xFF
            damaged.append(bytes(copy))
        damaged.append(data[: len(data) * 2 // 3])
    feed = "\n".join(data.hex() for data in damaged)
    result = subprocess.run([sys.executable, "-c", QUIET], input=feed, capture_output=True, text=True, timeout=120, check=False)
    assert result.stdout == "done\n"
    assert result.stderr == ""
