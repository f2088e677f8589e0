"""What is not read is named, with the cure."""

from __future__ import annotations

import pytest

from made_pictures import (
    refusal,
    tiff_with_tags,
)
from uhop_cli.images.decode import decode
from uhop_cli.images.formats import sniff, sniff_named


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"", "an empty file", "copy it"),
        (bytes(60000), "a file of zeros", "copy it"),
        (b"\n<!DOCTYPE HTML><html>", "a web page", "download"),
        (b"\xef\xbb\xbf<html>", "a web page", "download"),
        (b"\0\0\2" + bytes(9) + b"\x20\0\x10\0\x18\0" + bytes(40), "TGA pictures are not read", "PNG"),
        (b"\0\1\1\0\0\0\1\x18" + bytes(4) + b"\x20\0\x10\0\x08\0" + bytes(40), "TGA", "PNG"),
        (b"\0\0\1\0\2\0\x20\x20" + bytes(40), "icon", "PNG"),
        (b"\0\0\2\0\1\0\x20\x20" + bytes(40), "cursor", "PNG"),
        (b"\x0a\5\1\x08\0\0\0\0\x1f\0\x0f\0" + bytes(40), "PCX", "PNG"),
        (b"II\x1a\0\0\0HEAPCCDR", "camera raw", "raw developer"),
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


def test_a_raw_file_in_tiff_form_is_known_by_its_tags():
    assert decode(tiff_with_tags([])).pixels.ravel().tolist() == [1, 2, 3, 4]
    assert "camera raw" in refusal(tiff_with_tags([(50706, 4, 0x0104)])).message
    assert "camera raw" in refusal(tiff_with_tags([(254, 4, 1), (330, 4, 8)])).message


def test_a_suffix_counts_for_camera_raw_alone():
    jpeg, tiff = b"\xff\xd8\xff\xe0", b"MM\0*\0\0\0\x08"
    for suffix in (".heic", ".AVIF", ".png", ".nef", ""):
        assert sniff_named(jpeg, suffix).format == "JPEG"
    for data in (tiff, b"nothing that is known"):
        assert sniff_named(data, ".NEF").name == "camera raw"
        assert sniff_named(data, ".tif") == sniff(data)
