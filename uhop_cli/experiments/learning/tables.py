"""Rows of the learning experiments -> tables, and the sentences at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uhop_cli.experiments.learning import mil_tables
from uhop_cli.experiments.learning.arms import ARMS, SPARSE
from uhop_cli.experiments.learning.config import CLASSIFY, EXPRESSIVENESS, MIL
from uhop_cli.experiments.learning.verdicts import interval, verdict
from uhop_cli.experiments.results.journal import Row
from uhop_cli.experiments.results.report import Table
from uhop_cli.experiments.results.statistics import paired

TEST, TRAIN = "test_accuracy", "max_train_accuracy"
PUBLISHED = ("published:value-path", "published:one-token")
SEPARATIONS = ("separation_start", "separation_after_stage_one", "separation_end")


def tables(rows: Sequence[Row], experiment: str) -> list[Table]:
    """The tables of an experiment that have any row."""
    own = [row for row in rows if row["experiment"] == experiment]
    results = [row for row in own if row["seed"] is not None]
    if experiment == MIL:
        return mil_tables.tables(results)
    found = [_accuracies(results, size) for size in sizes(results)] if experiment == CLASSIFY else []
    if experiment == EXPRESSIVENESS:
        found = [_against_size(results, measure) for measure in (TRAIN, TEST)]
    if experiment == CLASSIFY:
        found += [_separations(results), _rates(own)]
    return [table for table in found if table[2]]


def sentences(rows: Sequence[Row], experiment: str) -> list[str]:
    """What differs from what, surely or not; each with the interval that says so."""
    results = [row for row in rows if row["experiment"] == experiment and row["seed"] is not None]
    if experiment == MIL:
        return mil_tables.sentences(results)
    return [line for size in sizes(results) for line in _of_size(results, size, several=len(sizes(results)) > 1)]


def sizes(rows: Sequence[Row]) -> list[int]:
    """Numbers of training samples, in the order of the rows."""
    return list(dict.fromkeys(row["train_size"] for row in rows))


def values(rows: Sequence[Row], method: str, size: int, measure: str) -> dict[int, float]:
    """A measure of a method by seed."""
    found = {row["seed"]: row["metrics"][measure] for row in rows if (row["method"], row["train_size"]) == (method, size)}
    return {seed: value for seed, value in found.items() if value is not None}


def _accuracies(rows: Sequence[Row], size: int) -> Table:
    here = [row for row in rows if row["train_size"] == size]
    body = []
    for method in dict.fromkeys(row["method"] for row in here):
        cells = [_mean(values(here, method, size, measure)) for measure in (TEST, TRAIN)]
        less = [_less(here, method, size, measure) for measure in (TEST, TRAIN)]
        body.append([method, *cells, *less, _support(here, method, size)])
    title = (
        f"{size:,} training samples, mean ± deviation of {len({row['seed'] for row in here})} seeds; less: minus kernel, or minus "
        "what the method belongs to, with the 95% interval of the paired difference"
    )
    return title, ["method", "test", "best training", "test less", "training less", "support"], body


def _against_size(rows: Sequence[Row], measure: str) -> Table:
    columns = sizes(rows)
    body = [
        [method, *(_mean(values(rows, method, size, measure)) for size in columns)]
        for method in dict.fromkeys(row["method"] for row in rows)
    ]
    what = "best training accuracy" if measure == TRAIN else "test accuracy"
    return f"{what} against training samples (Figures 4 and 6)", ["method", *(f"{size:,}" for size in columns)], body


def _separations(rows: Sequence[Row]) -> Table:
    body = []
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = [[row["metrics"][name] for row in rows if row["method"] == method] for name in SEPARATIONS]
        if None not in cells[0]:
            body.append([method, method_loss(method), *(f"{np.mean(cell):.3f}" for cell in cells)])
    return "separation loss of the patches of a picture", ["method", "loss", "at the start", "after Stage I", "at the end"], body


def method_loss(method: str) -> str:
    """Which separation loss is reported of a method."""
    return ARMS[method].loss if method in ARMS else "-"


def _rates(rows: Sequence[Row]) -> Table:
    choices = [row for row in rows if row["seed"] is None]
    heads = ["method", "chosen", *(name.removeprefix("held_out_at_") for name in (choices[0]["metrics"] if choices else ()))]
    body = [[row["method"], f"{row['rate']:g}", *(f"{value:.3f}" for value in row["metrics"].values())] for row in choices]
    return "learning rates: accuracy on held-out training samples", heads, body


def _of_size(rows: Sequence[Row], size: int, *, several: bool) -> list[str]:
    lines = []
    methods = list(dict.fromkeys(row["method"] for row in rows if row["train_size"] == size))
    where = f"{size:,} training samples: " if several else ""
    for method in methods:
        other = ARMS[method].against if method in ARMS else None
        measure = TRAIN if method == PUBLISHED[0] else TEST
        if other not in methods or other is None:
            continue
        mean, half = paired(values(rows, method, size, measure), values(rows, other, size, measure))
        what = f"{'training' if measure == TRAIN else 'test'} accuracy"
        lines.append(where + verdict(method, other, what, mean, half))
    if set(PUBLISHED) <= set(methods):
        lines.append(f"{where}{PUBLISHED[0]} has neither Phi nor Stage I: what it gains in training accuracy is the value path's")
    sparse = [method for method in methods if method.endswith(SPARSE)]
    if sparse:
        tokens = next(row["metrics"]["tokens"] for row in rows if row["method"] == sparse[0])
        most = max(float(np.mean(list(values(rows, method, size, "support").values()))) for method in sparse)
        lines.append(f"{where}sparsemax arms give weight to at most {most:.1f} of {tokens} patches, mean of an arm")
    return lines


def _mean(found: dict[int, float]) -> str:
    numbers = list(found.values())
    if not numbers:
        return "-"
    return f"{np.mean(numbers):.3f}" + (f"±{np.std(numbers, ddof=1):.3f}" if len(numbers) > 1 else "")


def _less(rows: Sequence[Row], method: str, size: int, measure: str) -> str:
    other = ARMS[method].against if method in ARMS else None
    those = {} if other is None else values(rows, other, size, measure)
    if not those:
        return "-"
    return interval(*paired(values(rows, method, size, measure), those))


def _support(rows: Sequence[Row], method: str, size: int) -> str:
    found = values(rows, method, size, "support")
    return f"{np.mean(list(found.values())):.1f}" if found else "-"
