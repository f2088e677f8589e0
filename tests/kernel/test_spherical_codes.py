"""The bounds on spherical codes, against scipy, against known best codes, and against codes that exist."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.kernel.spherical_codes import _levenshtein_cosine, cap_fraction, code_bounds, incomplete_beta, required_dimension

# Best known separations on S^2 (the Tammes problem; 1 - cos of the angle in degrees), proved for these M.
TAMMES = {
    4: 109.4712206,
    5: 90.0,
    6: 90.0,
    7: 77.8695421,
    8: 74.8584922,
    9: 70.5287794,
    10: 66.1468220,
    12: 63.4349488,
    24: 43.6907671,
}


def test_incomplete_beta_agrees_with_scipy() -> None:
    special = pytest.importorskip("scipy.special")
    for a in (0.5, 1.0, 2.5, 31.5, 500.0, 1535.5):
        for x in (1e-6, 0.1, 0.3, 0.5, 0.9, 0.99, 1 - 1e-9):
            expected = special.betainc(a, 0.5, x)
            assert incomplete_beta(x, 1 - x, a, 0.5) == pytest.approx(expected, rel=1e-10, abs=1e-290)
            assert incomplete_beta(1 - x, x, 0.5, a) == pytest.approx(special.betainc(0.5, a, 1 - x), rel=1e-10)
    assert incomplete_beta(0.0, 1.0, 2.0, 0.5) == 0
    assert incomplete_beta(1.0, 0.0, 2.0, 0.5) == 1


def test_cap_fractions_by_hand() -> None:
    for angle in (0.1, 1.0, math.pi / 2, 2.0, math.pi):
        assert cap_fraction(angle, 2) == pytest.approx(angle / math.pi, abs=1e-14)
        assert cap_fraction(angle, 3) == pytest.approx((1 - math.cos(angle)) / 2, abs=1e-14)
    for dimension in (2, 5, 100, 3072):
        assert cap_fraction(math.pi / 2, dimension) == pytest.approx(0.5, abs=1e-12)


def test_cap_fraction_counts_random_directions() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200_000, 7))
    share = np.mean(x[:, 0] > math.cos(1.1) * np.linalg.norm(x, axis=1))
    assert cap_fraction(1.1, 7) == pytest.approx(share, rel=0.02)


@pytest.mark.parametrize("dimension", [1, 2, 3, 10, 100])
def test_simplex_and_cross_polytope_are_known_exactly(dimension: int) -> None:
    for memories in range(2, dimension + 2):
        bounds = code_bounds(memories, dimension)
        assert bounds.exact
        assert bounds.upper == pytest.approx(memories / (memories - 1))
    for memories in range(dimension + 2, 2 * dimension + 1):
        assert code_bounds(memories, dimension).exact
        assert code_bounds(memories, dimension).upper == 1
    assert dimension == 1 or code_bounds(2 * dimension + 1, dimension).upper < 1


@pytest.mark.parametrize(("memories", "best"), [(4, 1.3333), (6, 1.0), (12, 0.5528)])
def test_three_dimensions_by_table(memories: int, best: float) -> None:
    bounds = code_bounds(memories, 3)
    assert bounds.exact
    assert bounds.upper == pytest.approx(best, abs=5e-5)


def test_the_known_best_codes_lie_between_the_bounds() -> None:
    for memories, degrees in TAMMES.items():
        bounds, best = code_bounds(memories, 3), 1 - math.cos(math.radians(degrees))
        assert bounds.lower - 1e-9 <= best <= bounds.upper + 1e-9
        assert memories <= 6 or bounds.lower >= 2 / memories - 1e-12
    assert code_bounds(120, 3).lower == pytest.approx(0.0167, abs=5e-5)
    assert code_bounds(120, 3).upper <= 0.0661


@pytest.mark.parametrize(("memories", "dimension", "cosine"), [(16, 5, 1 / 5), (27, 6, 1 / 4), (1000, 6, 1 / 4)])
def test_the_third_bound_is_sharp_for_the_codes_of_clebsch_and_schlaefli(memories: int, dimension: int, cosine: float) -> None:
    """D (1 - s) (2 + (D + 1) s) / (1 - D s^2) = 16 at D = 5, s = 1/5 and 27 at D = 6, s = 1/4, which is where it ends."""
    assert _levenshtein_cosine(memories, dimension) == pytest.approx(cosine, abs=1e-12)
    assert memories > 27 or code_bounds(memories, dimension).upper == pytest.approx(1 - cosine, abs=1e-12)


def test_polygons_on_the_circle_and_points_on_the_line() -> None:
    assert code_bounds(8, 2).upper == pytest.approx(1 - math.cos(math.pi / 4))
    assert code_bounds(8, 2).exact
    assert code_bounds(3, 1).upper == 0


@pytest.mark.parametrize(("memories", "dimension"), [(30, 4), (200, 8), (400, 12)])
def test_no_code_exceeds_the_upper_bound_and_a_greedy_one_nears_the_lower(memories: int, dimension: int) -> None:
    rng = np.random.default_rng(1)
    points = rng.normal(size=(memories, dimension))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    bounds = code_bounds(memories, dimension)
    assert 0 < bounds.lower < bounds.upper <= 1
    for _ in range(100):  # push the closest neighbours apart
        gram = points @ points.T - 2 * np.eye(memories)
        push = np.exp(40 * (gram - gram.max()))
        points -= 0.3 * push @ points / push.sum(axis=1, keepdims=True)
        points /= np.linalg.norm(points, axis=1, keepdims=True)
    found = 1 - (points @ points.T - 2 * np.eye(memories)).max()
    assert found <= bounds.upper


def test_bounds_move_the_right_way() -> None:
    by_memories = [code_bounds(m, 10) for m in (25, 100, 1000, 10**6)]
    by_dimension = [code_bounds(1000, d) for d in (3, 5, 20, 100, 400)]
    for falling, rising in ((by_memories, False), (by_dimension, True)):
        for attribute in ("lower", "upper"):
            steps = np.diff([getattr(bounds, attribute) for bounds in falling])
            assert np.all(steps >= 0) if rising else np.all(steps < 0)


@pytest.mark.parametrize("memories", [2, 10, 500, 50_000])
@pytest.mark.parametrize("separation", [0.05, 0.5, 0.9, 1.0])
def test_required_dimension_is_where_the_bounds_cross(memories: int, separation: float) -> None:
    necessary, sufficient = required_dimension(memories, separation)
    assert 1 <= necessary <= sufficient <= max(1, memories - 1)
    assert code_bounds(memories, necessary).upper >= separation
    assert code_bounds(memories, sufficient).lower >= separation
    assert necessary == 1 or code_bounds(memories, necessary - 1).upper < separation
    assert sufficient == 1 or code_bounds(memories, sufficient - 1).lower < separation


def test_more_than_orthogonal_needs_the_simplex() -> None:
    assert required_dimension(20, 1.05) == (19, 19)
    assert required_dimension(20, 1.0) == (10, 10)


def test_the_impossible_is_refused() -> None:
    for memories, separation in ((10, 1.2), (10, 0.0), (1, 0.5)):
        with pytest.raises(SettingsError):
            required_dimension(memories, separation)
    with pytest.raises(SettingsError):
        code_bounds(1, 3)
    with pytest.raises(SettingsError):
        code_bounds(5, 0)
