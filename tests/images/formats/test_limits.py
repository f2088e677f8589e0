"""Damaged and hostile files: a picture or a refusal, in bounded time and memory."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from made_pictures import (
    GOOD,
    RGB,
    chunk,
    png,
    refusal,
    stored,
    tiff_with_tags,
)
from uhop_cli.errors import ImageError
from uhop_cli.images import decode as module
from uhop_cli.images.decode import decode, read_header
from uhop_cli.images.formats import limits as guards
from uhop_cli.images.resample import Axis


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
    assert outcomes[0] == outcomes[1] == "refused"


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


def test_a_pcx_without_its_colours_is_cut_short():
    whole = GOOD["PCX palette"]
    assert "its colours stand at its end" in refusal(whole[:-1]).message
    for end in range(128, len(whole) - 1):  # also where what is left happens to look like the mark before the colours
        lucky = bytearray(whole[:end])
        if end >= 128 + 769:
            lucky[-769] = 0x0C
        assert "its colours stand at its end" in refusal(bytes(lucky)).message
    assert decode(whole[:-769] + b"padding" + whole[-769:]).flaw is None
    assert decode(GOOD["PCX palette"]).flaw is None


def test_a_very_large_jpeg_comes_at_half_its_size_if_it_is_read_line_by_line(monkeypatch):
    pixels = np.asarray(Pillow.fromarray(RGB).resize((64, 48), Pillow.Resampling.BICUBIC))
    for name, place in (("MAX_PIXELS", module), ("MAX_PIXELS", guards)):
        monkeypatch.setattr(place, name, 64 * 48 - 1)
    image = decode(stored(Pillow.fromarray(pixels), "JPEG", quality=95))
    assert image.pixels.shape == (24, 32, 3)
    assert image.axes == (Axis(48, 2), Axis(64, 2))
    assert read_header(stored(Pillow.fromarray(pixels), "JPEG")).width == 64
    assert decode(stored(Pillow.fromarray(pixels), "JPEG"), draft=(1, 1)).pixels.shape[0] < 24
    assert decode(stored(Pillow.fromarray(pixels[:-1]), "JPEG")).axes is None
    assert "too large" in refusal(stored(Pillow.fromarray(pixels), "JPEG", progressive=True)).message
    assert "too large" in refusal(stored(Pillow.fromarray(pixels), "PNG")).message
    monkeypatch.setattr(guards, "MAX_JPEG_PIXELS", 64 * 48 - 1)
    assert "too large" in refusal(stored(Pillow.fromarray(pixels), "JPEG")).message
