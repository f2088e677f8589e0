"""Runs the forecasting experiments, row by row into a journal."""

from __future__ import annotations

from typing import Any

from uhop_cli.experiments.forecasts import forecast, sudden_event, tables
from uhop_cli.experiments.forecasts.config import FORECAST, ForecastConfig
from uhop_cli.experiments.results.family import Family, PartedExperiment
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.forecasting.series import Series

KEY = ("experiment", "method", "look_back", "horizon", "stored", "seed")


EXPERIMENTS = {
    FORECAST: PartedExperiment(
        FORECAST,
        "does a memory of windows help a linear forecaster, and does U-Hop help STanHop-Net, beside what needs no learning",
        forecast.METHODS,
        forecast.rows,
        ("method", "look_back", "horizon", "seed"),
        forecast.parts,
    ),
    sudden_event.NAME: PartedExperiment(
        sudden_event.NAME,
        "does a memory of earlier events help after the next one, and what does it cost without",
        sudden_event.METHODS,
        lambda series, config, done, _: sudden_event.rows(series, config, done),
        ("method", "stored", "seed"),
        lambda series, config: len(config.draws),
    ),
    sudden_event.FRESH: PartedExperiment(
        sudden_event.FRESH,
        "the same for events of shapes that no choice was made on",
        sudden_event.METHODS,
        lambda series, config, done, _: sudden_event.rows(series, config, done, experiment=sudden_event.FRESH),
        ("method", "stored", "seed"),
        lambda series, config: len(config.draws),
    ),
}


def facts(config: dict[str, Any]) -> str:
    """What a report says of series and run."""
    split = config["split"]
    return (
        f"{config['rows']} rows of {len(config['columns'])} series, season {config['season']}, sha256 of the values "
        f"`{config['digest']}`; "
        f"{split['train']} training, {split['validation']} validation and {split['test']} test rows, scaled by the training rows; "
        f"every test window; seed {config['settings']['seed']}, uhop {config['version']}."
    )


FORECASTS = Family(EXPERIMENTS, "Values scaled by the training rows; every test window.", facts, tables.tables, tables.sentences)


def run(series: Series, config: ForecastConfig, journal: Journal, surroundings: Surroundings | None = None) -> None:
    """All rows of the experiments that are not in the journal yet, whose key is `KEY`.

    Raises:
        SettingsError: an unknown method, a series that is too short.
    """
    FORECASTS.run(series, config, journal, surroundings or Surroundings())
