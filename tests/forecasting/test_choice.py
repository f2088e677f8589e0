"""Settings from validation: the errors told are those that the memory then makes."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.choice import choose, trials
from uhop_cli.forecasting.linear import fit_linear
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.scores import Errors
from uhop_cli.forecasting.windows import Windows, cut

SEASON = np.sin(np.arange(160) * 2 * np.pi / 11)[:, None] * np.array([1.0, 0.3])
VALUES = SEASON + 0.1 * np.random.default_rng(0).normal(size=(160, 2))
TRAIN, VALIDATION = cut(VALUES, 5, 3, range(100)), cut(VALUES, 5, 3, range(95, 160))
MODEL = fit_linear(VALUES[:100], 5, 3, centred=True)
MEMORY = ForecastMemory(MemorySettings(5, 3)).store(TRAIN, MODEL)


def test_every_trial_is_what_the_memory_does() -> None:
    found = trials(MEMORY, MODEL, VALIDATION, betas=(0.0, 8.0), weights=(0.0, 0.3, 1.0))
    assert len(found) == 1 + 2 * 2 * 2
    prediction = MODEL(VALIDATION.past)
    for trial in found:
        memory = MEMORY.with_settings(read_out=trial.read_out, beta=trial.beta, weight=trial.weight)
        corrected = memory.correct(VALIDATION.past, prediction, VALIDATION.starts)
        assert Errors.of(corrected, VALIDATION.future).mse == pytest.approx(trial.mse, rel=1e-5)


def test_the_least_error_is_taken() -> None:
    memory, best = choose(MEMORY, MODEL, VALIDATION)
    assert best.mse == min(trial.mse for trial in trials(MEMORY, MODEL, VALIDATION))
    assert (memory.settings.read_out, memory.settings.beta, memory.settings.weight) == (best.read_out, best.beta, best.weight)


def test_a_memory_of_something_else_is_left_out() -> None:
    noise = np.random.default_rng(1)
    other = Windows(TRAIN.past, 50 * noise.normal(size=TRAIN.future.shape), TRAIN.starts)
    memory, best = choose(ForecastMemory(MemorySettings(5, 3)).store(other), MODEL, VALIDATION)
    assert best.weight == memory.settings.weight == 0
    assert best.mse == pytest.approx(Errors.of(MODEL(VALIDATION.past), VALIDATION.future).mse, rel=1e-12)


def test_without_residuals_futures_are_read() -> None:
    found = trials(ForecastMemory(MemorySettings(5, 3)).store(TRAIN), MODEL, VALIDATION)
    assert {trial.read_out for trial in found} == {"future"}


def test_windows_that_see_nothing_count_as_the_model() -> None:
    early = Windows(VALIDATION.past, VALIDATION.future, np.zeros(len(VALIDATION), np.int64))
    base = Errors.of(MODEL(VALIDATION.past), VALIDATION.future).mse
    assert [trial.mse for trial in trials(MEMORY, MODEL, early)] == pytest.approx([base] * 61, rel=1e-12)


def test_tuning_on_the_stored_windows_leaves_each_out() -> None:
    honest = {(t.read_out, t.beta, t.weight): t.mse for t in trials(MEMORY, MODEL, TRAIN, rule="apart", betas=(1e4,))}
    blind = Windows(TRAIN.past, TRAIN.future, np.full(len(TRAIN), 1000))
    own = {(t.read_out, t.beta, t.weight): t.mse for t in trials(MEMORY, MODEL, blind, betas=(1e4,))}
    assert own["residual", 1e4, 1.0] < 1e-3 < honest["residual", 1e4, 1.0]


@pytest.mark.parametrize("grid", [{"betas": ()}, {"weights": ()}])
def test_an_empty_grid_is_refused(grid: dict[str, tuple[float, ...]]) -> None:
    with pytest.raises(SettingsError):
        trials(MEMORY, MODEL, VALIDATION, **grid)
