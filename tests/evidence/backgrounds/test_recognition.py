"""Transparent pictures value for value on some background, by hand and on drawn colours."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.backgrounds.recognition import LEVEL, equal_on_some_background
from uhop_cli.images.patterns import PatternSpec, on_background, to_pixels, to_vectors

SPEC = PatternSpec(12, 10, 3)
GREY = np.full((1, 1, 3), 128)


def pictures(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Patterns (n, H, W, C) of 8 bits on mid-grey, and their opacity (n, H, W): a third is clear, a third half clear."""
    rng = np.random.default_rng(seed)
    opacity = rng.choice([0, 128, 255], (count, 10, 12)).astype(np.uint8)
    share = opacity[..., None] / 255
    return np.rint(rng.integers(0, 256, (count, 10, 12, 3)) * share + GREY * (1 - share)).astype(np.uint8), opacity


def equal(queries: np.ndarray, patterns: np.ndarray, opacity: np.ndarray) -> list[bool]:
    veils = 1 - to_vectors(opacity)
    return equal_on_some_background(queries.reshape(len(queries), -1), to_vectors(patterns), veils).tolist()


def laid(patterns: np.ndarray, opacity: np.ndarray, seed: int) -> np.ndarray:
    colours = np.random.default_rng(seed).integers(0, 256, (len(patterns), 1, 3)) / 255
    return to_vectors(to_pixels(on_background(patterns, opacity, colours, SPEC), SPEC)).reshape(-1, 120, 3)


@pytest.mark.parametrize("seed", range(3))
def test_a_copy_of_8_bits_on_any_colour_is_its_memory_and_no_other(seed: int) -> None:
    patterns, opacity = pictures(8, seed)
    copies = laid(patterns, opacity, seed)
    assert all(equal(copies, patterns, opacity))
    assert not any(equal(copies, patterns[::-1], opacity[::-1]))


def test_one_value_more_than_three_half_levels_away_is_another_picture() -> None:
    patterns, opacity = pictures(2, 4)
    copies = to_vectors(patterns).reshape(2, 120, 3)
    place = int(np.flatnonzero(opacity[0].ravel() == 255)[0])
    copies[0, place, 1] += 1.4 * LEVEL
    copies[1, place, 1] += 1.6 * LEVEL
    assert equal(copies, patterns, opacity) == [True, False]


def test_a_background_of_two_colours_is_no_background() -> None:
    patterns, opacity = pictures(1, 5)
    copies = laid(patterns, opacity, 5)
    copies[0, :60] += 3 * LEVEL * (1 - opacity[0].reshape(-1, 1)[:60] / 255)
    assert equal(copies, patterns, opacity) == [False]


@pytest.mark.parametrize(("cells", "levels", "certain"), [(16, 9, True), (15, 9, False), (40, 7, False)])
def test_enough_is_seen_against_the_background(cells: int, levels: int, certain: bool) -> None:
    """By hand: opaque cells of one colour on black, brighter than it by some levels in one channel."""
    opacity = np.zeros((1, 10, 12), np.uint8)
    opacity.reshape(1, -1)[:, :cells] = 255
    patterns = np.full((1, 10, 12, 3), 128, np.uint8)
    patterns.reshape(1, -1, 3)[:, :cells] = (0, levels, 0)
    queries = np.where(opacity.reshape(1, -1, 1) > 0, to_vectors(patterns).reshape(1, -1, 3), np.float32(0))
    assert equal(queries, patterns, opacity) == [certain]


def test_an_opaque_memory_has_no_background() -> None:
    patterns, _ = pictures(1, 6)
    assert equal(to_vectors(patterns), patterns, np.full((1, 10, 12), 255, np.uint8)) == [False]
