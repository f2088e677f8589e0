"""entmax solves its optimisation problem, agrees with the `entmax` package, and is exact where the theory says so."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.energy import entropy
from uhop_cli.retrieval.entmax import candidates, entmax, softmax, sparsemax, threshold

ALPHAS = pytest.mark.parametrize("alpha", [1.0, 1.001, 1.1, 1.25, 1.5, 1.75, 2.0, 3.0])


def random_rows(seed: int, count: int = 300, size: int = 40) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count, size)) * 10.0 ** rng.uniform(-2, 2, size=(count, 1))


@ALPHAS
def test_optimality_conditions(alpha: float) -> None:
    """KKT of max <p, x> + H_alpha(p) on the simplex: x + dH/dp is one constant where p > 0 and nowhere larger."""
    logits = random_rows(0)
    p = entmax(logits, alpha)
    slope = -np.log(np.where(p > 0, p, 1)) - 1 if alpha == 1 else (1 - alpha * p ** (alpha - 1)) / (alpha * (alpha - 1))
    total = logits + slope
    level = np.max(np.where(p > 1e-200, total, -np.inf), axis=-1, keepdims=True)
    assert np.all((np.abs(total - level) < 1e-7 * np.maximum(1, np.abs(level))) | (p <= 1e-200))
    assert np.all(total <= level + 1e-7 * np.maximum(1, np.abs(level)))


@ALPHAS
def test_no_other_distribution_does_better(alpha: float) -> None:
    rng = np.random.default_rng(1)
    logits = random_rows(2, count=50, size=6)
    p = entmax(logits, alpha)
    best = np.sum(p * logits, -1) + entropy(p, alpha)
    for share in (1.0, 0.1, 1e-3):
        other = (1 - share) * p + share * rng.dirichlet(np.full(6, 0.5), size=50)
        assert np.all(np.sum(other * logits, -1) + entropy(other, alpha) <= best + 1e-12)


@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0])
def test_agrees_with_the_entmax_package(alpha: float) -> None:
    package, torch = pytest.importorskip("entmax"), pytest.importorskip("torch")
    logits = random_rows(3, count=300)
    reference: Any = {1.5: package.entmax15, 2.0: package.sparsemax}.get(alpha)
    given = torch.from_numpy(logits)
    expected = reference(given, dim=-1) if reference else package.entmax_bisect(given, alpha, dim=-1, n_iter=60)
    np.testing.assert_allclose(entmax(logits, alpha), expected.numpy(), atol=1e-6)


@pytest.mark.parametrize("alpha", [1.5, 2.0])
def test_sorting_and_bisection_agree(alpha: float) -> None:
    np.testing.assert_allclose(entmax(random_rows(4), alpha), entmax(random_rows(4), alpha + 1e-9), atol=1e-6)


def test_alpha_near_one_goes_over_into_softmax() -> None:
    logits = random_rows(5, count=50)
    for alpha, far in [(1.01, 0.2), (1.0001, 2e-3), (1.000001, 2e-5)]:
        np.testing.assert_allclose(entmax(logits, alpha), softmax(logits), atol=far)
    exact = entmax(logits.astype(np.float32), 1.0001)
    np.testing.assert_allclose(exact, entmax(logits.astype(np.float32).astype(np.float64), 1.0001), atol=1e-5)


@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0, 3.0])
def test_one_hot_from_a_margin_of_one_over_alpha_minus_one_on(alpha: float) -> None:
    """U-Hop eq. E.3 with its second beta removed: exact retrieval if and only if the margin is that large."""
    gap = 1 / (alpha - 1)
    one_hot = entmax(np.array([0.3, 0.3 - gap - 1e-9, -50]), alpha)
    np.testing.assert_array_equal(one_hot, [1, 0, 0])
    mixed = entmax(np.array([0.3, 0.3 - gap + 1e-3, -50]), alpha)
    assert mixed[1] > 0
    assert mixed[0] < 1


def test_softmax_is_never_one_hot() -> None:
    assert softmax(np.array([0.0, -700.0]))[1] > 0


@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0])
def test_candidates_are_enough_for_the_threshold(alpha: float) -> None:
    logits = random_rows(6)
    few = candidates(logits, alpha)
    assert few.shape[1] <= 40
    np.testing.assert_array_equal(threshold(few, alpha).weights(logits), entmax(logits, alpha))
    steep = candidates(logits * 1e4, alpha)
    assert steep.shape[1] < 10


def test_a_common_offset_costs_no_digits_in_float32() -> None:
    logits = np.array([[0.0, -0.25, -0.5, -2]], np.float32)
    for alpha in (1.0, 1.3, 1.5, 2.0):
        np.testing.assert_allclose(entmax(logits + np.float32(4096), alpha), entmax(logits, alpha), atol=1e-6)


@pytest.mark.parametrize("alpha", [1.0, 1.25, 1.5, 2.0, np.inf])
def test_logits_too_large_to_know_a_difference_of_one(alpha: float) -> None:
    """Scores of a long feature map reach 1e8, where neighbouring float32 numbers are 8 apart."""
    logits = np.array([[1e8, 1e8 - 64, 2.0, -np.inf]], np.float32)
    np.testing.assert_allclose(entmax(logits, alpha), [[1, 0, 0, 0]], atol=1e-20)


def test_many_equal_logits_share_evenly() -> None:
    for alpha in (1.0, 1.2, 1.5, 2.0):
        weights = entmax(np.zeros((1, 50_000), np.float32), alpha)
        np.testing.assert_allclose(weights, 1 / 50_000, rtol=1e-3)
        np.testing.assert_allclose(weights.sum(dtype=np.float64), 1, atol=1e-5)


def test_one_memory_takes_all() -> None:
    for alpha in (1.0, 1.3, 1.5, 2.0):
        np.testing.assert_array_equal(entmax(np.array([[-3.0]]), alpha), [[1]])
    np.testing.assert_array_equal(sparsemax(np.array([-np.inf, 2.0])), [0, 1])


def test_alpha_below_one_is_refused() -> None:
    with pytest.raises(SettingsError):
        entmax(np.zeros(3), 0.5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_weights_below_the_normal_numbers_are_zero(dtype: type) -> None:
    least = float(np.log(np.finfo(dtype).tiny))
    weights = softmax(np.array([0.0, -1.0, least + 2, least - 2, -np.inf], dtype))
    assert weights.dtype == dtype
    np.testing.assert_allclose(weights[:2], np.exp([0, -1]) / (1 + np.exp(-1)), rtol=1e-6)
    assert weights[2] > 0
    assert (weights[3:] == 0).all()
