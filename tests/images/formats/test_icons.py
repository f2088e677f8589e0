"""Icons hold no more than they say."""

from __future__ import annotations

import struct

from made_pictures import GOOD, png, refusal


def test_an_icon_shows_what_its_directory_says():
    icon = GOOD["ICO"]
    assert "cut short" in refusal(icon[:14] + struct.pack("<I", len(icon)) + icon[18:]).message
    for width, height in ((1025, 1), (1, 1025)):
        inside = png(width, height, 8, 2, [b"\0" * 3 * width] * height)
        head = b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 1, 1, 0, 0, 1, 32, len(inside), 22)
        assert "icons are read up to 1024 pixels" in refusal(head + inside).message
    for form in (struct.pack("<IiiHH", 40, 60000, -60000, 1, 24), struct.pack("<IHHHH", 12, 60000, 60000, 1, 24)):
        head = b"\0\0\1\0\1\0" + struct.pack("<BBBBHHII", 1, 1, 0, 0, 1, 24, 100, 22)
        assert "icons are read up to" in refusal(head + form.ljust(100, b"\0")).message
