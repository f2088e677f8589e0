"""Files made of boxes: whole, or named as cut short."""

from __future__ import annotations

import struct

from made_pictures import GOOD, refusal
from uhop_cli.images.decode import decode


def test_a_file_of_boxes_is_not_taken_as_far_as_it_goes():
    for name in ("AVIF", "HEIF", "JPEG 2000", "ICO"):
        assert "cut short" in refusal(GOOD[name][:-1]).message
        assert decode(GOOD[name] + (b"" if name == "ICO" else b"\0\0\0\x0cfree1234")).flaw is None
    head = b"\0\0\0\x14ftypavif" + bytes(4) + b"avif"
    assert "absurd number" in refusal(head + b"\0\0\0\x08free" * 150_000).message
    assert "cut short" in refusal(head + b"\0\0\0\x01mdat" + struct.pack(">Q", 1 << 40)).message
    assert "damaged" in refusal(head + b"\0\0\0\x01mdat" + struct.pack(">Q", 8)).message  # smaller than its own head
