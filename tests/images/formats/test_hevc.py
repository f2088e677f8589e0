"""A HEIF is as large as its pictures say, not only as its header says."""

from __future__ import annotations

import struct

import pytest

from made_pictures import GOOD, RGB, heic, refusal
from uhop_cli.images.decode import decode
from uhop_cli.images.formats import hevc
from uhop_cli.images.formats.hevc import check_heif

PHOTO = heic(RGB.repeat(40, axis=0).repeat(40, axis=1))  # 320 x 240


def test_the_size_of_the_compressed_picture_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    place = PHOTO.index(b"hvcC") + 4
    assert list(hevc._sizes(PHOTO, place)) == [(320, 240)]
    monkeypatch.setattr(hevc, "MAX_HEIF_PIXELS", 320 * 240)
    check_heif(PHOTO)
    monkeypatch.setattr(hevc, "MAX_HEIF_PIXELS", 320 * 240 - 1)
    assert "too large: 320 x 240 pixels" in refusal(PHOTO).message


def test_a_header_that_says_less_than_there_is_is_not_believed() -> None:
    place = PHOTO.index(b"ispe") + 8
    smaller = PHOTO[:place] + struct.pack(">II", 64, 64) + PHOTO[place + 8 :]
    assert "damaged HEIF data" in refusal(smaller).message
    assert decode(PHOTO).pixels.shape == (240, 320, 3)


@pytest.mark.parametrize(
    ("bits", "numbers"),
    [("1", [0]), ("010", [1]), ("011", [2]), ("00100", [3]), ("1010011", [0, 1, 2]), ("0000000100000001", [127])],
)
def test_numbers_in_an_exponential_golomb_code(bits: str, numbers: list[int]) -> None:
    reader = hevc._Bits(int(bits.ljust(16, "1"), 2).to_bytes(2))
    assert [reader.golomb() for _ in numbers] == numbers


def test_a_configuration_that_ends_too_early_says_nothing() -> None:
    whole = PHOTO[PHOTO.index(b"hvcC") + 4 :][:120]
    for end in range(0, 120, 7):
        for width, height in hevc._sizes(whole[:end], 0):
            assert (width, height) == (320, 240)
    check_heif(GOOD["HEIF"][:28] + b"\0\0\0\x0cfreehvcC")
