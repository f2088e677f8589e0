"""Both experiments run, row by row, and go on where they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.forecasts import event_study, figures, forecast, sudden_event, tables
from uhop_cli.experiments.forecasts.config import ForecastConfig
from uhop_cli.experiments.forecasts.run import KEY, run
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.series import Series
from uhop_cli.progress import Progress

FORECAST = ForecastConfig(("forecast",), horizons=(5, 12, 900), stored=(60,))


def test_forecast_has_every_control_and_the_memory(short: Series) -> None:
    journal, told = Journal(None, {}, key=KEY), []
    run(short, FORECAST, journal, Surroundings(progress=told.append))
    assert [(row["method"], row["horizon"]) for row in journal.rows] == [(name, h) for h in (5, 12) for name in forecast.OWN]
    assert told == [Progress("forecast", 1, 2), Progress("forecast", 2, 2)]
    metrics = {row["method"]: row["metrics"] for row in journal.rows if row["horizon"] == 5}
    assert {cell["windows"] for cell in metrics.values()} == {80 - 5 + 1}  # every test window
    assert max(metrics[name]["mse"] for name in ("linear-raw", "mean-of-seasons")) < metrics["last-value"]["mse"]
    memory = metrics["memory"]
    base = journal.rows[5]["chosen"]["base"]
    assert memory["difference"] == pytest.approx(memory["mse"] - metrics[base]["mse"])
    assert memory["low"] <= memory["difference"] <= memory["high"]
    assert journal.rows[5]["separation"] == "softmax"
    assert journal.rows[5]["chosen"]["windows"] == 60
    words = " ".join(tables.sentences(journal.rows, "forecast"))
    assert "of 2 look-backs and horizons" in words
    (title, heads, body), (_, _, differences) = tables.tables(journal.rows, "forecast")
    assert title.startswith("look-back 96")
    assert heads == ["method", "5", "12"]
    assert body[0][1] == f"{metrics['last-value']['mse']:.4f} / {metrics['last-value']['mae']:.4f}"
    assert [line[0] for line in differences] == ["96 -> 5", "96 -> 12"]


def test_a_resumed_run_is_the_run(short: Series, tmp_path: Path) -> None:
    whole = Journal(tmp_path / "whole", {}, key=KEY)
    with whole:
        run(short, FORECAST, whole)
    rows = (tmp_path / "whole" / "rows.jsonl").read_bytes()
    lines = rows.splitlines(keepends=True)
    (tmp_path / "part").mkdir()
    for kept in (1, 3, 7, len(lines)):
        (tmp_path / "part" / "rows.jsonl").write_bytes(b"".join(lines[:kept]) + b'{"half')
        with Journal(tmp_path / "part", {}, resume=True, key=KEY) as journal:
            run(short, FORECAST, journal)
        assert (tmp_path / "part" / "rows.jsonl").read_bytes() == rows


def test_sudden_events(long: Series, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sudden_event, "DRAWS", 1)
    monkeypatch.setattr(sudden_event, "EVENTS", 4)
    monkeypatch.setattr(event_study, "STORED", range(4, 49, 4))
    config = ForecastConfig(("sudden-event",), stored=(0, 3), repeats=2)
    journal = Journal(None, {}, key=KEY)
    run(long, config, journal)
    assert len(journal.rows) == 2 * 2 * len(sudden_event.METHODS)
    found = {(row["method"], row["stored"], row["seed"]): row["metrics"] for row in journal.rows}
    for seed in (0, 1):
        frozen = found["frozen", 0, seed]
        assert frozen["mse"] > 2 * frozen["calm"]  # events are no calm weather
        for method in ("memory", "memory-ungated"):
            assert found[method, 0, seed] == frozen  # nothing stored: the model, bit for bit
            assert found[method, 3, seed]["mse"] < frozen["mse"]
        assert found["refit", 0, seed]["mse"] == frozen["mse"]
        assert found["memory", 3, seed]["gain_at_0"] <= 1
    run(long, ForecastConfig(("fresh-event",), ("frozen",), stored=(0,), repeats=2), journal)
    fresh = [row["metrics"] for row in journal.rows if row["experiment"] == "fresh-event"]
    assert [metrics["calm"] for metrics in fresh] == [found["frozen", 0, seed]["calm"] for seed in (0, 1)]
    assert all(metrics["mse"] != found["frozen", 0, seed]["mse"] for seed, metrics in enumerate(fresh))  # other shapes
    names = [table[0] for table in tables.tables(journal.rows, "sudden-event")]
    assert names == ["MSE after an event, mean of 2 draws", "MSE of calm windows over the frozen model's"]
    assert any(line.startswith("memory with 3 stored:") for line in tables.sentences(journal.rows, "sudden-event"))
    pytest.importorskip("matplotlib")
    assert figures.draw(tmp_path, journal.rows, long, config) == ["sudden-event.png", "sudden-event.svg"]


def test_methods_can_be_named(short: Series) -> None:
    journal = Journal(None, {}, key=KEY)
    run(short, ForecastConfig(("forecast",), ("last-value", "linear-centred"), horizons=(5,)), journal)
    assert [row["method"] for row in journal.rows] == ["last-value", "linear-centred"]
    for methods, words in ((("last-valu",), "did you mean last-value"), (("frozen",), "one of")):
        with pytest.raises(SettingsError) as raised:
            run(short, ForecastConfig(("forecast",), methods), Journal(None, {}, key=KEY))
        assert words in (raised.value.hint or "")
    with pytest.raises(SettingsError, match="none of the methods is for sudden-event"):
        run(short, ForecastConfig(("forecast", "sudden-event"), ("last-value",)), Journal(None, {}, key=KEY))


def test_a_horizon_beyond_the_series_is_refused(short: Series) -> None:
    with pytest.raises(SettingsError, match="too few rows for a horizon of 100"):
        run(short, ForecastConfig(("forecast",), horizons=(100,)), Journal(None, {}, key=KEY))
    with pytest.raises(SettingsError):
        ForecastConfig(("forecast",), horizons=())
    with pytest.raises(SettingsError):
        ForecastConfig(("forecast",), repeats=0)
