"""A memory under a tone curve: isotonic regression by hand and by its formula, and what curves explain."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.evidence.backgrounds.tones import isotonic, toned
from uhop_cli.images.patterns import LUMA

RNG = np.random.default_rng(0)
MEMORY = RNG.integers(10, 246, (60, 3)) / 255
VEIL = np.where(np.arange(60) < 40, 0.0, 1.0)
OPAQUE = VEIL == 0


def told(x: np.ndarray, memory: np.ndarray = MEMORY, veil: np.ndarray = VEIL) -> np.ndarray | None:
    return toned(x, memory, veil, veil < 0.3, (x > 0) & (x < 1))


def test_isotonic_by_hand() -> None:
    """Medians .1, .5, .3, .9 of 1, 3, 1, 1 values: .5 and .3 are pooled, (3 x .5 + .3) / 4 = .45."""
    levels = np.array([2, 4, 4, 4, 5, 9])
    curve = isotonic(levels, np.array([0.1, 0.2, 0.5, 0.6, 0.3, 0.9]))
    assert curve[[2, 4, 5, 9]] == pytest.approx([0.1, 0.45, 0.45, 0.9])
    assert np.isnan(curve[[0, 1, 3, 6, 7, 8]]).all()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_isotonic_is_the_regression(values: list[float]) -> None:
    """One value a level: f_i = max over a <= i of min over b >= i of the mean of a to b."""
    y, n = np.array(values), len(values)
    wanted = [max(min(y[a : b + 1].mean() for b in range(i, n)) for a in range(i + 1)) for i in range(n)]
    assert isotonic(np.arange(n), y) == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("curve", [lambda x: x**2, np.sqrt, lambda x: 0.3 + 0.4 * x, lambda x: np.minimum(1.5 * x, 1)])
def test_a_copy_under_a_curve_leaves_nothing_and_one_in_other_colours_does(curve) -> None:
    laid = np.where(OPAQUE[:, None], curve(MEMORY), (0.9, 0.2, 0.4))
    open_ = (laid > 0) & (laid < 1)
    assert np.abs(told(laid)[open_]).max() < 1e-12
    assert np.abs(told(np.where(OPAQUE[:, None], laid[:, ::-1], laid))[open_]).max() > 0.1


def test_a_curve_that_falls_is_none() -> None:
    assert np.abs(told(1 - MEMORY)[OPAQUE]).max() > 0.2


def test_greys_are_those_of_the_memory() -> None:
    greys = np.repeat((MEMORY @ LUMA)[:, None], 3, axis=1)
    assert np.abs(told(greys)[OPAQUE]).max() < 0.5 / 255 + 1e-9  # one level has greys that differ by half of one
    assert np.abs(told(greys[np.roll(np.arange(60), 1)])[OPAQUE]).max() > 0.2


def test_what_is_half_clear_says_nothing_and_the_background_is_one_colour() -> None:
    veil = VEIL.copy()
    veil[30:40] = 0.5
    laid = np.where(OPAQUE[:, None], MEMORY**2, 0.4)
    laid[35], laid[50] = 0.77, 0.6
    rest = told(laid, veil=veil)
    assert not rest[30:40].any()
    assert rest[50] == pytest.approx([0.2] * 3)


def test_lost_values_say_nothing() -> None:
    laid = np.where(OPAQUE[:, None], MEMORY**2, 0.4)
    lost = RNG.random(laid.shape) < 0.5
    rest = told(np.where(lost, 0, laid))
    assert np.abs(rest[~lost & OPAQUE[:, None]]).max() < 1e-12


def test_no_curve_where_it_changes_nothing_or_little_is_told() -> None:
    assert told(MEMORY) is None
    assert told(np.where(np.arange(60)[:, None] < 10, MEMORY**2, 0.0)) is None, "30 values of 32"
    assert told(np.where(np.arange(60)[:, None] < 11, MEMORY**2, 0.0)) is not None
