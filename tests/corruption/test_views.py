"""Views of a picture: what is seen through a map, what around it, and that strips don't show."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.corruption import views
from uhop_cli.corruption.views import View, laid, seen, seen_pattern
from uhop_cli.errors import ImageError
from uhop_cli.images.decode import Image
from uhop_cli.images.resample import Axis

RED = np.array([[[200, 10, 20]]], np.uint8)


def pixels(height: int, width: int, channels: int = 3) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, channels), dtype=np.uint8)


def test_a_picture_laid_on_a_larger_view_keeps_every_value() -> None:
    picture = pixels(7, 5)
    shown = seen(Image(picture, None), laid((7, 5), (12, 9), (2, 3), RED)).pixels
    assert shown.shape == (12, 9, 3)
    assert shown.dtype == np.uint8
    assert np.array_equal(shown[2:9, 3:8], picture)
    shown[2:9, 3:8] = RED
    assert np.array_equal(shown, np.broadcast_to(RED, shown.shape))


def test_a_view_inside_a_picture_shows_a_part_of_it() -> None:
    picture = pixels(7, 5, 1)
    assert np.array_equal(seen(Image(picture, None), laid((7, 5), (3, 2), (-4, -1), RED[..., :1])).pixels, picture[4:7, 1:3])
    half = seen(Image(picture, None), laid((7, 5), (7, 5), (-2, 1), RED[..., :1])).pixels
    assert np.array_equal(half[:5, 1:], picture[2:, :4]), "moved up and to the right"
    assert (half[5:] == 200).all()
    assert (half[:, 0] == 200).all()


def test_between_pixels_the_view_is_the_mean_by_hand() -> None:
    picture = np.array([[[0], [100]], [[200], [40]]], np.uint8)
    place = np.array([[1, 0, 0.25], [0, 1, 0], [0, 0, 1]])  # half a pixel to the right
    shown = seen(Image(picture, None), View(2, 2, place, np.full((1, 1, 1), 7, np.uint8))).pixels
    assert shown[:, 0, 0].tolist() == [50, 120]
    assert shown[:, 1, 0].tolist() == [7, 7], "the centre of the last column lies on the picture's edge, outside"


def test_strips_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    picture, place = pixels(23, 17), np.array([[0.8, 0.3, 0.1], [-0.2, 0.9, 0.05], [0.1, 0.05, 1]])
    view = View(19, 14, place, RED)
    whole = seen(Image(picture, None), view).pixels
    monkeypatch.setattr(views, "STRIP", 30)
    assert np.array_equal(seen(Image(picture, None), view).pixels, whole)


def test_transparency_and_gaps_go_along_and_what_lies_around_has_none() -> None:
    alpha = np.random.default_rng(0).integers(0, 255, (7, 5), dtype=np.uint8)
    missing = np.zeros((7, 5), bool)
    missing[6, 2] = True
    image = Image(pixels(7, 5), alpha, (Axis(7), Axis(5)), missing, "cut short", 3)
    shown = seen(image, laid((7, 5), (9, 7), (1, 1), RED))
    assert shown.alpha is not None
    assert np.array_equal(shown.alpha[1:8, 1:6], alpha)
    assert (shown.alpha[0] == 255).all()
    assert shown.missing is not None
    assert np.argwhere(shown.missing).tolist() == [[7, 3]]
    assert (shown.flaw, shown.pages, shown.axes) == ("cut short", 3, None)
    cropped = seen(image, laid((7, 5), (3, 3), (0, 0), RED))
    assert cropped.missing is None, "all that is seen is there"
    assert seen(Image(pixels(7, 5), None, None, missing), laid((7, 5), (9, 7), (1, 1), RED)).alpha is None


def test_a_pattern_comes_back_at_its_own_size() -> None:
    picture = np.random.default_rng(0).normal(0.5, 1, (6, 4, 3)).astype(np.float32)
    assert np.allclose(seen_pattern(picture, laid((6, 4), (6, 4), (0, 0), RED)), picture, atol=1e-6), "values beyond 0 to 1 stay"
    doubled = seen_pattern(picture, laid((6, 4), (12, 8), (3, 2), RED))
    assert doubled.shape == (6, 4, 3)
    canvas = np.tile(RED / 255, (12, 8, 1))
    canvas[3:9, 2:6] = picture
    assert np.allclose(doubled, canvas.reshape(6, 2, 4, 2, 3).mean(axis=(1, 3)), atol=1e-6)


def test_too_large_a_view_is_refused_in_one_line() -> None:
    with pytest.raises(ImageError, match="too large: 20000 x 5000 pixels") as caught:
        laid((10, 10), (5000, 20000), (0, 0), RED)
    assert caught.value.hint
