"""Tables and sentences of the nets: their errors over seeds, and what each of them is less its controls."""

from __future__ import annotations

from collections.abc import Sequence

from uhop_cli.experiments.forecasts.net_rows import CONTROLS
from uhop_cli.experiments.forecasts.nets import METHODS
from uhop_cli.experiments.results.journal import Row
from uhop_cli.experiments.results.report import Table


def without_seeds(rows: Sequence[Row]) -> list[Row]:
    """The rows of which a look-back and horizon has one a method: of the nets those of all seeds together."""
    return [row for row in rows if row["method"] not in METHODS or row["seed"] is None]


def tables(rows: Sequence[Row]) -> list[Table]:
    """The table of differences and the table of the seeds, where there are rows of nets."""
    together = [row for row in rows if row["method"] in METHODS and row["seed"] is None]
    differences = [
        [
            f"{row['look_back']} -> {row['horizon']}",
            f"{row['method']} less {control}",
            f"{row['metrics'][f'less_{control}']:+.4f}",
            interval(row, control),
            f"{row['metrics'][f'seeds_below_{control}']} of {row['metrics']['seeds']}",
        ]
        for row in together
        for control in CONTROLS[row["method"]]
    ]
    seeds = [
        [
            f"{row['look_back']} -> {row['horizon']}",
            row["method"],
            str(row["seed"]),
            f"{row['metrics']['mse']:.4f} / {row['metrics']['mae']:.4f}",
            str(row["chosen"].get("epoch", "-")),
        ]
        for row in rows
        if row["method"] in METHODS and row["seed"] is not None
    ]
    found: list[Table] = []
    if differences:
        title = "nets less their controls, MSE, mean over seeds, with the 95% interval of paired blocks of windows"
        found.append((title, ["look-back, horizon", "what", "difference", "interval", "seeds below"], differences))
    if seeds:
        found.append(("nets, each seed: MSE / MAE", ["look-back, horizon", "method", "seed", "errors", "best epoch"], seeds))
    return found


def sentences(rows: Sequence[Row]) -> list[str]:
    """For each net and control whether the difference is sure."""
    lines = []
    for row in rows:
        if row["method"] not in METHODS or row["seed"] is not None:
            continue
        for control in CONTROLS[row["method"]]:
            metrics = row["metrics"]
            low, high = metrics[f"less_{control}_low"], metrics[f"less_{control}_high"]
            verdict = "beats" if high < 0 else "is worse than" if low > 0 else "does not surely differ from"
            place, size = f"{row['look_back']} -> {row['horizon']}", f"{metrics[f'less_{control}']:+.4f} {interval(row, control)}"
            lines.append(f"{place}: {row['method']} {verdict} {control}, {size}")
    return lines


def interval(row: Row, control: str) -> str:
    """[low, high] of what the method of a row is less its control."""
    metrics = row["metrics"]
    return f"[{metrics[f'less_{control}_low']:+.4f}, {metrics[f'less_{control}_high']:+.4f}]"
