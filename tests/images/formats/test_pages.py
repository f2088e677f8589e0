"""How many frames and pages there are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from made_pictures import GOOD, GRAY, RGB, heic, stored
from uhop_cli.errors import ImageError
from uhop_cli.images import decode as module
from uhop_cli.images.decode import Header, decode, page_count, read_header
from uhop_cli.images.formats.pages import MAX_PAGES, pages

FRAMES = [Pillow.fromarray(np.roll(RGB, 2 * turn, axis=1)) for turn in range(4)]


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_frames_are_counted(kind, count):
    data = stored(FRAMES[0], kind, **({"save_all": True, "append_images": FRAMES[1:count]} if count > 1 else {}))
    assert pages(data, kind) == count
    assert decode(data).pages == count


@pytest.mark.parametrize("name", GOOD)
def test_a_single_picture_and_what_is_left_of_it(name):
    kind = {"PGM": "PPM"}.get(name.split()[0], name.split()[0])
    for end in range(12, len(GOOD[name]) + 1):
        assert pages(GOOD[name][:end], kind) == 1


def test_a_chain_that_bites_its_tail_and_one_without_end():
    assert pages(b"II*\0\x08\0\0\0" + b"\0\0" + b"\x08\0\0\0", "TIFF") == 1
    assert pages(b"MM\0+" + b"\0\x08\0\0" + bytes(7) + b"\x10" + bytes(8) + bytes(8), "TIFF") == 1
    frame = b",\0\0\0\0\1\0\1\0\0\2\1\0\0"
    assert pages(b"GIF89a\1\0\1\0\0\0\0" + frame * (MAX_PAGES + 5) + b";", "GIF") == MAX_PAGES
    assert pages(b"GIF89a\1\0\1\0\0\0\0" + b"!\xf9\4\0\0\0\0\0" + frame * 3 + b";", "GIF") == 3


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "TIFF", "AVIF"])
def test_each_page_is_a_picture_of_its_own(kind):
    large = [frame.resize((32, 24), Pillow.Resampling.NEAREST) for frame in FRAMES[:3]]
    options = {"lossless": True} if kind == "WEBP" else {"quality": 100, "subsampling": "4:4:4"} if kind == "AVIF" else {}
    data = stored(large[0], kind, save_all=True, append_images=large[1:], **options)
    assert page_count(data) == 3
    for page, frame in enumerate(large, 1):
        image = decode(data, page=page)
        assert np.abs(image.pixels[..., :3].astype(int) - np.asarray(frame)).mean() < 8  # GIF has 256 colours, AVIF loses some
        assert image.pages == 3
        assert (read_header(data, page).width, read_header(data, page).height) == (32, 24)
    for page in (0, 4):
        with pytest.raises(ImageError, match=f"there is no page {page}, only 3"):
            decode(data, page=page)


def test_pages_may_differ_in_size_and_kind():
    data = stored(Pillow.fromarray(RGB), "TIFF", save_all=True, append_images=[Pillow.fromarray(GRAY[:5, :7])])
    assert np.array_equal(decode(data, page=2).pixels[:, :, 0], GRAY[:5, :7])
    assert read_header(data, 2) == Header(7, 5, gray=True, alpha=False)
    photos = heic(RGB.repeat(4, axis=0), GRAY[..., None].repeat(3, axis=2))
    assert page_count(photos) == 2
    assert decode(photos, page=2).pixels.shape == (6, 8, 3)


def test_a_later_page_is_whole_or_refused_and_never_too_far(monkeypatch):
    data = stored(FRAMES[0], "TIFF", save_all=True, append_images=FRAMES[1:])
    cut = bytearray(data)
    second = int.from_bytes(data[4:8], "little")
    assert decode(bytes(cut[: len(data) - 40])).flaw is None
    with pytest.raises(ImageError):
        decode(data[: second + 200], page=4)
    monkeypatch.setattr(module, "MAX_PAGED_PIXELS", 3 * 48)
    assert decode(data, page=3).pages == 4
    with pytest.raises(ImageError, match="after too many others"):
        decode(data, page=4)
