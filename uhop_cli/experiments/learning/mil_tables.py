"""Rows of experiment `mil` -> its table, and the sentences at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from uhop_cli.experiments.learning.bag_arms import BAG_ARMS, SEPARATIONS
from uhop_cli.experiments.learning.verdicts import interval, verdict
from uhop_cli.experiments.results.journal import Row
from uhop_cli.experiments.results.report import Table
from uhop_cli.experiments.results.statistics import cross_validated

RIDGES = ("ridge-mean", "ridge-max")


def tables(rows: Sequence[Row]) -> list[Table]:
    """AUC of each method, and what it is less the one that it belongs to."""
    body = []
    for method in dict.fromkeys(row["method"] for row in rows):
        found = [row["metrics"]["auc"] for row in rows if row["method"] == method]
        spread = f"±{np.std(found, ddof=1):.3f}" if len(found) > 1 else ""
        against = less(rows, method)
        body.append([method, f"{np.mean(found):.3f}{spread}", "-" if against is None else interval(*against)])
    repeats = len({row["seed"] for row in rows})
    title = f"AUC, mean ± deviation of {repeats} repeats of ten folds; less softmax with the corrected 95% interval over all folds"
    return [(title, ["method", "AUC", "less softmax"], body)]


def sentences(rows: Sequence[Row]) -> list[str]:
    """Whether the other separations lose anything, whether Stage I gains anything, and what needs no net."""
    lines = []
    for method in dict.fromkeys(row["method"] for row in rows):
        against = less(rows, method)
        if against is not None:
            lines.append(verdict(method, "softmax", "AUC", *against))
    others = {method: found for method in SEPARATIONS if (found := less(rows, method)) is not None}
    if others:
        losing = [method for method, (mean, half) in others.items() if -mean > half > 0]
        halves = [half for _, half in others.values()]
        which = ", ".join(losing) or "none"
        seen = f"intervals of ±{min(halves):.3f} to ±{max(halves):.3f}"
        lines.append(f"separations that surely lose against softmax: {which}, by {seen}")
    means = {method: _auc(rows, method) for method in BAG_ARMS if any(row["method"] == method for row in rows)}
    ridges, nets = ([name for name in means if (name in RIDGES) == ridge] for ridge in (True, False))
    if ridges and nets:
        best_ridge, best_net = (max(names, key=lambda name: means[name]) for names in (ridges, nets))
        compared = "above" if means[best_ridge] > means[best_net] else "not above"
        best = f"the best of {len(nets)} nets, {best_net} with {means[best_net]:.3f}"
        lines.append(f"the better kernel ridge, {best_ridge} with {means[best_ridge]:.3f}, is {compared} {best}")
    return lines


def less(rows: Sequence[Row], method: str) -> tuple[float, float] | None:
    """AUC of a method minus that of the one that it belongs to, and half the width of the interval, the same folds in both; None:
    it belongs to none, or that one is not there."""
    other = BAG_ARMS[method].against if method in BAG_ARMS else None
    folds = {(row["method"], row["seed"]): row["folds"] for row in rows}
    seeds = [seed for name, seed in folds if name == method and (other, seed) in folds]
    if other is None or not seeds:
        return None
    differences = [np.subtract(folds[method, seed], folds[other, seed]) for seed in seeds]
    return cross_validated(np.concatenate(differences).tolist(), len(differences[0]))


def _auc(rows: Sequence[Row], method: str) -> float:
    return float(np.mean([row["metrics"]["auc"] for row in rows if row["method"] == method]))
