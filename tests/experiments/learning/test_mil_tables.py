"""The table and the sentences of bags, from rows made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from uhop_cli.experiments.learning import mil_tables
from uhop_cli.experiments.learning.run import LEARNING
from uhop_cli.experiments.results.statistics import cross_validated


def row(method: str, seed: int, *folds: float) -> dict[str, Any]:
    metrics = {"auc": sum(folds) / len(folds)}
    return {"experiment": "mil", "method": method, "train_size": 4, "seed": seed, "metrics": metrics, "folds": list(folds)}


ROWS = [
    row("softmax", 0, 0.5, 0.75),
    row("sparsemax", 0, 0.5, 0.7),
    row("argmax", 0, 0.25, 0.5),
    row("ridge-mean", 0, 0.875, 1.0),
    row("softmax", 1, 0.5, 0.5),
    row("sparsemax", 1, 0.55, 0.5),
    row("argmax", 1, 0.25, 0.25),
    row("ridge-mean", 1, 0.875, 0.75),
]


def test_folds_are_paired() -> None:
    mean, half = mil_tables.less(ROWS, "sparsemax") or (0, 0)
    assert (mean, half) == pytest.approx(cross_validated([0, -0.05, 0.05, 0], 2))
    assert mil_tables.less(ROWS, "softmax") is None
    assert mil_tables.less(ROWS[1:4], "sparsemax") is None
    ((title, heads, body),) = LEARNING.tables(ROWS, "mil")
    assert "2 repeats" in title
    assert heads == ["method", "AUC", "less softmax"]
    assert body[0] == ["softmax", "0.562±0.088", "-"]
    assert body[2][1:] == ["0.312±0.088", "-0.250"]


def test_sentences_name_what_loses_and_what_needs_no_net() -> None:
    lines = LEARNING.sentences([*ROWS[:2], *ROWS[3:6], ROWS[7]], "mil")
    assert lines[0].startswith("sparsemax does not surely differ from softmax in AUC")
    assert "surely lose against softmax: none" in lines[2]
    assert lines[3] == "the better kernel ridge, ridge-mean with 0.875, is above the best of 2 nets, softmax with 0.562"
    wide = [row("softmax", 0, *[0.5] * 10), row("argmax", 0, *[0.1, 0.2] * 5)]
    assert "surely lose against softmax: argmax" in LEARNING.sentences(wide, "mil")[1]
    assert LEARNING.sentences(ROWS[:1], "mil") == []
