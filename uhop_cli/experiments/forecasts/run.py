"""Runs the forecasting experiments, row by row into a journal."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.forecasts import forecast, sudden_event
from uhop_cli.experiments.forecasts.config import ALL, FORECAST, ForecastConfig
from uhop_cli.experiments.results.journal import Journal, Row
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.series import Series
from uhop_cli.progress import Progress

KEY = ("experiment", "method", "look_back", "horizon", "stored", "seed")


@dataclass(frozen=True)
class ForecastExperiment:
    """One experiment on a series.

    Attributes:
        name: as `--experiment` takes it.
        question: what it asks, one line.
        methods: names and what they are, one line each.
        rows: its rows in parts, given what is done already by the names in `known`.
        known: the fields of a row that tell `rows` what is done.
        parts: how many parts there will be.
    """

    name: str
    question: str
    methods: dict[str, str]
    rows: Callable[[Series, ForecastConfig, set[tuple[Any, ...]], Surroundings], Iterator[list[tuple[Row, float]]]]
    known: tuple[str, ...]
    parts: Callable[[Series, ForecastConfig], int]


EXPERIMENTS = {
    FORECAST: ForecastExperiment(
        FORECAST,
        "does a memory of windows help a linear forecaster, and does U-Hop help STanHop-Net, beside what needs no learning",
        forecast.METHODS,
        forecast.rows,
        ("method", "look_back", "horizon", "seed"),
        forecast.parts,
    ),
    sudden_event.NAME: ForecastExperiment(
        sudden_event.NAME,
        "does a memory of earlier events help after the next one, and what does it cost without",
        sudden_event.METHODS,
        lambda series, config, done, _: sudden_event.rows(series, config, done),
        ("method", "stored", "seed"),
        lambda series, config: len(config.draws),
    ),
    sudden_event.FRESH: ForecastExperiment(
        sudden_event.FRESH,
        "the same for events of shapes that no choice was made on",
        sudden_event.METHODS,
        lambda series, config, done, _: sudden_event.rows(series, config, done, experiment=sudden_event.FRESH),
        ("method", "stored", "seed"),
        lambda series, config: len(config.draws),
    ),
}


def run(series: Series, config: ForecastConfig, journal: Journal, surroundings: Surroundings | None = None) -> None:
    """All rows of the experiments that are not in the journal yet, whose key is `KEY`.

    Raises:
        SettingsError: an unknown method, a series that is too short.
    """
    surroundings = surroundings or Surroundings()
    chosen = [EXPERIMENTS[name] for name in config.experiments]
    check_methods(chosen, config.methods)
    for experiment in chosen:
        known = {tuple(row[name] for name in experiment.known) for row in journal.rows if row["experiment"] == experiment.name}
        total = experiment.parts(series, config)
        for done, part in enumerate(experiment.rows(series, config, known, surroundings), 1):
            mark = {"quick": True} if config.quick else {}
            journal.append([row | mark for row, _ in part], [seconds for _, seconds in part])
            if surroundings.progress:
                surroundings.progress(Progress(experiment.name, done, total))


def check_methods(experiments: Sequence[ForecastExperiment], methods: Sequence[str]) -> None:
    """Refuses a method that no experiment has, and an experiment that none of the methods is for.

    Raises:
        SettingsError: which.
    """
    names = [name for experiment in experiments for name in experiment.methods]
    for name in methods:
        if name not in names and name != ALL:
            near = difflib.get_close_matches(name, names, n=1)
            raise SettingsError(f"unknown method '{name}'", f"did you mean {near[0]}?" if near else "one of " + ", ".join(names))
    for experiment in experiments:
        if methods and not set(methods) & {ALL, *experiment.methods}:
            raise SettingsError(f"none of the methods is for {experiment.name}", "one of " + ", ".join(experiment.methods))
