"""Pictures to patterns: exactness, area means, transparency, the choice of a pattern."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from uhop_cli.errors import ImageError, SettingsError
from uhop_cli.images.decode import Header, Image
from uhop_cli.images.patterns import (
    PatternSpec,
    choose_spec,
    gaps_transparent,
    holes_only,
    laid_on_background,
    on_background,
    parse_background,
    parse_size,
    to_layers,
    to_pattern,
    to_pixels,
    to_query,
    to_vectors,
    with_mask,
)

SIDES = st.integers(1, 24)
CHANNELS = st.sampled_from((1, 3))
EITHER = st.booleans()
COLORS = st.tuples(*[st.integers(0, 255)] * 3)


@st.composite
def pictures(draw, channels=CHANNELS, alpha=EITHER):
    height, width = draw(SIDES), draw(SIDES)
    pixels = draw(arrays(np.uint8, (height, width, draw(channels))))
    return Image(pixels, draw(arrays(np.uint8, (height, width))) if draw(alpha) else None)


def area_matrix(size, target):
    """The share of each pixel in each cell, from the definition."""
    weights = np.zeros((target, size))
    for i in range(target):
        for j in range(size):
            weights[i, j] = max(0.0, min(j + 1, (i + 1) * size / target) - max(j, i * size / target)) * target / size
    return weights


def area_means(values, height, width):
    rows, columns = area_matrix(values.shape[0], height), area_matrix(values.shape[1], width)
    return np.einsum("ij,jkc,lk->ilc", rows, values.astype(float), columns, optimize=True)


@given(pictures(alpha=st.just(False)))
def test_a_picture_of_the_pattern_s_size_keeps_its_pixels(image):
    spec = PatternSpec(image.width, image.height, image.pixels.shape[2])
    assert np.array_equal(to_pattern(image, spec), image.pixels)


@given(pictures(alpha=st.just(False)), st.data())
def test_a_larger_picture_becomes_the_mean_over_each_cell(image, data):
    height, width = data.draw(st.integers(1, image.height)), data.draw(st.integers(1, image.width))
    pattern = to_pattern(image, PatternSpec(width, height, image.pixels.shape[2]))
    assert np.abs(pattern - area_means(image.pixels, height, width)).max() <= 0.5 + 1e-9


@given(st.integers(0, 255), SIDES, SIDES, SIDES, SIDES)
def test_a_constant_picture_is_a_constant_pattern_at_any_size(value, height, width, to_height, to_width):
    image = Image(np.full((height, width, 1), value, np.uint8), None)
    assert np.all(to_pattern(image, PatternSpec(to_width, to_height, 3)) == value)


def test_a_smaller_picture_is_interpolated_between_its_pixel_centres():
    image = Image(np.array([[[0], [100]]], np.uint8), None)
    assert to_pattern(image, PatternSpec(4, 1, 1)).ravel().tolist() == [0, 25, 75, 100]


def test_a_picture_and_its_quarter_give_nearly_the_same_pattern():
    y, x = np.mgrid[:400, :300]
    smooth = 127 + 60 * np.sin(x / 23) + 60 * np.cos(y / 31)
    large = np.rint(np.stack((smooth, 255 - smooth, smooth / 2), axis=2)).astype(np.uint8)
    quarter = np.rint(area_means(large, 100, 75)).astype(np.uint8)
    spec = PatternSpec(32, 32, 3)
    difference = to_pattern(Image(large, None), spec).astype(int) - to_pattern(Image(quarter, None), spec)
    assert np.abs(difference).max() <= 2


@given(pictures(channels=st.just(3), alpha=st.just(False)))
def test_grey_is_the_luma(image):
    spec = PatternSpec(image.width, image.height, 1)
    luma = image.pixels @ np.array([0.299, 0.587, 0.114])
    assert np.abs(to_pattern(image, spec)[:, :, 0] - luma).max() <= 0.5 + 1e-9


@given(pictures(alpha=st.just(True)), COLORS)
def test_transparency_shows_the_background(image, background):
    spec = PatternSpec(image.width, image.height, 3, background)
    share = image.alpha[:, :, None] / 255
    expected = share * image.pixels + (1 - share) * np.array(background)
    assert np.abs(to_pattern(image, spec) - expected).max() <= 0.5 + 1e-9


def test_invisible_colours_do_not_leak_when_a_picture_shrinks():
    pixels = np.zeros((8, 8, 3), np.uint8)
    pixels[:, :4] = 200
    pixels[:, 4:, 0] = 255  # red that nobody can see
    alpha = np.zeros((8, 8), np.uint8)
    alpha[:, :4] = 255
    pattern = to_pattern(Image(pixels, alpha), PatternSpec(1, 1, 3, (0, 0, 0)))
    assert pattern.ravel().tolist() == [100, 100, 100]
    query, visible = to_query(Image(pixels, alpha), PatternSpec(1, 1, 3))
    assert np.allclose(query, 200 / 255)
    assert visible is None


def test_a_cell_is_visible_when_half_of_it_is_and_takes_the_mean_of_what_shows():
    pixels = np.arange(16, dtype=np.uint8).reshape(2, 8, 1) * 10
    alpha = np.array([[255, 255, 255, 0, 0, 0, 0, 0], [255, 255, 0, 255, 255, 0, 0, 0]], np.uint8)
    query, visible = to_query(Image(pixels, alpha), PatternSpec(4, 1, 1))
    assert visible.tolist() == [True, True, False, False]
    assert np.allclose(query * 255, [np.rint((0 + 10 + 80 + 90) / 4), np.rint((20 + 110) / 2), 0, 0])


@given(pictures(alpha=st.just(True)), st.data())
def test_what_is_fully_visible_in_a_query_equals_the_stored_pattern(image, data):
    rows = data.draw(st.integers(1, image.height))
    alpha = np.zeros_like(image.alpha)
    alpha[:rows] = 255
    spec = PatternSpec(image.width, image.height, image.pixels.shape[2])
    query, visible = to_query(Image(image.pixels, alpha), spec)
    stored = to_vectors(to_pattern(Image(image.pixels, None), spec)[None])[0]
    visible = np.ones(spec.dim, bool) if visible is None else visible
    assert visible.sum() == rows * image.width * spec.channels
    assert np.array_equal(query[visible], stored[visible])
    assert np.all(query[~visible] == 0)


def test_what_a_file_lacks_is_missing_whatever_transparency_means():
    pixels = np.full((4, 4, 3), 200, np.uint8)
    missing = np.zeros((4, 4), bool)
    missing[2:] = True
    spec = PatternSpec(2, 2, 3, (0, 0, 0))
    for alpha in ("missing", "blend"):
        query, visible = to_query(Image(pixels, None, missing=missing), spec, alpha)
        assert visible.reshape(2, 2, 3)[:, 0, 0].tolist() == [True, False]
        assert np.array_equal(query, np.where(visible, np.float32(200 / 255), 0))
    clear = np.full((4, 4), 255, np.uint8)
    clear[:, :2] = 0
    query, visible = to_query(Image(pixels, clear, missing=missing), spec)
    assert visible.reshape(2, 2, 3)[..., 0].tolist() == [[False, True], [False, False]]
    query, visible = to_query(Image(pixels, clear, missing=missing), spec, "blend")
    assert visible.reshape(2, 2, 3)[..., 0].tolist() == [[True, True], [False, False]]
    assert np.allclose(query.reshape(2, 2, 3)[0, :, 0] * 255, [0, 200])
    stored = to_pattern(Image(pixels, None, missing=missing), spec)
    assert stored[:, 0, 0].tolist() == [200, 0]
    assert gaps_transparent(Image(pixels, clear, missing=missing)).alpha.tolist() == [[0, 0, 255, 255]] * 2 + [[0] * 4] * 2
    with pytest.raises(ImageError, match="nothing is visible"):
        to_query(Image(pixels, None, missing=np.ones((4, 4), bool)), spec, "blend")


def test_nothing_visible_is_an_error_unless_blended():
    image = Image(np.full((4, 4, 3), 9, np.uint8), np.zeros((4, 4), np.uint8))
    spec = PatternSpec(2, 2, 3, (255, 255, 255))
    with pytest.raises(ImageError, match="nothing is visible"):
        to_query(image, spec)
    query, visible = to_query(image, spec, "blend")
    assert visible is None
    assert np.all(query == 1)
    faint = Image(image.pixels, np.full((4, 4), 10, np.uint8))
    with pytest.raises(ImageError, match="no cell"):
        to_query(faint, spec)


def test_a_mask_takes_away_what_is_white_in_it():
    image = Image(np.full((4, 4, 3), 9, np.uint8), None)
    mask = Image(np.array([[[255], [0]]], np.uint8), None)
    masked = with_mask(image, mask)
    assert masked.alpha.tolist() == [[0, 0, 255, 255]] * 4
    again = with_mask(masked, Image(np.array([[[0, 0, 0]], [[255, 255, 255]]], np.uint8), None))
    assert again.alpha.tolist() == [[0, 0, 255, 255]] * 2 + [[0, 0, 0, 0]] * 2


@given(arrays(np.uint8, st.tuples(st.integers(0, 3), st.just(3), st.just(2), st.just(3))))
def test_pixels_to_vectors_and_back(pixels):
    vectors = to_vectors(pixels)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(pixels), 18)
    assert np.array_equal(to_pixels(vectors, PatternSpec(2, 3, 3)), pixels)


def test_vectors_out_of_range_are_clamped():
    vectors = np.array([[-1.0, 2.0, np.nan, np.inf]], np.float32)
    assert to_pixels(vectors, PatternSpec(4, 1, 1)).ravel().tolist() == [0, 255, 0, 255]


def headers(*sizes, gray=False):
    return [Header(width, height, gray, False) for width, height in sizes]


@pytest.mark.parametrize(
    ("files", "size", "color", "shape"),
    [
        (headers((20, 30), (20, 30)), "auto", "auto", (30, 20, 3)),
        (headers((64, 64)), "auto", "auto", (64, 64, 3)),
        (headers((65, 64)), "auto", "auto", (32, 32, 3)),
        (headers((20, 30), (30, 20)), "auto", "auto", (32, 32, 3)),
        (headers((20, 30), gray=True), "auto", "auto", (30, 20, 1)),
        (headers((20, 30), gray=True) + headers((20, 30)), "auto", "auto", (30, 20, 3)),
        (headers((20, 30), gray=True), "auto", "rgb", (30, 20, 3)),
        (headers((20, 30)), 16, "gray", (16, 16, 1)),
        (headers((20, 30)), "48x24", "auto", (24, 48, 3)),
        (headers((20, 30)), (5, 6), "auto", (6, 5, 3)),
        ([], "auto", "auto", (32, 32, 3)),
    ],
)
def test_the_choice_of_a_pattern(files, size, color, shape):
    assert choose_spec(files, size, color).shape == shape


def test_backgrounds_have_names_and_numbers():
    assert parse_background("grey") == parse_background("GRAY") == (128, 128, 128)
    assert parse_background("#0a10Ff") == (10, 16, 255)
    assert parse_background("white") == (255, 255, 255)
    assert parse_background("black") == (0, 0, 0)
    assert choose_spec([], background="white").background == (255, 255, 255)
    assert choose_spec([], background=(1, 2, 3)).background == (1, 2, 3)
    assert choose_spec([]).background == PatternSpec(1, 1, 3).background == (128, 128, 128)


def test_what_is_transparent_lies_on_the_background_in_the_colours_of_the_picture():
    alpha = np.array([[255, 51, 0]], np.uint8)  # 1, 1/5, 0
    spec = PatternSpec(3, 1, 3, (10, 20, 255))
    color = Image(np.full((1, 3, 3), 200, np.uint8), alpha)
    flat = laid_on_background(color, spec)
    assert flat.alpha is None
    assert flat.pixels.tolist() == [[[200, 200, 200], [48, 56, 244], [10, 20, 255]]]
    gray = laid_on_background(Image(np.full((1, 3, 1), 200, np.uint8), alpha), spec)
    assert gray.pixels.ravel().tolist() == [200, 75, 44]  # the background's luma is 2.99 + 11.74 + 29.07 = 43.8
    opaque = Image(color.pixels, None)
    assert laid_on_background(opaque, spec) is opaque
    holes = holes_only(color, spec)
    assert holes.alpha.tolist() == [[255, 255, 0]]
    assert holes.pixels[0, 1].tolist() == [48, 56, 244]
    assert holes_only(opaque, spec) is opaque
    assert holes_only(Image(opaque.pixels[:, :1], np.array([[1]], np.uint8)), spec).alpha.tolist() == [[255]]


def test_a_mask_takes_as_much_as_its_luma_says():
    image = Image(np.zeros((1, 2, 3), np.uint8), None)
    mask = Image(np.array([[[255, 0, 0], [100, 100, 100]]], np.uint8), None)
    assert with_mask(image, mask).alpha.tolist() == [[255 - 76, 155]]  # 0.299 * 255 = 76.2


@pytest.mark.parametrize("text", ["", "red", "#12345", "#1234567", "12"])
def test_no_background(text):
    with pytest.raises(SettingsError, match="is no background"):
        parse_background(text)


@pytest.mark.parametrize("text", ["", "x", "3x", "-3", "3.5", "4x4x4", "1e3", "٣"])
def test_no_size(text):
    with pytest.raises(SettingsError, match="is no size"):
        parse_size(text)


@pytest.mark.parametrize(
    "values", [(0, 1, 3), (1, 1025, 3), (1, 1, 2), (1, 1, 3, (0, 0, 256)), (1, 1, 3, (0, 0)), (1.0, 1, 3), (True, 1, 3)]
)
def test_impossible_patterns(values):
    with pytest.raises(SettingsError):
        PatternSpec(*values)


@settings(max_examples=20)
@given(st.builds(PatternSpec, SIDES, SIDES, CHANNELS, COLORS))
def test_a_spec_survives_json(spec):
    assert PatternSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("value", [{}, {"width": 1, "height": 1, "channels": 3}])
@pytest.mark.parametrize("background", [None, 5, [1, 2], [1, 2, 300], "grey"])
def test_an_incomplete_description_is_refused(value, background):
    with pytest.raises(SettingsError):
        PatternSpec.from_json(value if background is None else value | {"background": background})


def test_the_opacity_of_a_cell_is_the_mean_of_its_pixels():
    alpha = np.array([[255, 0, 255, 255], [0, 0, 255, 254]], np.uint8)
    image = Image(np.full((2, 4, 3), 90, np.uint8), alpha)
    pattern, opacity = to_layers(image, PatternSpec(2, 1, 3))
    assert opacity.tolist() == [[64, 255]]  # 63.75 and 254.75
    assert opacity.dtype == np.uint8
    np.testing.assert_array_equal(pattern, to_pattern(image, PatternSpec(2, 1, 3)))
    assert to_layers(Image(image.pixels, None), PatternSpec(2, 1, 3))[1] is None


def test_a_pattern_on_another_background():
    """By hand: half clear, on (128, 128, 128) 114 is 100; on (0, 64, 255) it is 50 and half of each."""
    spec = PatternSpec(2, 1, 3)
    pattern, opacity = np.array([[[[114] * 3, [7] * 3]]], np.uint8), np.array([[[127.5, 255]]])
    found = on_background(pattern, opacity, np.array([[[0, 64, 255]]]) / 255, spec)
    np.testing.assert_allclose(found * 255, [[50, 82, 177.5, 7, 7, 7]], rtol=1e-5)
    assert found.dtype == np.float32
    grey = on_background(pattern[..., :1], opacity, np.array([[[1.0]]]), PatternSpec(2, 1, 1, background=(0, 255, 0)))
    np.testing.assert_allclose(grey * 255, [[114 + 0.5 * (255 - 0.587 * 255), 7]], rtol=1e-5)
