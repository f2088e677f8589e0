"""Decoding: formats, reduction, reading, threads; everything else refused in one line."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image as Pillow

from made_pictures import (
    GOOD,
    RGB,
    RNG,
    palette_image,
    stored,
)
from uhop_cli.errors import ImageError
from uhop_cli.images import decode as module
from uhop_cli.images.decode import Header, decode, read_bytes, read_header
from uhop_cli.images.patterns import PatternSpec, to_pattern


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
    with pytest.raises(ImageError, match=r"a\.png: cannot be read: Permission denied"):
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
