"""Half-block pictures."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.cli.screen.pictures import UPPER_HALF, Picture, fit, shortened, side_by_side

RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_one_character_is_two_pixels() -> None:
    text = side_by_side([Picture("two", np.array([[RED, BLUE], [BLUE, RED]], np.uint8))], columns=80, rows=1)
    lines = text.plain.splitlines()
    assert lines[0].startswith("two")
    assert lines[1].rstrip() == UPPER_HALF * 2
    styles = [str(span.style) for span in text.spans if text.plain[span.start : span.end] == UPPER_HALF]
    assert styles == ["rgb(255,0,0) on rgb(0,0,255)", "rgb(0,0,255) on rgb(255,0,0)"]


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 9, 1), (64, 16, 3), (16, 64, 3), (97, 31, 1), (1, 200, 3)])
@pytest.mark.parametrize("box", [(20, 20), (80, 30), (30, 80)])
def test_pictures_of_any_shape_fill_the_box_and_keep_their_aspect(shape: tuple[int, int, int], box: tuple[int, int]) -> None:
    small = fit(np.full(shape, 77, np.uint8), *box)
    height, width = small.shape[:2]
    assert height % 2 == 0
    assert height <= box[1]
    assert width <= box[0]
    assert width == box[0] or height >= box[1] - 1
    exact = width * shape[0] / shape[1]
    assert abs(height - exact) <= max(1.0, shape[0] / shape[1]) or height == 2
    assert (small == 77).all()


def test_the_aspect_may_be_another_than_that_of_the_pixels() -> None:
    pattern = np.arange(4, dtype=np.uint8).reshape(2, 2, 1).repeat(3, axis=2)
    wide = fit(pattern, 40, 40, aspect=2.0)
    assert wide.shape == (20, 40, 3)
    assert (wide[:10, :20] == 0).all()
    assert (wide[10:, 20:] == 3).all()


def test_shrinking_takes_means() -> None:
    checks = np.indices((32, 32)).sum(axis=0)[:, :, None] % 2 * 200
    assert (fit(checks.astype(np.uint8), 16, 16) == 100).all()


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_lines_fit_the_terminal(columns: int) -> None:
    pictures = [Picture(name, np.zeros((32, 32, 3), np.uint8)) for name in ("query", "restored", "a long name.png" * 9)]
    lines = side_by_side(pictures, columns, 16).plain.splitlines()
    assert max(map(len, lines)) <= columns + 2
    assert len(lines) <= 17


def test_a_name_keeps_its_beginning_and_its_end() -> None:
    assert shortened("holiday-in-rome-0001.jpg", 12) == "holid…01.jpg"
    assert shortened("short.png", 12) == "short.png"
    assert shortened("写真の名前.png", 7) == "写…png"
