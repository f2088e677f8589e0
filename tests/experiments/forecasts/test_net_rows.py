"""The rows of the nets: what is compared with what, on the same windows, seed by seed and all together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from uhop_cli.experiments.forecasts import net_rows, nets
from uhop_cli.experiments.forecasts.config import ForecastConfig
from uhop_cli.experiments.forecasts.run import KEY, run
from uhop_cli.experiments.results.family import ALL
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.scores import paired_difference
from uhop_cli.forecasting.series import Series
from uhop_cli.progress import Progress

pytestmark = pytest.mark.usefixtures("few_windows")


def test_every_method_on_every_test_window(short: Series, quick: ForecastConfig) -> None:
    journal, told = Journal(None, {}, key=KEY), []
    run(short, replace(quick, methods=tuple(nets.METHODS)), journal, Surroundings(progress=told.append))
    assert [(row["method"], row["seed"]) for row in journal.rows] == [(name, seed) for seed in (0, None) for name in nets.METHODS]
    assert all(row["quick"] for row in journal.rows)
    assert {row["metrics"]["windows"] for row in journal.rows} == {80 - 6 + 1}
    trained = [progress.stage for progress in told if progress.note]
    assert len(trained) == len(set(trained)) == len(nets.METHODS) - 1  # each once; plug-and-play is not trained
    assert [progress for progress in told if not progress.note] == [Progress("forecast", 1, 2), Progress("forecast", 2, 2)]
    plain = {row["method"]: row for row in journal.rows if row["seed"] == 0}
    assert plain["tune-and-play"]["chosen"]["windows"] == plain["plug-and-play"]["chosen"]["windows"] == 32
    assert plain["tune-and-play"]["metrics"]["mse"] != plain["tune-permuted"]["metrics"]["mse"]
    for method, controls in net_rows.CONTROLS.items():
        for control in controls:
            if control != "linear":
                difference = plain[method]["metrics"]["mse"] - plain[control]["metrics"]["mse"]
                assert plain[method]["metrics"][f"less_{control}"] == pytest.approx(difference)


def test_seeds_are_paired_and_averaged_window_by_window(short: Series, quick: ForecastConfig) -> None:
    study = nets.Study(short, replace(quick, methods=("stanhop", "stanhop-kernel"), repeats=2), Surroundings(), 24, 6)
    rows = [row for part in net_rows.rows(study, set()) for row, _ in part]
    assert [(row["method"], row["seed"]) for row in rows] == [
        (name, seed) for seed in (0, 1, None) for name in ("stanhop", "stanhop-kernel")
    ]
    together = rows[5]["metrics"]
    means = []
    for name in ("stanhop-kernel", "stanhop"):
        errors = [study.outcome(name, seed).errors for seed in (0, 1)]
        assert not np.array_equal(errors[0].squared, errors[1].squared)
        means.append((errors[0].squared + errors[1].squared) / 2)
    expected = paired_difference(*means, 24 + 6, seed=0)
    assert (together["less_stanhop"], together["less_stanhop_low"]) == (expected.mean, expected.low)
    assert together["less_stanhop_high"] == expected.high
    each = [rows[index]["metrics"]["mse"] for index in (1, 3)]
    assert together["mse"] == pytest.approx(np.mean(each))
    assert together["spread"] == pytest.approx(np.std(each))
    below = [rows[index + 1]["metrics"]["mse"] < rows[index]["metrics"]["mse"] for index in (0, 2)]
    assert (together["seeds"], together["seeds_below_stanhop"]) == (2, sum(below))


def test_nets_are_asked_for_by_name() -> None:
    assert net_rows.wanted(ForecastConfig(("forecast",))) == []
    assert net_rows.parts(ForecastConfig(("forecast",))) == 0
    assert net_rows.wanted(ForecastConfig(("forecast",), (ALL,))) == list(nets.METHODS)
    assert net_rows.parts(ForecastConfig(("forecast",), ("stanhop",))) == 4
    assert set(net_rows.CONTROLS) == set(nets.METHODS)
    assert {control for controls in net_rows.CONTROLS.values() for control in controls} <= {"linear", *nets.METHODS}
