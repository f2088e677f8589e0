"""Rows of the forecasting experiments -> tables, and the sentences at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uhop_cli.experiments.forecasts import net_tables
from uhop_cli.experiments.forecasts.config import FORECAST
from uhop_cli.experiments.results.journal import Row
from uhop_cli.experiments.results.report import Table


def tables(rows: Sequence[Row], experiment: str) -> list[Table]:
    """The tables of an experiment that have any row."""
    own = [row for row in rows if row["experiment"] == experiment]
    if not own:
        return []
    return _forecast(own) if experiment == FORECAST else _events(own)


def sentences(rows: Sequence[Row], experiment: str) -> list[str]:
    """What won, by how much, and what did not beat its control."""
    own = [row for row in rows if row["experiment"] == experiment]
    return _forecast_sentences(own) if experiment == FORECAST else _event_sentences(own)


def _forecast(rows: Sequence[Row]) -> list[Table]:
    rows, of_nets = net_tables.without_seeds(rows), rows
    horizons = list(dict.fromkeys(row["horizon"] for row in rows))
    found: list[Table] = []
    for look_back in dict.fromkeys(row["look_back"] for row in rows):
        own = {(row["method"], row["horizon"]): row["metrics"] for row in rows if row["look_back"] == look_back}
        methods = list(dict.fromkeys(method for method, _ in own))
        body = []
        for method in methods:
            cells = [own.get((method, horizon)) for horizon in horizons]
            body.append([method, *("-" if cell is None else f"{cell['mse']:.4f} / {cell['mae']:.4f}" for cell in cells)])
        found.append((f"look-back {look_back}: MSE / MAE at each horizon", ["method", *map(str, horizons)], body))
    body = [
        [
            f"{row['look_back']} -> {row['horizon']}",
            f"{row['metrics']['difference']:+.4f}",
            f"[{row['metrics']['low']:+.4f}, {row['metrics']['high']:+.4f}]",
            row["chosen"]["base"],
            row["chosen"]["read_out"],
            f"{row['chosen']['beta']:g}",
            f"{row['chosen']['weight']:g}",
        ]
        for row in rows
        if row["method"] == "memory"
    ]
    if body:
        title = "memory less its base, MSE, with the 95% interval of paired blocks; settings chosen on validation"
        found.append((title, ["look-back, horizon", "difference", "interval", "base", "read-out", "beta", "g"], body))
    return found + net_tables.tables(of_nets)


def _forecast_sentences(rows: Sequence[Row]) -> list[str]:
    lines = []
    rows, of_nets = net_tables.without_seeds(rows), rows
    cells = list(dict.fromkeys((row["look_back"], row["horizon"]) for row in rows))
    best = [
        min((row for row in rows if (row["look_back"], row["horizon"]) == cell), key=lambda row: row["metrics"]["mse"])
        for cell in cells
    ]
    wins = {method: sum(row["method"] == method for row in best) for method in dict.fromkeys(row["method"] for row in best)}
    won = ", ".join(f"{method} in {count}" for method, count in wins.items())
    lines.append(f"smallest MSE of {len(cells)} look-backs and horizons: {won}")
    memory = [row["metrics"] for row in rows if row["method"] == "memory"]
    if memory:
        better, worse = sum(cell["high"] < 0 for cell in memory), sum(cell["low"] > 0 for cell in memory)
        lines.append(f"the memory beats its linear base in {better} of {len(memory)}, is worse in {worse}, by intervals of 95%")
        lines.append(f"it does not beat its base, or not surely, in {len(memory) - better}")
    return lines + net_tables.sentences(of_nets)


def _events(rows: Sequence[Row]) -> list[Table]:
    sizes = sorted({row["stored"] for row in rows})
    methods = list(dict.fromkeys(row["method"] for row in rows))
    body, calm = [], []
    for method in methods:
        means = [_mean(rows, method, size, "mse") for size in sizes]
        body.append([method, *("-" if mean is None else f"{mean:.3f}" for mean in means)])
        ratios = [_ratio(rows, method, size) for size in sizes]
        if any(ratio is not None for ratio in ratios) and method != "frozen":
            calm.append([method, *("-" if ratio is None else f"{ratio:.4f}" for ratio in ratios)])
    heads = ["stored events", *map(str, sizes)]
    seeds = len({row["seed"] for row in rows})
    found: list[Table] = [(f"MSE after an event, mean of {seeds} draws", heads, body)]
    if calm:
        found.append(("MSE of calm windows over the frozen model's", heads, calm))
    return found


def _event_sentences(rows: Sequence[Row]) -> list[str]:
    lines = []
    seeds = sorted({row["seed"] for row in rows})
    errors = {(row["method"], row["stored"], row["seed"]): row["metrics"]["mse"] for row in rows}
    for method in ("memory", "memory-ungated"):
        for size in sorted({row["stored"] for row in rows if row["method"] == method and row["stored"]}):
            means = {other: _mean(rows, other, size, "mse") for other in (method, "frozen", "refit")}
            own, frozen, refit = (means[other] for other in (method, "frozen", "refit"))
            if own is None or frozen is None or refit is None:
                continue
            both = sum(
                errors[method, size, seed] < min(errors["frozen", size, seed], errors["refit", size, seed]) for seed in seeds
            )
            against = f"{own / frozen:.2f} of the frozen model's error and {own / refit:.2f} of the refit's"
            lines.append(f"{method} with {size} stored: {against}; below both in {both} of {len(seeds)} draws")
    return lines


def _mean(rows: Sequence[Row], method: str, size: int, metric: str) -> float | None:
    values = [
        row["metrics"][metric] for row in rows if (row["method"], row["stored"]) == (method, size) and metric in row["metrics"]
    ]
    return float(np.mean(values)) if values else None


def _ratio(rows: Sequence[Row], method: str, size: int) -> float | None:
    own, frozen = _mean(rows, method, size, "calm"), _mean(rows, "frozen", size, "calm")
    return None if own is None or frozen is None else own / frozen
