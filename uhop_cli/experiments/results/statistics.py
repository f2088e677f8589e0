"""Rows -> statistics: mean and standard deviation over repeats, and the paired interval against the best control."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Float64, Int64
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.results.journal import Row
from uhop_cli.kernel.spherical_codes import incomplete_beta

CONFIDENCE = 0.95
NOTHING = 1e-6  # an error below it counts as 0: a thousandth of one grey level in one value


@dataclass(frozen=True)
class Cell:
    """A method in one column of a table.

    Attributes:
        mean, deviation: of the repeats.
        count: of the repeats.
        difference: mean over repeats of this method less the best control, both on the same memories and queries; None for
            controls, and where there is no control.
        interval: half the width of the 95% interval of that difference (Student's t); 0 for a single repeat.
        best: whether no method but the ceiling has a better mean, and it is not idle.
        idle: whether it is no better than answering with the mean image, whatever is asked; False for these two themselves and
            where the mean image did not run.
    """

    mean: float
    deviation: float
    count: int
    difference: float | None = None
    interval: float = 0.0
    best: bool = False
    idle: bool = False


@dataclass(frozen=True)
class Summary:
    """One table: an experiment and a measure.

    Attributes:
        experiment: its name.
        measure: 'sse', 'accuracy', 'loss' or 'margin'.
        columns: values on the axis.
        methods: names, in the order in which they ran.
        cells: (method, column) -> cell; a pair without a value is absent.
    """

    experiment: str
    measure: str
    columns: tuple[Any, ...]
    methods: tuple[str, ...]
    cells: dict[tuple[str, Any], Cell]


def summarise(rows: Sequence[Row], experiment: str, measure: str = "sse") -> Summary:
    """The table of an experiment."""
    own = [row for row in rows if row["experiment"] == experiment]
    columns = tuple(dict.fromkeys(row["x"] for row in own))
    methods = tuple(dict.fromkeys(row["method"] for row in own))
    values: dict[tuple[str, Any], dict[int, float]] = defaultdict(dict)
    for row in own:
        if row[measure] is not None:
            values[row["method"], row["x"]][row["repeat"]] = row[measure]
    sign = 1 if measure in ("sse", "loss") else -1  # errors fall, accuracies rise
    cells = {}
    for column in columns:
        here = {method: values[method, column] for method in methods if values.get((method, column))}
        means = {method: float(np.mean(list(found.values()))) for method, found in here.items()}
        controls = [method for method in here if role(method) == "control"]
        best_control = min(controls, key=lambda method: sign * means[method], default=None)
        best_mean = min((sign * mean for method, mean in means.items() if role(method) != "ceiling"), default=0.0)
        least = max(best_mean, NOTHING) if measure == "sse" else best_mean + 1e-9
        for method, found in here.items():
            difference, interval = None, 0.0
            if best_control is not None and role(method) not in ("control", "ceiling"):
                difference, interval = paired(found, here[best_control])
            deviation = float(np.std(list(found.values()), ddof=1)) if len(found) > 1 else 0.0
            contests = role(method) != "ceiling" and method != "mean-image" and "mean-image" in means
            idle = contests and sign * means[method] >= sign * means["mean-image"]
            best = role(method) != "ceiling" and not idle and sign * means[method] <= least
            cells[method, column] = Cell(means[method], deviation, len(found), difference, interval, best, idle)
    return Summary(experiment, measure, columns, methods, cells)


def paired(these: dict[int, float], those: dict[int, float]) -> tuple[float, float]:
    """Mean difference over the repeats that both have, and half the width of its 95% interval."""
    differences = np.array([these[repeat] - those[repeat] for repeat in these.keys() & those.keys()])
    if len(differences) < 2:
        return float(differences.sum()), 0.0
    spread = float(np.std(differences, ddof=1)) / len(differences) ** 0.5
    return float(differences.mean()), student_quantile(len(differences) - 1) * spread


def cross_validated(differences: Sequence[float], folds: int) -> tuple[float, float]:
    """Mean of paired differences over the folds of a repeated cross-validation, and half the width of its 95% interval.

    Folds share most of their training data, which an ordinary t interval does not know; the corrected one (Nadeau and Bengio 2003)
    has variance s^2 (1/n + n_test / n_train), n_test / n_train = 1 / (folds - 1).
    """
    count = len(differences)
    if count < 2:
        return float(np.sum(differences)), 0.0
    spread = float(np.std(differences, ddof=1)) * (1 / count + 1 / (folds - 1)) ** 0.5
    return float(np.mean(differences)), student_quantile(count - 1) * spread


def auc(scores: Float64, labels: Int64) -> float:
    """Area under the receiver operating characteristic: how often a score of class 1 exceeds one of class 0, ties half."""
    positive = labels == 1
    count = int(positive.sum())
    above = ranks(scores.tolist())[positive].sum() - count * (count + 1) / 2
    return float(above / (count * (len(labels) - count)))


@cache
def student_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """The t with P(|T| <= t) = confidence for Student's distribution, by bisection of its distribution function."""
    low, high = 0.0, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        total = freedom + middle * middle
        outside = incomplete_beta(freedom / total, middle * middle / total, freedom / 2, 0.5)
        low, high = (middle, high) if outside > 1 - confidence else (low, middle)
    return high


def role(method: str) -> str:
    """The role of a method; one that is not registered (any more) counts as a baseline."""
    return METHODS[method].role if method in METHODS else "baseline"


def rank_correlation(xs: Sequence[float], ys: Sequence[float]) -> float | None:
    """Spearman's correlation: Pearson's of the ranks, equal values at their mean rank; None where all xs or all ys are equal."""
    if len(set(xs)) < 2 or len(set(ys)) < 2:
        return None
    return float(np.corrcoef(ranks(xs), ranks(ys))[0, 1])


def ranks(values: Sequence[float]) -> Float64:
    _, places, counts = np.unique(np.asarray(values, np.float64), return_inverse=True, return_counts=True)
    ranks: Float64 = (np.cumsum(counts) - (counts - 1) / 2)[places]
    return ranks
