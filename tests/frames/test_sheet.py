"""Grey pictures on grids: luma, what is visible, reduced pictures."""

from __future__ import annotations

import numpy as np

from uhop_cli.frames.sheet import sheet_of_image, sheet_of_pixels
from uhop_cli.images.decode import Image
from uhop_cli.images.resample import Axis


def test_luma() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(sheet_of_pixels(pixels).grey, [[0.299, 0.587, 0.114, 1]], atol=1e-6)
    np.testing.assert_allclose(sheet_of_pixels(pixels[:, :, :1]).grey, [[1, 0, 0, 1]])
    floats = np.array([[[0.2, 1.5, -0.5]]])
    np.testing.assert_allclose(sheet_of_pixels(floats).grey, [[0.299 * 0.2 + 0.587 * 1.5 - 0.114 * 0.5]], atol=1e-6)


def test_what_is_missing_has_no_part_in_a_mean() -> None:
    pixels = np.full((4, 4, 1), 51, np.uint8)
    pixels[:, 2:] = 255
    missing = np.zeros((4, 4), bool)
    missing[:, 2] = True
    missing[:2, :2] = True
    missing[0, 0] = False
    sheet = sheet_of_pixels(pixels, missing)
    grey, visible = sheet.seen(2, 2)
    np.testing.assert_array_equal(visible, [[False, True], [True, True]])
    np.testing.assert_allclose(grey, [[0, 1], [0.2, 1]], atol=1e-6)
    assert sheet.seen(2, 2)[0] is grey, "kept"
    np.testing.assert_allclose(sheet.at(2, 2)[1], [[0.25, 0.5], [1, 0.5]])


def test_values_that_are_no_numbers_are_missing() -> None:
    pixels = np.full((2, 2, 3), 0.5)
    pixels[0, 0, 1] = np.nan
    sheet = sheet_of_pixels(pixels)
    np.testing.assert_array_equal(sheet.seen(2, 2)[1], [[False, True], [True, True]])
    assert np.isfinite(sheet.grey).all()
    assert sheet_of_pixels(np.ones((2, 2, 3))).cover is None


def test_a_picture_with_transparency() -> None:
    image = Image(np.full((2, 2, 1), 255, np.uint8), np.array([[255, 0], [51, 255]], np.uint8))
    sheet = sheet_of_image(image)
    np.testing.assert_allclose(sheet.grey, [[1, 0], [0.2, 1]], atol=1e-6)
    np.testing.assert_allclose(sheet.cover, [[1, 0], [0.2, 1]], atol=1e-6)


def test_a_reduced_picture_lies_where_the_original_lay() -> None:
    """Of 10 columns by 4 the last pixel covers 2 only; turned, it stands first."""
    pixels = np.array([[[0], [100], [200]]], np.uint8)
    sheet = sheet_of_image(Image(pixels, None, (Axis(4, 4), Axis(10, 4))))
    assert (sheet.height, sheet.width) == (1, 2.5)
    np.testing.assert_allclose(sheet.at(1, 2)[0] * 255, [[20, 140]], atol=1e-4)
    np.testing.assert_allclose(sheet.at(1, 5)[0] * 255, [[0, 25, 75, 125, 175]], atol=1e-4)
    turned = sheet_of_image(Image(pixels[:, ::-1], None, (Axis(4, 4), Axis(10, 4).turned())))
    np.testing.assert_allclose(turned.at(1, 5)[0], sheet.at(1, 5)[0][:, ::-1], atol=1e-6)
