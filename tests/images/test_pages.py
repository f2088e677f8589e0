"""How many frames and pages there are."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Pillow

from made_pictures import GOOD, RGB, stored
from uhop_cli.images.decode import decode
from uhop_cli.images.pages import MAX_PAGES, pages

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
