"""Which small pictures are told to be as they were drawn, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.corruption.corruption import parse
from uhop_cli.evidence.backgrounds.clean import is_clean, is_coarse
from uhop_cli.images.patterns import PatternSpec

WIDTH, HEIGHT = 24, 20
PALETTE = np.random.default_rng(3).integers(20, 236, (12, 3))


def drawn() -> np.ndarray:
    """(480, 3): strokes of 12 colours, two pixels long, on white."""
    cells = np.full((HEIGHT, WIDTH, 3), 255)
    cells[4:16, 4:20] = PALETTE[np.random.default_rng(4).integers(12, size=(12, 8))].repeat(2, axis=1)
    return cells.reshape(-1, 3) / 255


def told(picture: np.ndarray) -> bool:
    levels = np.rint(picture * 255).astype(np.int64)
    return is_clean(picture, np.unique(levels, axis=0, return_inverse=True)[1].ravel(), WIDTH)


@pytest.mark.parametrize(
    "label", ["half:bottom:colour", "text:0.4", "brightness:-0.1", "contrast:0.5", "gamma:2", "salt-pepper:0.1"]
)
def test_a_drawing_is_clean_under_covers_and_in_other_light(label: str) -> None:
    assert told(drawn())
    damaged = parse(label)(drawn().reshape(1, -1).astype(np.float32), PatternSpec(WIDTH, HEIGHT, 3), 0).patterns
    assert told(np.clip(damaged, 0, 1).reshape(-1, 3))


@pytest.mark.parametrize(
    "label", ["noise:0.02", "noise:0.3", "jpeg:80", "jpeg:20", "blur:1", "blur:3", "gaussian-blur:1", "rotate:5"]
)
def test_what_changes_nearly_every_value_is_seen(label: str) -> None:
    damaged = parse(label)(drawn().reshape(1, -1).astype(np.float32), PatternSpec(WIDTH, HEIGHT, 3), 0).patterns
    assert not told(np.clip(damaged, 0, 1).reshape(-1, 3))


def row(*levels: float) -> np.ndarray:
    """A grey picture of one row, in levels."""
    return np.array(levels, float)[:, None] / 255


def clean_row(*levels: float) -> bool:
    picture = row(*levels)
    return is_clean(picture, np.unique(picture, return_inverse=True)[1].ravel(), len(levels))


def test_pairs_that_are_near_and_equal_are_counted_but_those_of_the_background() -> None:
    """By hand: beside white, 100 100 | 200 200 | 30 30 are three equal pairs; one near one more makes .25, two .4; 35 - 30 is 5."""
    start = [255.0] * 10 + [100, 200, 100, 200, 100, 100, 200, 200, 30, 30]
    assert clean_row(*start)
    assert clean_row(*start, 34)
    assert clean_row(*start, 35, 31, 31)
    assert not clean_row(*start, 34, 30)
    assert clean_row(*start, 255, 252), "of the background beside another colour too"
    assert not clean_row(*start, 255, 252, 255)


def test_a_colour_for_each_two_pixels() -> None:
    """Colours beside the commonest: 3 for 6 pixels, 4 for 7."""
    start = [255.0] * 10 + [100, 100, 200, 200, 30, 30]
    assert clean_row(*start)
    assert not clean_row(*start, 150)


def test_of_few_colours_more_pairs_may_be_near() -> None:
    """10 equal pairs and 10 near ones, of three colours in 37 pixels beside white, and in 35."""
    start = [255.0] * 40 + [100.0] * 11 + [104.0, 100.0] * 5 + [0.0, 100.0] * 7
    assert clean_row(*start, 0, 100)
    assert not clean_row(*start)


def test_a_colour_for_each_four_pixels_where_a_third_is_near() -> None:
    """By hand: 13 pixels beside white, 2 pairs equal and 1 near; three colours, then four; with another near pair it is half."""
    start = [255.0] * 10 + [100, 100, 200, 200, 204, 100, 0, 100, 0, 100, 0, 100]
    assert not clean_row(*start), "4 of 12"
    assert clean_row(*start, 0, 100, 0, 100)
    assert not clean_row(*start, 0, 100, 0, 100, 104, 100)


def test_the_largest_step_is_six_tenths_of_the_range() -> None:
    assert clean_row(*[0.0] * 10, 60, 60, 100, 100)
    assert not clean_row(*[0.0] * 10, 59, 59, 100, 100)


def test_colours_without_some_of_their_values() -> None:
    """Pairs with (100, 150, 200): without red, without red and green. One may be by chance, and values at 255 tell nothing."""
    draws = ([100, 150, 200], [0, 150, 200], [0, 0, 200])
    for colours, said in ((draws[:2], True), (draws, False), (([255, 255, 90], [255, 0, 0], [0, 255, 0]), True)):
        picture = np.array([[255] * 3] * 10 + [colour for colour in colours for _ in range(8)]) / 255
        assert is_clean(picture, np.unique(picture, axis=0, return_inverse=True)[1].ravel(), len(picture)) == said


def test_coarse_is_one_colour_in_every_two_by_two() -> None:
    fine = np.arange(9, dtype=float).reshape(3, 3) / 10
    doubled = fine.repeat(2, axis=0).repeat(2, axis=1)
    assert is_coarse(doubled.reshape(-1, 1), 6)
    assert is_coarse(np.pad(doubled, ((0, 1), (0, 1)), constant_values=0.7).reshape(-1, 1), 7), "what is over is left out"
    for moved in (np.roll(doubled, 1, axis=0), np.roll(doubled, 1, axis=1)):
        assert not is_coarse(moved.reshape(-1, 1), 6)
    changed = doubled.copy()
    changed[5, 5] += 0.01
    assert not is_coarse(changed.reshape(-1, 1), 6)
