"""A query on the pattern of its original: the same values where it shows it, nothing elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.frames.frame import IDENTITY, Frame
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import PatternSpec, to_query
from uhop_cli.images.warp import area
from uhop_cli.querying.registration import registered

SPEC = PatternSpec(16, 16, 3)


def picture(height: int, width: int) -> np.ndarray:
    draws = np.random.default_rng(0)
    planes = [area(draws.uniform(0, 255, (6, 6)).astype(np.float32), height, width) for _ in range(3)]
    return np.rint(np.stack(planes, axis=2)).astype(np.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_the_whole_picture_is_its_pattern(channels: int) -> None:
    image, spec = Image(picture(96, 128), None), PatternSpec(16, 16, channels)
    pattern, visible = registered(image, IDENTITY.to_original(), spec)
    assert visible is None
    assert pattern.shape == (spec.dim,)
    np.testing.assert_allclose(pattern, to_query(image, spec)[0], atol=0.012)
    np.testing.assert_allclose(pattern * 255, np.rint(pattern * 255), atol=1e-4)


@pytest.mark.parametrize("axis", [0, 1])
def test_what_is_turned_over_has_its_pattern_turned_over(axis: int) -> None:
    """Of a picture of few pixels, where the margin of nothing at its edges would move it by one in height + 2."""
    image = picture(6, 8)
    upright, flipped = (registered(Image(pixels, None), IDENTITY.to_original(), SPEC) for pixels in (image, np.flip(image, axis)))
    assert upright[1] is None
    assert flipped[1] is None
    np.testing.assert_allclose(np.flip(upright[0].reshape(16, 16, 3), axis), flipped[0].reshape(16, 16, 3), atol=1.01 / 255)


def test_of_a_crop_the_rest_is_missing() -> None:
    whole = picture(128, 128)
    crop = Image(np.ascontiguousarray(whole[32:, :96]), None)
    frame = Frame(0, -1 / 3, 4 / 3, 4 / 3)
    pattern, visible = registered(crop, frame.to_original(), SPEC)
    seen = visible.reshape(16, 16, 3)
    expected = np.zeros((16, 16, 3), bool)
    expected[4:, :12] = True
    assert np.array_equal(seen, expected)
    full = to_query(Image(whole, None), SPEC)[0].reshape(16, 16, 3)
    np.testing.assert_allclose(pattern.reshape(16, 16, 3)[expected], full[expected], atol=0.02)
    assert (pattern.reshape(16, 16, 3)[~expected] == 0).all()


def test_what_is_beside_the_picture_is_left_out_and_turns_are_undone() -> None:
    page = np.full((200, 260, 3), 255, np.uint8)
    page[40:168, 60:156] = np.rot90(picture(96, 128))
    turned = np.rot90(page, 3)
    assert np.array_equal(turned[60:156, 32:160], picture(96, 128)), "rows 60 to 155, columns 200 - 168 to 159"
    frame = Frame(32 / 200, 60 / 260, 128 / 200, 96 / 260, 3)
    pattern, visible = registered(Image(page, None), frame.to_original(260 / 200), SPEC)
    assert visible is None
    upright = to_query(Image(picture(96, 128), None), SPEC)[0]
    inner = np.s_[1:-1, 1:-1]  # at its edges the white of the page comes in
    np.testing.assert_allclose(pattern.reshape(16, 16, 3)[inner], upright.reshape(16, 16, 3)[inner], atol=0.02)
    np.testing.assert_allclose(pattern, upright, atol=0.08)


def test_what_is_transparent_is_missing() -> None:
    alpha = np.full((64, 64), 255, np.uint8)
    alpha[:, :32] = 0
    pattern, visible = registered(Image(picture(64, 64), alpha), IDENTITY.to_original(), SPEC)
    seen = visible.reshape(16, 16, 3)
    assert not seen[:, :8].any()
    assert seen[:, 8:].all()
    np.testing.assert_allclose(pattern, to_query(Image(picture(64, 64), alpha), SPEC)[0], atol=0.012)
