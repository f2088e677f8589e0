"""The logistic model of the confidence: its optimum, its calibration, its way through JSON."""

import json

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.evidence.confidence import RIDGE, RIDGE_A_SAMPLE, WRONG, Confidence, Sample, calibrated, fit_confidence


def _choices(count: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Facts, whether each choice is right, and the true probability."""
    rng = np.random.default_rng(seed)
    facts = rng.standard_normal((count, 3)) * (1, 4, 0.2) + (0, 5, 1)
    p = 1 / (1 + np.exp(-(2 * facts[:, 0] - 0.5 * (facts[:, 1] - 5) + 0.3 * facts[:, 0] ** 2)))
    return facts.astype(np.float32), rng.random(count) < p, p


def test_a_probability_by_hand() -> None:
    """Of a fact 3 and its square 9: z = (3 - 1) / 2 and (9 - 2) / 4, and the logit 3 z_1 - z_2 + .5 = 1.75."""
    model = Confidence(np.array([1.0, 2.0]), np.array([2.0, 4.0]), np.array([3.0, -1.0]), 0.5)
    assert model(np.array([[3.0], [1.0]])) == pytest.approx([1 / (1 + np.exp(-1.75)), 1 / (1 + np.exp(-0.75))], rel=1e-6)


def test_it_finds_the_probability() -> None:
    """As if a quarter more of the wrong choices had been seen."""
    facts, right, _ = _choices(20_000, 0)
    model = fit_confidence(facts, right)
    fresh, _, p = _choices(2_000, 1)
    assert np.abs(model(fresh) - p / (p + 1.25 * (1 - p))).mean() < 0.01
    assert np.all((model(fresh) >= 0) & (model(fresh) <= 1))


@pytest.mark.parametrize(("count", "ridge"), [(300, 0.3), (600, 0.3), (601, 0.3005), (4_000, 2.0)])
def test_it_is_the_optimum(count: int, ridge: float) -> None:
    facts, right, _ = _choices(count, 2)
    model = fit_confidence(facts, right)
    terms = np.concatenate([facts, facts.astype(float) ** 2], axis=1)
    z = (terms - model.center) / model.scale
    error = 1 / (1 + np.exp(-(z @ model.weights + model.bias))) - right
    error[~right] *= 1.25
    np.testing.assert_allclose(z.T @ error + ridge * model.weights, 0, atol=1e-4 * count / 300)
    assert abs(error.sum()) < 1e-4 * count / 300
    assert (RIDGE, RIDGE_A_SAMPLE * 4_000, WRONG) == (0.3, 2.0, 1.25)


def test_separable_choices_stay_finite() -> None:
    facts = np.concatenate([np.full((50, 2), 9.0), np.zeros((50, 2))])
    model = fit_confidence(facts, np.arange(100) < 50)
    assert model(facts[:1])[0] > 0.95
    assert model(facts[-1:])[0] < 0.05
    assert np.all(np.isfinite(model.weights))


def test_json_keeps_the_model() -> None:
    facts, right, _ = _choices(200, 3)
    model = fit_confidence(facts, right)
    again = Confidence.from_json(json.loads(json.dumps(model.to_json())))
    np.testing.assert_array_equal(again(facts), model(facts))


@pytest.mark.parametrize("damage", [{"bias": None}, {"weights": [1.0]}, {"scale": [0.0] * 6}, {"center": [float("nan")] * 6}])
def test_damaged_json_is_refused(damage: dict[str, object]) -> None:
    facts, right, _ = _choices(200, 3)
    with pytest.raises(SettingsError, match="calibration"):
        Confidence.from_json({**fit_confidence(facts, right).to_json(), **damage})


@pytest.mark.parametrize("right", [True, False])
def test_nothing_to_fit(right: bool) -> None:
    with pytest.raises(SettingsError, match="right and wrong"):
        fit_confidence(np.zeros((5, 2)), np.full(5, right))


def test_a_calibration_is_fitted_to_what_is_not_certain() -> None:
    facts, right, _ = _choices(200, 4)
    stored, left_out = facts[:100], facts[100:]
    sample = Sample.of(stored, right[:100], left_out)
    np.testing.assert_array_equal(sample.right, [*right[:100], *[False] * 100])
    certain = np.arange(200) % 3 == 0
    fitted = calibrated([sample.but(certain), Sample(facts[:5] * np.nan, right[:5])])
    wanted = fit_confidence(facts[~certain], sample.right[~certain])
    assert fitted == wanted.to_json()


def test_there_is_no_calibration_where_all_choices_are_alike() -> None:
    facts, _, _ = _choices(10, 5)
    assert calibrated([Sample(facts, np.zeros(10, np.bool_))]) is None
    assert calibrated([Sample(facts, np.ones(10, np.bool_)), Sample(facts * np.nan, np.zeros(10, np.bool_))]) is None
