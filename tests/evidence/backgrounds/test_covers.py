"""Covers and parts of a memory, by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.evidence.backgrounds.covers import filled, may_be_covered, told_by_parts

WIDTH, PIXELS = 8, 64
LEFT = (np.arange(PIXELS) % WIDTH < WIDTH // 2).astype(np.int64)  # two parts, the left half is 1


def marks(*places: int) -> np.ndarray:
    marked = np.zeros(PIXELS, np.bool_)
    marked[list(places)] = True
    return marked


EVERYWHERE = np.ones(PIXELS, np.bool_)


def covered(
    differing: np.ndarray, same: np.ndarray | None = None, partitions: tuple[np.ndarray, ...] = (LEFT,), *, blends: bool = False
) -> bool:
    return may_be_covered(differing, differing if same is None else same, EVERYWHERE, partitions, WIDTH, blends=blends)


def test_all_of_one_part_and_none_of_the_other_is_told_by_the_parts() -> None:
    """By hand: 2 of 4 pixels. Anywhere 1 / (5 x 6); by parts of 2 and 2 with 2 and 0 of them 1 / 3 x 1 / 3, with 1 and 1
    1 / 6 x 1 / 6."""
    parts = np.array([0, 0, 1, 1])
    assert told_by_parts(np.array([False, False, True, True]), parts) == pytest.approx(math.log(30 / 9))
    assert told_by_parts(np.array([False, True, False, True]), parts) == pytest.approx(math.log(30 / 36))
    assert told_by_parts(np.array([True, True, False, False]), np.array([3, 3, 1, 1])) == pytest.approx(math.log(30 / 9))


def test_parts_tell_nothing_of_pixels_that_are_not_there() -> None:
    assert told_by_parts(np.zeros(0, np.bool_), np.zeros(0, np.int64)) == 0
    assert told_by_parts(np.zeros(4, np.bool_), np.zeros(4, np.int64)) == 0


def test_scattered_pixels_of_one_part_are_of_another_picture_if_they_are_enough() -> None:
    """By hand, 32 of 64 pixels being in the part: k of them, all in it, give 65 binom(64, k) / (33 binom(32, k) 33), which is .501,
    1.055 and 2.26 for k = 3, 4, 5. Both ways to take the memory apart are as likely: of four rows in turn, two in each part, the
    other gives 65 binom(64, 4) / (33 binom(32, 2))^2 = .154, and the mean is .604."""
    scattered = (0, 11, 18, 25, 43)  # in columns 0, 3, 2, 1, 3 of rows 0, 1, 2, 3, 5
    assert covered(marks(*scattered[:3]))
    assert not covered(marks(*scattered[:4]))
    in_turn = np.arange(PIXELS) // WIDTH % 2
    assert told_by_parts(marks(*scattered[:4]), LEFT) == pytest.approx(math.log(1.0546), abs=1e-4)
    assert told_by_parts(marks(*scattered[:4]), in_turn) == pytest.approx(math.log(0.1542), abs=1e-3)
    assert covered(marks(*scattered[:4]), partitions=(LEFT, in_turn))
    assert not covered(marks(*scattered), partitions=(LEFT, np.zeros(PIXELS, np.int64)))


def test_pixels_anywhere_may_lie_under_a_cover() -> None:
    for seed in range(5):
        assert covered(np.random.default_rng(seed).random(PIXELS) < 0.4)


def test_a_rectangle_of_one_colour_may_be_a_cover_wherever_it_differs() -> None:
    """Four rows of three pixels, or the left half, are covered; where the memory has the cover's colour, nothing differs."""
    for same in (marks(*(row * WIDTH + column for row in range(1, 5) for column in range(3))), LEFT.astype(np.bool_)):
        differing = marks(*np.flatnonzero(same)[::2])
        assert not covered(differing)
        assert covered(differing, same)
        assert not covered(differing, same, blends=True)


def test_a_cover_may_leave_a_rectangle() -> None:
    """All but 3 x 3 pixels at the top left is covered, and differs in one part alone. Then others are left far away, by which the
    rectangle is the whole."""
    rest = marks(*(row * WIDTH + column for row in range(3) for column in range(3)))
    differing = LEFT.astype(np.bool_) & ~rest
    assert covered(differing, ~rest)
    assert not covered(differing, ~(rest | marks(63, 62, 55, 54, 53)) & ~marks(*range(24, 56, 3)))


@pytest.mark.parametrize("blends", [False, True])
def test_a_cover_that_leaves_an_eighth_is_one_of_the_background_s_colour_none(blends: bool) -> None:
    """Of eight rows the last is left, or a pixel less. What differs lies in one part."""
    differing = LEFT.astype(np.bool_) & (np.arange(PIXELS) < 56)
    assert covered(differing, np.arange(PIXELS) < 56, blends=blends) == (not blends)
    assert not covered(differing, np.arange(PIXELS) < 57, blends=blends)
    rest = marks(*(row * WIDTH + column for row in range(2) for column in range(4)))  # all but 2 x 4 pixels, or one less
    assert covered(LEFT.astype(np.bool_) & ~rest, ~rest, blends=blends) == (not blends)
    rest[0] = False
    assert not covered(LEFT.astype(np.bool_) & ~rest, ~rest, blends=blends)


def test_pixels_in_which_no_cover_is_seen_do_not_count() -> None:
    """Where the right half has the cover's colour itself, all that is seen lies in one part, which then tells nothing."""
    scattered, left = marks(0, 11, 18, 25, 43), LEFT.astype(np.bool_)
    assert may_be_covered(scattered, scattered, left, (LEFT,), WIDTH, blends=False)
    assert not may_be_covered(scattered, scattered, EVERYWHERE, (LEFT,), WIDTH, blends=False)


def test_the_share_of_a_rectangle_that_is_filled() -> None:
    """By hand: rows 1 to 4, columns 2 to 5 hold the marks at their corners, and 10 of the 16 pixels are the same."""
    corners, same = marks(10, 13, 34, 37), marks(*range(10, 14), *range(18, 22), 26, 27, 0)
    assert filled(corners, same, WIDTH) == 10 / 16
    assert filled(corners, corners, WIDTH) == 4 / 16


def test_a_few_marks_far_away_do_not_stretch_the_rectangle() -> None:
    """One of 41 marks lies far off: .03 of them is less than 1.2 places, so that the rectangle ends at the others."""
    block = [row * WIDTH + column for row in range(5) for column in range(WIDTH)]
    assert filled(marks(*block), marks(*block), WIDTH) == 1
    assert filled(marks(*block, 63), marks(*block), WIDTH) == pytest.approx(1)
