"""Experiments `sudden-event` and `fresh-event`: frozen model, refit and memory after events, for each number of stored events and
each draw. The two differ in nothing but the shapes of the events, of which `fresh-event` has those of no earlier test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from uhop_cli.experiments.forecasts.config import EVENTS_STORED, ForecastConfig
from uhop_cli.experiments.forecasts.event_study import EVENTS, EventStudy
from uhop_cli.experiments.forecasts.events import FRESH_SHAPES, TEST_SHAPES, VALIDATION_SHAPES
from uhop_cli.forecasting.linear import Linear, NormalEquations
from uhop_cli.forecasting.moments import Moments
from uhop_cli.forecasting.scores import Errors
from uhop_cli.forecasting.series import Series, Split
from uhop_cli.forecasting.surprise import SurpriseMemory
from uhop_cli.forecasting.surprise_choice import GATES, Price, prices, with_gate, without_gate
from uhop_cli.forecasting.windows import cut

NAME = "sudden-event"
FRESH = "fresh-event"
SHAPES = {NAME: TEST_SHAPES, FRESH: FRESH_SHAPES}
LOOK_BACK = HORIZON = 96
DRAWS = 5  # of validation events
CALM_STEP = 5  # every how many validation rows the cost is measured at
SEED = 1000  # added to the seed for validation events
METHODS = {
    "frozen": "the linear model as fitted on calm rows",
    "refit": "the linear model fitted again with the stored events",
    "memory": "SurpriseMemory with its gate, the default",
    "memory-ungated": "SurpriseMemory without a gate",
}

Row = dict[str, Any]


def study(series: Series) -> EventStudy:
    """The series with the better of the linear models, raw or centred, by validation error.

    Raises:
        SettingsError: the series is too short.
    """
    split = Split.of(series)
    values = series.scaled(split).values
    validation = cut(values, LOOK_BACK, HORIZON, split.rows("validation", LOOK_BACK))
    both = [NormalEquations.empty(LOOK_BACK, HORIZON, centred=centred).add(values[: split.train]) for centred in (False, True)]
    best = min(both, key=lambda equations: Errors.of(equations.solve()(validation.past), validation.future).mse)
    return EventStudy(values, split, best, LOOK_BACK, HORIZON)


def settings(of: EventStudy, model: Linear, empty: SurpriseMemory, seed: int) -> tuple[Price, Price]:
    """Settings without and with a gate, chosen on validation events of shapes that the test does not have."""
    generator = np.random.default_rng(SEED + seed)
    stores, asked = [], []
    for _ in range(DRAWS):
        stored = of.draw(VALIDATION_SHAPES, len(VALIDATION_SHAPES), "train", generator)
        stores.append(of.stored(empty, stored, model))
        asked.append(of.at(of.draw(VALIDATION_SHAPES, EVENTS, "validation", generator), model))
    calm = of.calm(model, "validation")
    calm = Moments(calm.errors[::CALM_STEP], calm.prediction[::CALM_STEP], calm.truth[::CALM_STEP])
    found = prices(stores, asked, calm)
    return without_gate(found), with_gate(found)


def rows(
    series: Series, config: ForecastConfig, done: set[tuple[Any, ...]], *, experiment: str = NAME
) -> Iterator[list[tuple[Row, float]]]:
    """The rows of each draw with their seconds; what is in `done`, by (method, stored, seed), is left out.

    Args:
        series, config: what is run.
        done: what there is already.
        experiment: `NAME` or `FRESH`, whose shapes are taken.

    Raises:
        SettingsError: the series is too short.
    """
    wanted = [name for name in METHODS if config.wants(name)]
    sizes = config.stored or EVENTS_STORED
    prepared: tuple[EventStudy, Linear, SurpriseMemory, dict[str, Price], Moments] | None = None
    for seed in config.draws:
        missing = [(size, name) for size in sizes for name in wanted if (name, size, seed) not in done]
        if missing and prepared is None:
            of = study(series)
            model = of.model()
            empty = of.memory(model)
            ungated, gated = settings(of, model, empty, config.seed)
            prepared = of, model, empty, {"memory-ungated": ungated, "memory": gated}, of.calm(model, "test")
        yield list(_draw(series, experiment, seed, missing, *prepared)) if missing and prepared else []


def _draw(
    series: Series,
    experiment: str,
    seed: int,
    missing: list[tuple[int, str]],
    of: EventStudy,
    model: Linear,
    empty: SurpriseMemory,
    chosen: dict[str, Price],
    calm: Moments,
) -> Iterator[tuple[Row, float]]:
    generator = np.random.default_rng(seed)
    stored = of.draw(SHAPES[experiment], max(size for size, _ in missing), "train", generator)
    events = of.draw(SHAPES[experiment], EVENTS, "test", generator)
    after = of.at(events, model)
    still = float(np.mean(calm.missed**2))
    for size, name in missing:
        began = time.perf_counter()
        metrics: dict[str, float] = {}
        extra: dict[str, Any] = {}
        if name == "frozen":
            metrics = {"mse": float(np.mean(after.missed**2)), "calm": still}
        elif name == "refit":
            metrics = {"mse": float(np.mean(of.at(events, of.refit(stored[:size])).missed ** 2))}
        else:
            price = chosen[name]
            memory = of.stored(empty, stored[:size], model).with_settings(beta=price.beta, null=price.null, gate=price.gate)
            metrics = {"mse": _mse(memory, after), "calm": _mse(memory, calm)}
            if name == "memory" and size:
                metrics |= _curve(memory, after, calm)
            extra = {"chosen": {"beta": price.beta, "null": price.null, "gate": price.gate, "entries": len(memory)}}
        place = {"look_back": LOOK_BACK, "horizon": HORIZON, "stored": size, "seed": seed}
        separation = empty.settings.separation if name.startswith("memory") else None
        head = {"experiment": experiment, "dataset": series.name, "method": name, "separation": separation}
        yield head | place | {"metrics": metrics} | extra, time.perf_counter() - began


def _mse(memory: SurpriseMemory, moments: Moments) -> float:
    return float(np.mean((moments.truth - memory.correct(moments.prediction, moments.errors)) ** 2))


def _curve(memory: SurpriseMemory, after: Moments, calm: Moments) -> dict[str, float]:
    """Error after events and in calm weather over the frozen model's, at each gate."""
    at = {"betas": [memory.settings.beta], "nulls": [memory.settings.null], "gates": GATES}
    return {
        f"{word}_at_{price.gate:g}": value
        for price in prices([memory], [after], calm, **at)
        for word, value in (("gain", price.gain), ("cost", price.cost))
    }
