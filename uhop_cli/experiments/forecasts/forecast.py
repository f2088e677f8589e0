"""Experiment `forecast`: every control, the memory of windows and the nets, at each look-back and horizon, on every test window."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError
from uhop_cli.experiments.forecasts import net_rows, nets
from uhop_cli.experiments.forecasts.case import LINEAR, Case
from uhop_cli.experiments.forecasts.config import FORECAST, ForecastConfig
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.naive import Forecaster, LastValue, MeanOfSeasons
from uhop_cli.forecasting.scores import Errors, paired_difference
from uhop_cli.forecasting.series import Series, Split

OWN = {
    "last-value": "the last value of the window",
    "seasonal-naive": "the last season of the window, repeated",
    "mean-of-seasons": "the mean of all whole seasons of the window",
    "linear-raw": "least squares over all training windows",
    "linear-centred": "the same with each window's mean taken out and put back",
    "memory": "ForecastMemory on the better of the two linear ones, all settings chosen on validation",
}
METHODS = OWN | nets.METHODS

Row = dict[str, Any]


def controls(series: Series, look_back: int, horizon: int) -> dict[str, Forecaster]:
    """The forecasters without learning that fit the look-back."""
    found: dict[str, Forecaster] = {"last-value": LastValue(horizon)}
    seasons = look_back // series.season
    if series.season > 1 and seasons:
        found["seasonal-naive"] = MeanOfSeasons(horizon, series.season)
        found["mean-of-seasons"] = MeanOfSeasons(horizon, series.season, seasons)
    return found


def cells(series: Series, config: ForecastConfig) -> list[tuple[int, int]]:
    """Look-backs and horizons that the shortest part of the series has windows for.

    Raises:
        SettingsError: there is none.
    """
    split = Split.of(series)
    fitting = [
        (look_back, horizon)
        for look_back in config.look_backs
        for horizon in config.horizons
        if horizon <= min(split.validation, split.test) and look_back + horizon <= split.train
    ]
    if not fitting:
        shortest = min(config.horizons)
        raise SettingsError(f"{series.name} has too few rows for a horizon of {shortest}", "--horizons with a shorter one")
    return fitting


def parts(series: Series, config: ForecastConfig) -> int:
    """How many parts `rows` has."""
    return len(cells(series, config)) * (bool(_own(config)) + net_rows.parts(config))


def rows(
    series: Series, config: ForecastConfig, done: set[tuple[Any, ...]], surroundings: Surroundings
) -> Iterator[list[tuple[Row, float]]]:
    """The rows of each look-back and horizon with their seconds, first without the nets, then with each seed of theirs; those in
    `done`, by (method, look-back, horizon, seed), are left out."""
    for look_back, horizon in cells(series, config):
        naive = controls(series, look_back, horizon)
        possible = [name for name in _own(config) if name in naive or name in LINEAR or name == "memory"]
        missing = [name for name in possible if (name, look_back, horizon, config.seed) not in done]
        if _own(config):
            yield list(_cell(series, config, look_back, horizon, missing, naive)) if missing else []
        yield from net_rows.rows(nets.Study(series, config, surroundings, look_back, horizon), done)


def _own(config: ForecastConfig) -> list[str]:
    return [name for name in OWN if config.wants(name)]


def _cell(
    series: Series, config: ForecastConfig, look_back: int, horizon: int, methods: list[str], naive: dict[str, Forecaster]
) -> Iterator[tuple[Row, float]]:
    case = Case.of(series, look_back, horizon)
    test = case.test

    def row(method: str, forecast: Float64, **more: Any) -> Row:
        errors = Errors.of(forecast, test.future)
        metrics: dict[str, Any] = {"mse": errors.mse, "mae": errors.mae, "windows": len(test)}
        if base is not None:
            against = paired_difference(errors.squared, base.squared, look_back + horizon, seed=config.seed)
            metrics.update(difference=against.mean, low=against.low, high=against.high)
        place = {"look_back": look_back, "horizon": horizon, "stored": None, "seed": config.seed}
        row = {"experiment": FORECAST, "dataset": series.name, "method": method, "separation": None, **place, "metrics": metrics}
        return row | more

    base: Errors | None = None
    for method in methods:
        if method in naive:
            began = time.perf_counter()
            yield row(method, naive[method](test.past)), time.perf_counter() - began
    if not any(method in LINEAR or method == "memory" for method in methods):
        return
    models, spent = {}, {}
    for name in LINEAR:
        began = time.perf_counter()
        models[name] = case.fit(name)
        spent[name] = time.perf_counter() - began
    for name, model in models.items():
        if name in methods:
            yield row(name, model(test.past)), spent[name]
    if "memory" in methods:
        began = time.perf_counter()
        better = case.better(models)
        prediction = models[better](test.past)
        base = Errors.of(prediction, test.future)
        memory, trial = case.memory(models[better], config)
        corrected = memory.correct(test.past, prediction, test.starts)
        chosen = {"base": better, "read_out": trial.read_out, "beta": trial.beta, "weight": trial.weight, "windows": len(memory)}
        done = row("memory", corrected, chosen=chosen)
        done["separation"] = memory.settings.separation
        yield done, time.perf_counter() - began
