"""The rows of the nets in experiment `forecast`: each seed, and all seeds together, each method against its controls."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from uhop_cli.experiments.forecasts.config import FORECAST, ForecastConfig
from uhop_cli.experiments.forecasts.nets import METHODS, Study
from uhop_cli.forecasting.scores import Errors, paired_difference

# What each method has to beat; `linear` is the better of the two linear forecasters on validation.
CONTROLS = {
    "stanhop": ("linear",),
    "stanhop-kernel": ("linear", "stanhop"),
    "stanhop-alternation": ("linear", "stanhop", "stanhop-kernel"),
    "stanhop-published": ("linear", "stanhop"),
    "tune-none": ("linear", "stanhop"),
    "plug-and-play": ("linear", "tune-none"),
    "tune-and-play": ("linear", "plug-and-play", "tune-permuted", "tune-none"),
    "tune-permuted": ("linear", "tune-none"),
}

Row = dict[str, Any]


def wanted(config: ForecastConfig) -> list[str]:
    """The methods of `METHODS` that are asked for."""
    return [method for method in METHODS if config.wants(method, trained=True)]


def parts(config: ForecastConfig) -> int:
    """Parts of `rows`: one a seed, and one for all of them together."""
    return len(config.seeds) + 1 if wanted(config) else 0


def rows(study: Study, done: set[tuple[Any, ...]]) -> Iterator[list[tuple[Row, float]]]:
    """The rows of each seed, then those of all seeds together, whose seed is None.

    Args:
        study: one look-back and horizon.
        done: what is left out, (method, look-back, horizon, seed).
    """
    config = study.config
    methods = wanted(config)
    if not methods:
        return
    for seed in (*config.seeds, None):
        missing = [name for name in methods if (name, study.look_back, study.horizon, seed) not in done]
        yield [_row(study, name, seed) for name in missing]


def _row(study: Study, method: str, seed: int | None) -> tuple[Row, float]:
    """A row with the seconds of a seed; of all seeds together, with none."""
    config = study.config
    seeds = list(config.seeds) if seed is None else [seed]
    outcomes = {name: [study.outcome(name, one) for one in seeds] for name in (method, *CONTROLS[method])}
    own, own_errors = outcomes[method], mean_errors([one.errors for one in outcomes[method]])
    metrics: dict[str, Any] = {"mse": own_errors.mse, "mae": own_errors.mae, "windows": len(own_errors.squared)}
    if seed is None:
        metrics["seeds"] = len(seeds)
        metrics["spread"] = float(np.std([one.errors.mse for one in own]))
    for control in CONTROLS[method]:
        others = outcomes[control]
        metrics |= _against(study, own_errors, mean_errors([one.errors for one in others]), control)
        if seed is None:
            wins = sum(mine.errors.mse < other.errors.mse for mine, other in zip(own, others, strict=True))
            metrics[f"seeds_below_{control}"] = wins
    head = {"experiment": FORECAST, "dataset": study.series.name, "method": method, "separation": "entmax:learned"}
    place = {"look_back": study.look_back, "horizon": study.horizon, "stored": None, "seed": seed}
    row: Row = head | place | {"metrics": metrics}
    if seed is not None:
        row["chosen"] = own[0].chosen
    return row, own[0].seconds if seed is not None else 0.0


def _against(study: Study, these: Errors, those: Errors, control: str) -> Mapping[str, float]:
    block = study.look_back + study.horizon
    found = paired_difference(these.squared, those.squared, block, seed=study.config.seed)
    return {f"less_{control}": found.mean, f"less_{control}_low": found.low, f"less_{control}_high": found.high}


def mean_errors(errors: list[Errors]) -> Errors:
    """Window by window the mean over seeds of the errors (not the error of a mean forecast)."""
    squared, absolute = (np.mean([getattr(one, name) for one in errors], axis=0) for name in ("squared", "absolute"))
    return Errors(squared, absolute)
