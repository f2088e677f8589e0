"""Grey pictures on grids: luma, what is visible, reduced pictures."""

from __future__ import annotations

import numpy as np

from uhop_cli.frames.sheet import sheet_of_image
from uhop_cli.images.decode import Image
from uhop_cli.images.resample import Axis


def test_luma() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255]]], np.uint8)
    np.testing.assert_allclose(sheet_of_image(Image(pixels, None)).grey, [[0.299, 0.587, 0.114, 1]], atol=1e-6)
    np.testing.assert_allclose(sheet_of_image(Image(pixels[:, :, :1], None)).grey, [[1, 0, 0, 1]])


def test_what_is_missing_has_no_part_in_a_mean() -> None:
    pixels = np.full((4, 4, 1), 51, np.uint8)
    pixels[:, 2:] = 255
    alpha = np.full((4, 4), 255, np.uint8)
    alpha[:, 2] = 0
    alpha[:2, :2] = 0
    alpha[0, 0] = 255
    sheet = sheet_of_image(Image(pixels, alpha))
    grey, visible = sheet.seen(2, 2)
    np.testing.assert_array_equal(visible, [[False, True], [True, True]])
    np.testing.assert_allclose(grey, [[0, 1], [0.2, 1]], atol=1e-6)
    assert sheet.seen(2, 2)[0] is grey, "kept"
    np.testing.assert_allclose(sheet.at(2, 2)[1], [[0.25, 0.5], [1, 0.5]])


def test_laid_on_a_background() -> None:
    image = Image(np.full((1, 3, 1), 255, np.uint8), np.array([[255, 0, 51]], np.uint8))
    sheet = sheet_of_image(image).on(0.5)
    np.testing.assert_allclose(sheet.grey, [[1, 0.5, 0.2 + 0.8 * 0.5]], atol=1e-6)
    assert sheet.cover is None
    assert sheet.on(0.1) is sheet


def test_a_large_one_is_reduced() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (30, 40, 1), dtype=np.uint8)
    sheet = sheet_of_image(Image(plane, None, (Axis(30), Axis(39))))
    assert sheet.reduced(1200) is sheet
    small = sheet.reduced(300)
    assert small.grey.shape == (15, 20)
    np.testing.assert_allclose(small.seen(5, 10)[0], sheet.seen(5, 10)[0], atol=1e-5)


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
