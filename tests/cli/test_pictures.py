"""Half-block pictures."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.cli.pictures import UPPER_HALF, fit, side_by_side

RED, BLUE = (255, 0, 0), (0, 0, 255)


def test_one_character_is_two_pixels() -> None:
    picture = np.array([[RED, BLUE], [BLUE, RED]], np.uint8)
    text = side_by_side([("two", picture)], columns=80)
    lines = text.plain.splitlines()
    assert lines[0].startswith("tw")
    assert lines[1].rstrip() == UPPER_HALF * 2
    styles = [str(span.style) for span in text.spans if text.plain[span.start : span.end] == UPPER_HALF]
    assert styles == ["rgb(255,0,0) on rgb(0,0,255)", "rgb(0,0,255) on rgb(255,0,0)"]


@pytest.mark.parametrize("shape", [(1, 1, 3), (5, 9, 1), (64, 16, 3), (16, 64, 3), (97, 31, 1), (1, 200, 3)])
def test_pictures_of_any_shape_fit(shape: tuple[int, int, int]) -> None:
    small = fit(np.full(shape, 77, np.uint8), 20)
    assert small.shape[0] % 2 == 0
    assert small.shape[0] <= 20
    assert small.shape[1] <= 20
    assert small.shape[2] == 3
    assert (small == 77).all()


def test_shrinking_takes_means() -> None:
    checks = np.indices((32, 32)).sum(axis=0)[:, :, None] % 2 * 200
    assert (fit(checks.astype(np.uint8), 16) == 100).all()


@pytest.mark.parametrize("columns", [20, 80, 200])
def test_lines_fit_the_terminal(columns: int) -> None:
    pictures = [(name, np.zeros((32, 32, 3), np.uint8)) for name in ("query", "restored", "match")]
    assert max(map(len, side_by_side(pictures, columns).plain.splitlines())) <= columns + 2
