"""PNG output with the mark, and contact sheets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image as Pillow

from uhop_cli.images.decode import decode
from uhop_cli.images.encode import contact_sheet, is_own_output, to_png

SIDE = st.integers(1, 12)


@given(arrays(np.uint8, st.tuples(SIDE, SIDE, st.sampled_from((1, 3)))))
def test_a_png_reads_back_exactly_and_always_the_same(pixels):
    data = to_png(pixels)
    assert np.array_equal(decode(data).pixels, pixels)
    assert to_png(pixels) == data


def test_own_outputs_are_known_by_their_mark(tmp_path):
    pixels = np.zeros((40, 40, 3), np.uint8)
    own, foreign, text = tmp_path / "own.png", tmp_path / "foreign.png", tmp_path / "text.png"
    own.write_bytes(to_png(pixels))
    Pillow.fromarray(pixels).save(foreign)
    text.write_text("tEXtuhop\0written by uhop")
    assert is_own_output(own)
    assert not is_own_output(foreign)
    assert not is_own_output(text)
    assert not is_own_output(tmp_path)
    assert not is_own_output(tmp_path / "missing.png")


def test_a_contact_sheet_places_every_picture():
    a = np.full((2, 3, 3), 10, np.uint8)
    b = np.full((4, 1, 1), 20, np.uint8)
    sheet = contact_sheet([[a, b], [b]], zoom=2, gap=1, background=(0, 0, 0))
    assert sheet.shape == (1 + 8 + 1 + 8 + 1, 1 + 6 + 1 + 2 + 1, 3)
    assert np.all(sheet[1:5, 1:7] == 10)
    assert np.all(sheet[1:9, 8:10] == 20)
    assert np.all(sheet[10:18, 1:3] == 20)
    assert np.count_nonzero(sheet) == 3 * (24 + 16 + 16)


@pytest.mark.parametrize("rows", [[], [[]]])
def test_an_empty_sheet_is_still_a_picture(rows):
    assert contact_sheet(rows, gap=0).shape == (1, 1, 3)
