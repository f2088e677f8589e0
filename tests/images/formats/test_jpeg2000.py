"""JPEG 2000 files that ask for much are refused before the decoder sees them."""

from __future__ import annotations

import struct

import pytest
from PIL import Image as Pillow

from made_pictures import RGB, refusal, stored
from uhop_cli.images import decode as module


def jpeg2000(width, height, tile=0, channels=3, block=4, precincts=()):
    """The header of a JPEG 2000 file, bare, and nothing in it. `block`: exponent of two of its sides, less two."""
    size = struct.pack(">HIIIIIIIIH", 0, width, height, 0, 0, tile or width, tile or height, 0, 0, channels)
    style = bytes((bool(precincts), 0, 0, 1, 0, max(0, len(precincts) - 1), block, block, 0, 1, *precincts))
    parts = [(0x51, size + b"\x07\1\1" * channels), (0x52, style)]
    head = b"".join(bytes((0xFF, code)) + struct.pack(">H", len(body) + 2) + body for code, body in parts)
    return b"\xff\x4f" + head + b"\xff\x90\0\x0a" + bytes(7) + b"\1\xff\x93\xff\xd9"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (jpeg2000(5001, 4000), "too large"),
        (jpeg2000(4000, 4000, tile=32), "absurd number of parts"),  # 15,625 tiles
        (jpeg2000(4000, 4000, block=0), "absurd number of parts"),  # three million code-blocks
        (jpeg2000(4000, 4000, precincts=(0xFF, 0x11)), "absurd number of parts"),  # one by one
        (jpeg2000(4000, 4000, precincts=(0x11,)), "absurd number of parts"),
        (jpeg2000(60000, 60000, tile=1), "absurd number of parts"),
        (jpeg2000(9, 9, channels=5), "5 channels"),
        (jpeg2000(9, 9)[:-2], "cut short"),
        (b"\xff\x4f\xff\x51" + b"\xff\xd9", "without size"),
    ],
)
def test_a_jpeg_2000_of_absurd_demands_is_refused_before_its_decoder_sees_it(data, message, monkeypatch):
    monkeypatch.setattr(module, "to_arrays", lambda *_: pytest.fail("decoded"))
    assert message in refusal(data).message


def test_the_demands_of_the_tiles_of_a_jpeg_2000_count_too():
    whole = stored(Pillow.fromarray(RGB), "JPEG2000", no_jp2=True)
    style = b"\xff\x52\0\x0c" + bytes((0, 0, 0, 1, 0, 0, 0, 0, 0, 1))
    grown = whole[:8] + struct.pack(">II", 3000, 3000) + whole[16:24] + struct.pack(">II", 3000, 3000) + whole[32:]
    assert "damaged" in refusal(grown).message
    tile = whole.index(b"\xff\x93")
    assert "absurd number of parts" in refusal(grown[:tile] + style + grown[tile:]).message
