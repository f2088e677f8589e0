"""Rectangles between lines: a picture in a window is found, the lines are the strongest, the limits hold."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.frames.frame import Frame
from uhop_cli.frames.whole.line_rectangles import capped_steps, line_rectangles, strongest
from uhop_cli.images.warp import area


def photo(height: int, width: int) -> np.ndarray:
    """Smooth, without lines of its own."""
    plane = area(np.random.default_rng(0).uniform(0, 255, (6, 6)).astype(np.float32), height, width)
    return np.repeat(plane.round().astype(np.uint8)[..., None], 3, axis=2)


def window() -> np.ndarray:
    """A picture of 90 x 60 on a desktop with a bar above."""
    screen = np.full((120, 180, 3), (60, 60, 64), np.uint8)
    screen[:15] = 230
    screen[40:100, 30:120] = photo(60, 90)
    return screen


TRUE = Frame(30 / 180, 40 / 120, 90 / 180, 60 / 120)


def test_a_picture_in_a_window() -> None:
    found = line_rectangles(window(), np.array([0.75, 1.5]))
    assert found[0] == TRUE
    for frame in found:
        ratio = frame.width * 180 / (frame.height * 120)
        assert min(abs(np.log(ratio / aspect)) for aspect in (0.75, 1.5)) < 0.06
        assert 0.06 <= frame.width * frame.height <= 0.995
        assert min(frame.width * 180, frame.height * 120) >= 12


def test_only_stored_aspects() -> None:
    assert TRUE not in line_rectangles(window(), np.array([1.6]))
    assert TRUE in line_rectangles(window(), np.array([0.5, 1.45, 3.0]))
    assert line_rectangles(window(), np.array([])) == []
    assert len(line_rectangles(window(), np.geomspace(0.2, 5, 60), most=7)) == 7


def test_large_pictures_are_reduced() -> None:
    large = window().repeat(5, axis=0).repeat(5, axis=1)
    frames = line_rectangles(large, np.array([1.5]))
    best = min(frames, key=lambda f: abs(f.x - TRUE.x) + abs(f.y - TRUE.y) + abs(f.width - TRUE.width))
    for name in ("x", "y", "width", "height"):
        assert getattr(best, name) == pytest.approx(getattr(TRUE, name), abs=0.015)


def test_a_picture_without_lines() -> None:
    flat = np.full((100, 150, 1), 9, np.uint8)
    assert line_rectangles(flat, np.array([1.5])) == [], "the whole picture is no rectangle of its own"
    assert line_rectangles(np.zeros((3, 3, 3), np.uint8), np.array([1.0])) == []


def test_steps_by_hand() -> None:
    grey = np.array([[0, 0, 0, 0], [10, 10, 100, 100], [10, 20, 100, 100.0]])
    np.testing.assert_allclose(capped_steps(grey), [[10, 10, 25, 25], [0, 10, 0, 0]])


def test_local_maxima_by_hand() -> None:
    strengths = np.array([5, 0, 3, 0, 0, 4, 4, 0, 0, 9, 8, 0, 0, 0.0])
    # 3 lies within two places of 5; of two equal ones the first counts; 8 lies beside 9
    np.testing.assert_array_equal(strongest(strengths), [9, 0, 5])
    many = np.zeros(100)
    many[::5] = np.arange(20, 0, -1)
    np.testing.assert_array_equal(strongest(many), np.arange(9) * 5)


def test_a_picture_of_one_line_has_none() -> None:
    assert strongest(np.zeros(0)).size == 0
    for shape in ((1, 90, 3), (90, 1, 3), (1, 1, 1)):
        assert line_rectangles(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), np.array([1.0])) == []
