"""What is stored, asked and refitted lies in its part of the series."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.forecasts.event_study import ASKED, STORED, EventStudy
from uhop_cli.experiments.forecasts.events import TEST_SHAPES
from uhop_cli.experiments.forecasts.sudden_event import study
from uhop_cli.forecasting.linear import NormalEquations
from uhop_cli.forecasting.series import Series, Split


def test_parts_do_not_touch(long: Series) -> None:
    of = study(long)
    split = of.split
    for part, low, high in (("train", 0, split.train), ("validation", split.train, split.train + split.validation)):
        for event in of.draw(TEST_SHAPES, 40, part, np.random.default_rng(0)):
            assert low <= event.onset
            assert event.onset + max(*ASKED, *STORED) + of.horizon <= high
    test = of.draw(TEST_SHAPES, 40, "test", np.random.default_rng(0))
    assert min(event.onset for event in test) >= split.train + split.validation
    model = of.model()
    for part, rows in (("validation", split.validation), ("test", split.test)):
        assert len(of.calm(model, part)) == rows - of.horizon + 1


def test_the_memory_of_an_event_knows_it_again_and_nothing_stored_is_the_model(long: Series) -> None:
    of = study(long)
    model = of.model()
    events = of.draw(TEST_SHAPES, 3, "train", np.random.default_rng(0))
    empty = of.memory(model)
    assert of.stored(empty, [], model) is empty
    memory = of.stored(empty, events, model).with_settings(beta=1.0, null=20.0, gate=0.0)
    assert len(memory) == 3 * len(STORED)
    seen = of.at(events, model)
    assert len(seen) == 3 * len(ASKED)
    left = seen.truth - memory.correct(seen.prediction, seen.errors)
    assert np.mean(left**2) < 0.5 * np.mean(seen.missed**2)


def test_refitting_knows_the_events(long: Series) -> None:
    of = study(long)
    events = of.draw(TEST_SHAPES, 2, "train", np.random.default_rng(0))
    refit = of.refit(events)
    assert not np.array_equal(refit.weight, of.model().weight)
    np.testing.assert_array_equal(of.refit([]).weight, of.model().weight)
    assert np.mean(of.at(events, refit, STORED).missed ** 2) < np.mean(of.at(events, of.model(), STORED).missed ** 2)


def test_a_short_series_is_refused() -> None:
    with pytest.raises(SettingsError, match="too short"):
        EventStudy(np.zeros((900, 2)), Split(600, 100, 200), NormalEquations.empty(96, 96, centred=False))
