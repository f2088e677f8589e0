"""What is not read is named, with the cure."""

from __future__ import annotations

import sys

import pytest

from made_pictures import GOOD, RGB, heic, refusal, tiff_with_tags
from uhop_cli.images.decode import decode
from uhop_cli.images.formats.signatures import NOT_A_PICTURE, sniff, sniff_named


@pytest.mark.parametrize(
    ("data", "message", "hint"),
    [
        (b"", "an empty file", "copy it"),
        (bytes(60000), "a file of zeros", "copy it"),
        (b"\n<!DOCTYPE HTML><html>", "a web page", "download"),
        (b"\xef\xbb\xbf<html>", "a web page", "download"),
        (b"\0\0\2\0\1\0\x20\x20" + bytes(40), "cursor", "PNG"),
        (b"II\x1a\0\0\0HEAPCCDR", "camera raw", "raw developer"),
        (b"hello, world, this is text", "not an image", "are read"),
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


TGA = b"\0\0\2" + bytes(9) + b"\x20\0\x10\0\x18\0" + bytes(40)
PALETTE_TGA = b"\0\1\1\0\0\0\1\x18" + bytes(4) + b"\x20\0\x10\0\x08\0" + bytes(40)
ICO = b"\0\0\1\0\2\0\x20\x20" + bytes(40)
PCX = b"\x0a\5\1\x08\0\0\0\0\x1f\0\x0f\0" + bytes(40)


@pytest.mark.parametrize(
    ("data", "format"),
    [
        *((data, {"PGM": "PPM"}.get(name.split()[0], name.split()[0])) for name, data in GOOD.items() if "2000" not in name),
        (GOOD["JPEG 2000"], "JPEG 2000"),
        (GOOD["JPEG 2000"][GOOD["JPEG 2000"].index(b"\xff\x4f\xff\x51") :], "JPEG 2000"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIF"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "AVIF"),
        (TGA, "TGA"),
        (PALETTE_TGA, "TGA"),
        (ICO, "ICO"),
        (PCX, "PCX"),
        (PCX[:8] + b"\0" * 4 + PCX[12:], "PCX"),  # a single pixel
        (PCX[:4] + b"\x20" + PCX[5:], None),  # it would end before its beginning
        (PCX[:6] + b"\x10" + PCX[7:], None),
        (TGA[:12] + bytes(2) + TGA[14:], None),  # no width
        (TGA[:5] + b"\1" + TGA[6:], None),  # colours, and yet none
        (TGA[:17] + b"\x40" + TGA[18:], None),
        (TGA[:16], None),
    ],
)
def test_formats_are_told_by_their_first_bytes(data, format):
    assert sniff(data[:64]).format == format


@pytest.mark.parametrize(("data", "suffix", "other"), [(TGA, ".tga", ".dat"), (PCX, ".PCX", ".tga"), (ICO, ".ico", "")])
def test_in_folders_what_has_no_clear_signature_needs_its_suffix(data, suffix, other):
    assert sniff_named(data, suffix).format == sniff(data).format
    assert sniff_named(data, other) == NOT_A_PICTURE
    assert sniff_named(data, ".nef").name == "camera raw"


def test_the_end_of_a_file_may_say_that_it_is_a_tga():
    odd = GOOD["TGA"][:7] + b"\1" + GOOD["TGA"][8:]  # claims a palette, and yet none
    assert sniff(odd).format is None
    assert decode(odd).pixels.shape == RGB.shape
    assert "not an image" in refusal(odd[:-1]).message
    assert "not an image" in refusal(odd[:2] + b"\7" + odd[3:]).message


def test_without_the_extra_the_message_names_it(monkeypatch):
    photo = heic(RGB)
    assert decode(photo).pixels.shape == RGB.shape
    for module in ("pi_heif", "pi_heif.as_plugin"):
        monkeypatch.setitem(sys.modules, module, None)
    error = refusal(photo)
    assert error.message == "HEIF pictures need the extra `heif`"
    assert "uhop-cli[heif]" in error.hint


def test_a_suffix_counts_for_camera_raw_alone():
    jpeg, tiff = b"\xff\xd8\xff\xe0", b"MM\0*\0\0\0\x08"
    for suffix in (".heic", ".AVIF", ".png", ".nef", ""):
        assert sniff_named(jpeg, suffix).format == "JPEG"
    for data in (tiff, b"nothing that is known"):
        assert sniff_named(data, ".NEF").name == "camera raw"
        assert sniff_named(data, ".tif") == sniff(data)
