"""Leakage rules as laws: nothing that lies after a forecast changes it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.choice import choose
from uhop_cli.forecasting.leakage import admissible
from uhop_cli.forecasting.linear import fit_linear
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.series import Series, Split
from uhop_cli.forecasting.windows import cut

LOOK_BACK, HORIZON = 6, 4
SETTINGS = MemorySettings(LOOK_BACK, HORIZON, beta=5.0, weight=0.7)
ROWS = st.lists(st.integers(0, 60), min_size=1, max_size=4).map(np.array)


def series(seed: int = 0, rows: int = 120) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(rows, 2)).cumsum(axis=0)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS, st.integers(1, 9), st.integers(1, 9))
def test_past_means_that_all_of_it_was_known(stored: np.ndarray, queries: np.ndarray, look_back: int, horizon: int) -> None:
    allowed = admissible(stored, queries, look_back, horizon)
    for i, q in enumerate(queries):
        for j, s in enumerate(stored):
            rows, known = set(range(s, s + look_back + horizon)), set(range(q + look_back))
            assert allowed[i, j] == (rows <= known)


@settings(max_examples=40, deadline=None)
@given(ROWS, ROWS, st.integers(1, 9), st.integers(1, 9))
def test_apart_means_that_no_row_is_shared(stored: np.ndarray, queries: np.ndarray, look_back: int, horizon: int) -> None:
    allowed = admissible(stored, queries, look_back, horizon, "apart")
    for i, q in enumerate(queries):
        for j, s in enumerate(stored):
            rows, other = set(range(s, s + look_back + horizon)), set(range(q, q + look_back + horizon))
            assert allowed[i, j] == (not rows & other)


def test_there_is_no_third_rule() -> None:
    with pytest.raises(SettingsError, match="no rule"):
        admissible(np.arange(2), np.arange(2), 3, 2, "none")  # type: ignore[arg-type]


@pytest.mark.parametrize("read_out", ["future", "residual"])
def test_a_store_that_holds_the_future_of_a_query_changes_no_figure(read_out: str) -> None:
    values = series()
    model = fit_linear(values[:60], LOOK_BACK, HORIZON, centred=True)
    query = cut(values, LOOK_BACK, HORIZON, range(80, 80 + LOOK_BACK + HORIZON))
    honest = ForecastMemory(SETTINGS).with_settings(read_out=read_out).store(cut(values, LOOK_BACK, HORIZON, range(86)), model)
    knowing = honest.store(cut(values, LOOK_BACK, HORIZON, range(77, 120)), model)
    prediction = model(query.past)
    corrected = honest.correct(query.past, prediction, query.starts)
    assert not np.array_equal(corrected, prediction)
    np.testing.assert_array_equal(knowing.correct(query.past, prediction, query.starts), corrected)
    # and without the rule the same store would have answered otherwise: the law has something to forbid
    assert not np.allclose(knowing.correct(query.past, prediction), corrected)


def test_a_forecast_does_not_move_when_what_comes_after_it_does() -> None:
    values, changed = series(), series()
    changed[86:] += 5.0
    query = values[80 : 80 + LOOK_BACK][None]
    answers = [
        ForecastMemory(SETTINGS).store(cut(rows, LOOK_BACK, HORIZON)).forecast(query, np.array([80]))[0]
        for rows in (values, changed)
    ]
    np.testing.assert_array_equal(answers[0], answers[1])


def test_tuning_on_stored_windows_sees_none_that_overlap() -> None:
    values = series()
    windows = cut(values, LOOK_BACK, HORIZON)
    memory = ForecastMemory(SETTINGS).with_settings(beta=1e4).store(windows)
    recall = memory.recall(windows.past, windows.starts, "apart")
    distance = np.abs(memory.starts[recall.entry] - windows.starts[:, None])
    assert distance.min() >= LOOK_BACK + HORIZON
    itself = memory.recall(windows.past)
    np.testing.assert_array_equal(itself.entry, np.arange(len(windows))[:, None].repeat(2, axis=1))


def test_statistics_model_and_settings_come_from_their_own_parts() -> None:
    split = Split(70, 25, 25)
    found = []
    for shift in (0.0, 9.0):
        values = series()
        values[95:] += shift  # the test rows
        scaled = Series("mine", ("a", "b"), values).scaled(split).values
        train, validation = (cut(scaled, LOOK_BACK, HORIZON, split.rows(part, LOOK_BACK)) for part in ("train", "validation"))
        model = fit_linear(scaled[: split.train], LOOK_BACK, HORIZON, centred=False)
        memory, trial = choose(ForecastMemory(SETTINGS).store(train, model), model, validation)
        found.append((model, memory, trial))
    (model, memory, trial), (model_, memory_, trial_) = found
    np.testing.assert_array_equal(model.weight, model_.weight)
    np.testing.assert_array_equal(memory.past, memory_.past)
    np.testing.assert_array_equal(memory.residual, memory_.residual)
    assert trial == trial_
    assert memory.settings == memory_.settings
