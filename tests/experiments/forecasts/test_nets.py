"""The nets as methods: what is compared with what, on the same windows, and that nothing is trained twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.experiments.forecasts import nets
from uhop_cli.experiments.forecasts.config import ALL, ForecastConfig, Surroundings
from uhop_cli.experiments.forecasts.run import KEY, run
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.forecasting.scores import Errors, paired_difference
from uhop_cli.forecasting.series import Series
from uhop_cli.progress import Progress

SMALL: dict[str, Any] = {"look_backs": (24,), "horizons": (6,), "stored": (40,), "quick": True}


@pytest.fixture(autouse=True)
def few_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nets that learn next to nothing, quickly."""
    import torch

    monkeypatch.setattr(nets, "QUICK", {"epochs": 1, "windows": 32})
    monkeypatch.setattr(nets, "VALIDATION_WINDOWS", 10)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def config(*methods: str, **more: Any) -> ForecastConfig:
    return ForecastConfig(("forecast",), methods, **(SMALL | more))


def test_every_method_on_every_test_window(short: Series) -> None:
    journal, told = Journal(None, {}, key=KEY), []
    run(short, config(*nets.METHODS), journal, Surroundings(progress=told.append))
    assert [(row["method"], row["seed"]) for row in journal.rows] == [(name, seed) for seed in (0, None) for name in nets.METHODS]
    assert all(row["quick"] for row in journal.rows)
    assert {row["metrics"]["windows"] for row in journal.rows} == {80 - 6 + 1}
    trained = [progress.stage for progress in told if progress.note]
    assert len(trained) == len(set(trained)) == len(nets.METHODS) - 1  # each once; plug-and-play is not trained
    assert [progress for progress in told if not progress.note] == [Progress("forecast", 1, 2), Progress("forecast", 2, 2)]
    plain = {row["method"]: row for row in journal.rows if row["seed"] == 0}
    assert plain["tune-and-play"]["chosen"]["windows"] == plain["plug-and-play"]["chosen"]["windows"] == 32
    assert plain["tune-and-play"]["metrics"]["mse"] != plain["tune-permuted"]["metrics"]["mse"]
    for method, controls in nets.CONTROLS.items():
        for control in controls:
            if control != "linear":
                difference = plain[method]["metrics"]["mse"] - plain[control]["metrics"]["mse"]
                assert plain[method]["metrics"][f"less_{control}"] == pytest.approx(difference)


def test_seeds_are_paired_and_averaged_window_by_window(short: Series) -> None:
    study = nets.Study(short, config("stanhop", "stanhop-kernel", repeats=2), Surroundings(), 24, 6)
    rows = [row for part in nets.rows(study, set()) for row, _ in part]
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


def test_linear_is_the_better_one_on_validation(short: Series) -> None:
    study = nets.Study(short, config("stanhop"), Surroundings(), 24, 6)
    models = {name: study.case.fit(name) for name in ("linear-raw", "linear-centred")}
    better = study.case.better(models)
    expected = Errors.of(models[better](study.case.test.past), study.case.test.future)
    assert study.outcome("linear", 0).chosen == {"base": better}
    assert np.array_equal(study.outcome("linear", 5).errors.squared, expected.squared)


def test_a_resumed_run_is_the_run(short: Series, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = config("stanhop", "tune-and-play")
    with Journal(tmp_path, {}, key=KEY) as journal:
        run(short, wanted, journal, Surroundings(tmp_path))
    rows = (tmp_path / "rows.jsonl").read_bytes()
    assert {file.name for file in (tmp_path / "nets").iterdir()} == {
        f"{name}-24-6-0.safetensors" for name in ("stanhop", "tune-and-play", "tune-none", "tune-permuted")
    }
    monkeypatch.setattr("uhop_cli.nn.stanhop.training._epoch", lambda *rest: pytest.fail("trained again"))
    for kept in (1, 2, 3, 5):
        (tmp_path / "rows.jsonl").write_bytes(b"".join(rows.splitlines(keepends=True)[:kept]))
        with Journal(tmp_path, {}, resume=True, key=KEY) as journal:
            run(short, wanted, journal, Surroundings(tmp_path))
        assert (tmp_path / "rows.jsonl").read_bytes() == rows


def test_nothing_of_the_test_rows_reaches_a_net(short: Series) -> None:
    """The law of leakage for what is trained: other test rows, the same forecasts of the windows before them."""
    values = short.values.copy()
    values[-40:] += 5.0
    other = Series(short.name, short.columns, values, season=24)
    first, second = (nets.Study(series, config(), Surroundings(), 24, 6) for series in (short, other))
    for method in ("stanhop-alternation", "tune-and-play", "plug-and-play"):
        one, two = (study.outcome(method, 0).errors.squared for study in (first, second))
        untouched = 40 - 6 + 1  # windows of which no row was changed
        assert np.array_equal(one[:untouched], two[:untouched])
        assert not np.array_equal(one, two)


def test_nets_are_asked_for_by_name() -> None:
    assert nets.wanted(ForecastConfig(("forecast",))) == []
    assert nets.parts(ForecastConfig(("forecast",))) == 0
    assert nets.wanted(ForecastConfig(("forecast",), (ALL,))) == list(nets.METHODS)
    assert nets.parts(ForecastConfig(("forecast",), ("stanhop",))) == 4
    assert set(nets.CONTROLS) == set(nets.METHODS)
    assert {control for controls in nets.CONTROLS.values() for control in controls} <= {"linear", *nets.METHODS}
