"""Experiment `forecast`: every control and the memory of windows, at each look-back and horizon, on every test window."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError
from uhop_cli.experiments.forecasts.config import LOOK_BACKS, STORED_WINDOWS, ForecastConfig
from uhop_cli.forecasting.choice import Trial, choose
from uhop_cli.forecasting.linear import Linear, fit_linear
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.naive import Forecaster, LastValue, MeanOfSeasons
from uhop_cli.forecasting.scores import Errors, paired_difference
from uhop_cli.forecasting.series import Series, Split
from uhop_cli.forecasting.windows import Windows, cut

NAME = "forecast"
VALIDATION_WINDOWS = 3000  # that the settings of a memory are chosen on, drawn from all
METHODS = {
    "last-value": "the last value of the window",
    "seasonal-naive": "the last season of the window, repeated",
    "mean-of-seasons": "the mean of all whole seasons of the window",
    "linear-raw": "least squares over all training windows",
    "linear-centred": "the same with each window's mean taken out and put back",
    "memory": "ForecastMemory on the better of the two linear ones, all settings chosen on validation",
}
LINEAR = {"linear-raw": False, "linear-centred": True}

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One look-back and horizon, in units of the training rows: training `rows` (T, C), windows of the three parts."""

    rows: Float64
    train: Windows
    validation: Windows
    test: Windows

    @classmethod
    def of(cls, series: Series, look_back: int, horizon: int) -> Case:
        """Of a series, scaled by its training rows.

        Raises:
            SettingsError: a part is too short.
        """
        split = Split.of(series)
        values = series.scaled(split).values
        parts = (cut(values, look_back, horizon, split.rows(part, look_back)) for part in ("train", "validation", "test"))
        return cls(values[: split.train], *parts)

    def fit(self, name: str) -> Linear:
        """The linear forecaster of that name."""
        return fit_linear(self.rows, self.train.look_back, self.train.horizon, centred=LINEAR[name])

    def linear(self) -> dict[str, Linear]:
        """The linear forecasters by name."""
        return {name: self.fit(name) for name in LINEAR}

    def better(self, models: dict[str, Linear]) -> str:
        """The name of the linear forecaster with the smaller error on the validation windows."""
        return min(models, key=lambda name: Errors.of(models[name](self.validation.past), self.validation.future).mse)

    def memory(self, model: Linear, config: ForecastConfig) -> tuple[ForecastMemory, Trial]:
        """A memory of training windows in front of which `model` stands, with settings chosen on validation windows."""
        stored = config.stored[0] if config.stored else STORED_WINDOWS
        settings = MemorySettings(self.train.look_back, self.train.horizon)
        memory = ForecastMemory(settings).store(self.train.sample(stored, config.seed), model)
        return choose(memory, model, self.validation.sample(VALIDATION_WINDOWS, config.seed))


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
        for look_back in LOOK_BACKS
        for horizon in config.horizons
        if horizon <= min(split.validation, split.test) and look_back + horizon <= split.train
    ]
    if not fitting:
        shortest = min(config.horizons)
        raise SettingsError(f"{series.name} has too few rows for a horizon of {shortest}", "--horizons with a shorter one")
    return fitting


def rows(series: Series, config: ForecastConfig, done: set[tuple[Any, ...]]) -> Iterator[list[tuple[Row, float]]]:
    """The rows of each look-back and horizon with their seconds; those in `done`, by (method, look-back, horizon), are left out."""
    wanted = [name for name in METHODS if not config.methods or name in config.methods]
    for look_back, horizon in cells(series, config):
        naive = controls(series, look_back, horizon)
        possible = [name for name in wanted if name in naive or name in LINEAR or name == "memory"]
        missing = [name for name in possible if (name, look_back, horizon) not in done]
        yield list(_cell(series, config, look_back, horizon, missing, naive)) if missing else []


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
        row = {"experiment": NAME, "dataset": series.name, "method": method, "separation": None, **place, "metrics": metrics}
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
