"""The memory of windows against its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting import memory as module
from uhop_cli.forecasting.linear import fit_linear
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.naive import LastValue
from uhop_cli.forecasting.windows import Windows, cut

VALUES = np.random.default_rng(0).normal(size=(70, 2)).cumsum(axis=0)
TRAIN, TEST = cut(VALUES, 5, 3, range(50)), cut(VALUES, 5, 3, range(45, 70))
MODEL = fit_linear(VALUES[:50], 5, 3, centred=True)
SETTINGS = MemorySettings(5, 3, beta=4.0, weight=0.25)
MEMORY = ForecastMemory(SETTINGS).store(TRAIN, MODEL)


def unit(window: np.ndarray) -> np.ndarray:
    centred = window - window.mean()
    return centred / np.linalg.norm(centred)


def naive(query: np.ndarray, start: int, read_out: str, beta: float) -> np.ndarray:
    """The read-out of one window (L, C) from the definition."""
    answer = np.zeros((3, 2))
    for c in range(2):
        weights, values = [], []
        for window, future, row in zip(TRAIN.past[:, :, c], TRAIN.future[:, :, c], TRAIN.starts, strict=True):
            if row + 5 + 3 <= start + 5:
                weights.append(math.exp(beta * float(unit(query[:, c]) @ unit(window))))
                wrong = future - MODEL(np.stack([window, window], axis=1)[None])[0, :, 0]
                values.append(wrong if read_out == "residual" else future - window.mean())
        answer[:, c] = np.array(weights) @ np.array(values) / sum(weights)
        answer[:, c] += query[:, c].mean() * (read_out == "future")
    return answer


@pytest.mark.parametrize("read_out", ["future", "residual"])
@pytest.mark.parametrize("block", [1, 1 << 22])
def test_it_is_its_definition(read_out: Any, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_VALUES", block)
    memory = MEMORY.with_settings(read_out=read_out)
    recall = memory.recall(TEST.past, TEST.starts)
    expected = np.stack([naive(query, start, read_out, 4.0) for query, start in zip(TEST.past, TEST.starts, strict=True)])
    np.testing.assert_allclose(recall.values, expected, atol=2e-5)
    prediction = MODEL(TEST.past)
    mixed = 0.75 * prediction + 0.25 * expected if read_out == "future" else prediction + 0.25 * expected
    np.testing.assert_allclose(memory.correct(TEST.past, prediction, TEST.starts), mixed, atol=2e-5)


def test_golden() -> None:
    # Two stored windows, one rising and one falling; beta ln 2 / 2 so that cosines of 1 and -1 weigh 2 to 1.
    past = np.array([[0.0, 1, 2], [12, 11, 10]])[:, :, None]
    future = np.array([[3.0, 4], [9, 8]])[:, :, None]
    memory = ForecastMemory(MemorySettings(3, 2, beta=math.log(2) / 2)).store(Windows(past, future, np.arange(2)))
    answer, recall = memory.forecast(np.array([4.0, 6, 8])[None, :, None])
    # 6 + (2 * (3 - 1, 4 - 1) + (9 - 11, 8 - 11)) / 3
    np.testing.assert_allclose(answer[0, :, 0], [6 + 2 / 3, 7], rtol=1e-6)
    assert recall.entry.tolist() == [[0]]
    np.testing.assert_allclose(recall.weight, 2 / 3, rtol=1e-6)
    np.testing.assert_allclose(recall.similarity, 1, rtol=1e-6)


@pytest.mark.parametrize("read_out", ["future", "residual"])
def test_weight_0_is_the_model_bit_for_bit(read_out: Any) -> None:
    prediction = MODEL(TEST.past)
    prediction[0, 0] = -0.0, np.nan
    found = MEMORY.with_settings(weight=0.0, read_out=read_out).correct(TEST.past, prediction, TEST.starts)
    assert found.tobytes() == prediction.tobytes()
    assert found is not prediction


def test_where_nothing_may_be_seen_the_model_stands() -> None:
    prediction = MODEL(TEST.past)
    early = np.zeros(len(TEST), np.int64)
    early[-1] = 3  # the first stored future ends at row 8
    found = MEMORY.correct(TEST.past, prediction, early)
    assert found[:-1].tobytes() == prediction[:-1].tobytes()
    assert not np.array_equal(found[-1], prediction[-1])
    with pytest.raises(SettingsError, match="before window 0"):
        MEMORY.forecast(TEST.past, early)


def test_adding_is_storing_at_once_and_changes_nothing_before() -> None:
    halves = [cut(VALUES, 5, 3, range(30)), cut(VALUES, 5, 3, range(23, 50))]
    memory = ForecastMemory(SETTINGS).store(halves[0], MODEL)
    before = memory.correct(TEST.past, MODEL(TEST.past))
    both = memory.store(halves[1], MODEL)
    assert (len(memory), len(both)) == (23, 43)
    np.testing.assert_array_equal(memory.correct(TEST.past, MODEL(TEST.past)), before)
    np.testing.assert_array_equal(
        both.correct(TEST.past, MODEL(TEST.past), TEST.starts), MEMORY.correct(TEST.past, MODEL(TEST.past), TEST.starts)
    )


def test_the_level_of_a_query_passes_through_and_its_size_does_not_matter_to_the_weights() -> None:
    raised, recall = MEMORY.forecast(TEST.past + 100)
    plain, _ = MEMORY.forecast(TEST.past)
    np.testing.assert_allclose(raised, plain + 100, atol=1e-3)
    tenfold = MEMORY.recall(10 * TEST.past)
    np.testing.assert_array_equal(tenfold.entry, recall.entry)
    np.testing.assert_allclose(tenfold.weight, MEMORY.recall(TEST.past).weight, rtol=1e-4)


def test_a_flat_window_is_like_no_other() -> None:
    flat = np.full((1, 5, 2), 0.1)
    recall = MEMORY.recall(flat)
    np.testing.assert_allclose(recall.weight, 1 / len(MEMORY), rtol=1e-6)
    np.testing.assert_array_equal(recall.similarity, 0)
    one = ForecastMemory(SETTINGS).store(Windows(flat, flat[:, :3], np.zeros(1, np.int64)))
    np.testing.assert_array_equal(one.recall(TEST.past).similarity, 0)


@pytest.mark.parametrize("separation", ["softmax", "sparsemax", "entmax:1.5", "top-k:3", "argmax"])
def test_any_separation_leaves_out_what_may_not_be_seen(separation: str) -> None:
    memory = MEMORY.with_settings(separation=separation)
    start = np.array([12])
    recall = memory.recall(TEST.past[:1], start)
    few = ForecastMemory(memory.settings).store(cut(VALUES, 5, 3, range(17)), MODEL)
    np.testing.assert_allclose(recall.values, few.recall(TEST.past[:1]).values, atol=1e-6)
    assert (memory.starts[recall.entry] + 8 <= 17).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"look_back": 1}, {"horizon": 0}, {"similarity": "kernel"}, {"similarity": "none"}, {"separation": "window:3"},
        {"beta": -1.0},
        {"beta": math.inf}, {"weight": -0.1}, {"weight": 1.1}, {"read_out": "both"}, {"separation": "random:0.5"},
    ],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        MemorySettings(**{"look_back": 5, "horizon": 3} | changes)


def test_what_does_not_fit_is_refused() -> None:
    prediction = MODEL(TEST.past)
    with pytest.raises(SettingsError, match="empty"):
        ForecastMemory(SETTINGS).recall(TEST.past)
    with pytest.raises(SettingsError, match="do not fit a memory of 5 and 3"):
        MEMORY.store(cut(VALUES, 5, 2))
    with pytest.raises(SettingsError, match="1 series do not fit a memory of 2"):
        MEMORY.store(cut(VALUES[:, :1], 5, 3), LastValue(3))
    with pytest.raises(SettingsError, match="or none has"):
        MEMORY.store(TRAIN)
    with pytest.raises(SettingsError, match="or none has"):
        ForecastMemory(SETTINGS).store(TRAIN).store(TRAIN, MODEL)
    with pytest.raises(SettingsError, match="no residuals"):
        ForecastMemory(SETTINGS).store(TRAIN).with_settings(read_out="residual").recall(TEST.past)
    with pytest.raises(SettingsError, match="no forecast of their own"):
        MEMORY.with_settings(read_out="residual").forecast(TEST.past)
    with pytest.raises(SettingsError, match="not finite"):
        MEMORY.store(cut(np.where(VALUES[3, 0] == VALUES, np.nan, VALUES), 5, 3), MODEL)
    with pytest.raises(SettingsError, match="predictions"):
        MEMORY.correct(TEST.past, prediction[:, :2])
    with pytest.raises(SettingsError, match="windows"):
        MEMORY.recall(TEST.past[:, :4])
    with pytest.raises(SettingsError, match="starts"):
        MEMORY.recall(TEST.past, TEST.starts[:2])
    with pytest.raises(SettingsError, match="do not fit each other"):
        ForecastMemory(SETTINGS, MEMORY.past, MEMORY.future[:, :2], MEMORY.starts)
