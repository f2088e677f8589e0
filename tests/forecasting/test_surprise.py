"""The memory of surprises against its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting import surprise as module
from uhop_cli.forecasting.surprise import RIDGE, Calm, SurpriseMemory, SurpriseSettings

GENERATOR = np.random.default_rng(0)
CALM_ERRORS = GENERATOR.normal(size=(300, 4, 3)) * np.array([1.0, 2.0, 0.5])
CALM = Calm.of(CALM_ERRORS)
SETTINGS = SurpriseSettings(6, 4, beta=0.5, null=3.0, gate=0.0)
SHAPE, AFTER = np.array([1.0, -1, 2, 1]), np.arange(6.0)
AMPLITUDES = np.array([3.0, -8.0, 2.0])
EVENT = (SHAPE[:, None] * AMPLITUDES)[None]  # (1, S, C)
MISSED = (AFTER[:, None] * AMPLITUDES)[None]  # (1, H, C)
MEMORY = SurpriseMemory(SETTINGS, CALM).store(EVENT, MISSED)


def definition(memory: SurpriseMemory, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Evidence (K,) and correction (H, C) of one error (S, C)."""
    whitened = CALM.whitening @ (error / CALM.deviation)
    log_odds, added = [], []
    for key, value in zip(memory.keys, memory.values, strict=True):
        total = 0.0
        for c in range(3):
            cosine = key @ whitened[:, c] / np.linalg.norm(whitened[:, c])
            total -= 2 * math.log(1 - min(cosine**2, 1 - 1e-9))
        log_odds.append(total)
        added.append(np.outer(value, key @ whitened) * CALM.deviation)
    odds = np.exp(memory.settings.beta * (np.array([*log_odds, memory.settings.null]) - max(log_odds)))
    weights = odds / odds.sum()
    return np.array(log_odds), np.einsum("i,ihc->hc", weights[:-1], np.array(added))


@pytest.mark.parametrize("block", [1, 1 << 21])
def test_it_is_its_definition(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_VALUES", block)
    memory = MEMORY.store(GENERATOR.normal(size=(5, 4, 3)), GENERATOR.normal(size=(5, 6, 3)))
    errors, prediction = GENERATOR.normal(size=(7, 4, 3)), GENERATOR.normal(size=(7, 6, 3))
    corrected = memory.correct(prediction, errors)
    evidence = list(memory.evidence(errors))
    assert sum(part.rows.stop - part.rows.start for part in evidence) == 7
    for row in range(7):
        log_odds, added = definition(memory, errors[row])
        np.testing.assert_allclose(corrected[row], prediction[row] + added, rtol=1e-9, atol=1e-12)
        part = next(part for part in evidence if part.rows.start <= row < part.rows.stop)
        np.testing.assert_allclose(part.log_odds[row - part.rows.start], log_odds, rtol=1e-9)


def test_white_calm_errors_are_whitened_to_their_size_and_the_ridge() -> None:
    whitened = CALM.whitened(CALM_ERRORS)
    rows = whitened.transpose(0, 2, 1).reshape(-1, 4)
    np.testing.assert_allclose(np.diag(rows.T @ rows / len(rows)), 1 / (1 + RIDGE), rtol=0.15)
    np.testing.assert_allclose(CALM.deviation, np.sqrt(np.mean(CALM_ERRORS**2, axis=(0, 1))))
    np.testing.assert_allclose(CALM.sizes, np.sort(np.linalg.norm(whitened, axis=(1, 2))))


@pytest.mark.parametrize("scale", [1.0, -1.0, 0.3])
def test_the_event_that_comes_again_is_corrected_whatever_its_sign_and_size(scale: float) -> None:
    other = scale * np.array([1.0, 2.0, -3.0])  # other amplitudes in each series
    errors, missed = (SHAPE[:, None] * other)[None], (AFTER[:, None] * other)[None]
    corrected = MEMORY.with_settings(beta=1.0).correct(np.zeros((1, 6, 3)), errors)
    np.testing.assert_allclose(corrected, missed, atol=1e-6)


def test_an_unlike_error_is_left_to_the_null() -> None:
    unlike = np.linalg.inv(CALM.whitening) @ np.linalg.svd(MEMORY.keys)[2][1][:, None] * CALM.deviation
    found = MEMORY.with_settings(null=30.0, beta=1.0).correct(np.zeros((1, 6, 3)), unlike[None])
    np.testing.assert_allclose(found, 0, atol=1e-9)


def test_without_entries_the_model_stands_bit_for_bit() -> None:
    prediction = GENERATOR.normal(size=(2, 6, 3))
    prediction[0, 0] = -0.0
    found = SurpriseMemory(SETTINGS, CALM).correct(prediction, GENERATOR.normal(size=(2, 4, 3)))
    assert found.tobytes() == prediction.tobytes()


def test_below_the_gate_the_model_stands_bit_for_bit() -> None:
    errors = np.concatenate([EVENT, 1e-3 * EVENT])
    prediction = GENERATOR.normal(size=(2, 6, 3))
    gated = MEMORY.with_settings(gate=0.9).correct(prediction, errors)
    np.testing.assert_array_equal(gated[0], MEMORY.correct(prediction, errors)[0])
    assert gated[1].tobytes() == prediction[1].tobytes()
    assert not np.array_equal(MEMORY.correct(prediction, errors)[1], prediction[1])


def test_the_gate_is_a_quantile_of_the_calm_sizes() -> None:
    for gate in (0.5, 0.9):
        passed = MEMORY.with_settings(gate=gate).surprised(CALM.sizes).mean()
        assert passed == pytest.approx(1 - gate, abs=0.01)
    assert MEMORY.surprised(np.zeros(3)).all()


def test_the_stored_shape_is_the_one_of_all_series() -> None:
    whitened = CALM.whitening @ SHAPE
    np.testing.assert_allclose(abs(MEMORY.keys[0] @ whitened), np.linalg.norm(whitened))
    assert len(MEMORY) == 1
    assert len(MEMORY.store(EVENT, MISSED)) == 2


def test_series_that_never_move_are_no_fault() -> None:
    calm = Calm.of(CALM_ERRORS * np.array([1.0, 0.0, 1.0]))
    memory = SurpriseMemory(SETTINGS, calm).store(EVENT, MISSED)
    assert np.isfinite(memory.correct(np.zeros((1, 6, 3)), EVENT * np.array([1.0, 0.0, 1.0]))).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"span": 1}, {"span": 7}, {"separation": "window:2"}, {"beta": 0.0}, {"beta": math.inf}, {"null": math.nan}, {"gate": 1.0},
        {"gate": -0.1},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        SurpriseSettings(**{"horizon": 6, "span": 4} | changes)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(SettingsError, match="calm errors"):
        Calm.of(np.zeros((0, 4, 3)))
    with pytest.raises(SettingsError, match="do not fit keys of 5"):
        SurpriseMemory(SurpriseSettings(6, 5), CALM)
    with pytest.raises(SettingsError, match="do not fit the memory"):
        MEMORY.store(EVENT[:, :3], MISSED)
    with pytest.raises(SettingsError, match="do not fit the memory"):
        MEMORY.correct(MISSED[:, :5], EVENT)
    with pytest.raises(SettingsError, match="no error at all"):
        MEMORY.store(0 * EVENT, MISSED)
    with pytest.raises(SettingsError, match="not finite"):
        MEMORY.store(EVENT, MISSED * np.nan)
