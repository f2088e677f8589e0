"""Figures of the learning experiments, PNG and SVG: accuracies with their seeds, against the arms or against training samples."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.experiments.learning.config import CLASSIFY, EXPRESSIVENESS
from uhop_cli.experiments.learning.tables import TEST, TRAIN, sizes, values
from uhop_cli.experiments.results.figure_files import saved
from uhop_cli.experiments.results.journal import Row
from uhop_cli.experiments.results.plots import COLOURS, GREYS


def draw(folder: Path, rows: Sequence[Row], dataset: str) -> list[str]:
    """Draws what the rows have figures for; returns the names of the files."""
    names: list[str] = []
    for name, paint in ((CLASSIFY, _arms), (EXPRESSIVENESS, _curves)):
        own = [row for row in rows if row["experiment"] == name and row["seed"] is not None]
        if own:
            names += saved(folder, name, partial(paint, rows=own, dataset=dataset))
    return names


def _arms(figure: Any, rows: Sequence[Row], dataset: str) -> None:
    """Test accuracy of each arm, every seed a dot, the mean a line."""
    axes = figure.subplots()
    size = sizes(rows)[-1]
    methods = list(dict.fromkeys(row["method"] for row in rows if row["train_size"] == size))
    for place, method in enumerate(reversed(methods)):
        found = list(values(rows, method, size, TEST).values())
        axes.scatter(found, [place] * len(found), s=8, color=COLOURS[0], alpha=0.6)
        axes.plot([np.mean(found)] * 2, [place - 0.35, place + 0.35], color=GREYS[0], linewidth=1)
    axes.set_yticks(range(len(methods)), reversed(methods), fontsize=7)
    axes.set_xlabel("test accuracy: seeds, and their mean")
    axes.set_title(f"{dataset}, {size:,} training samples", loc="left", fontsize=9)


def _curves(figure: Any, rows: Sequence[Row], dataset: str) -> None:
    """Training and test accuracy against training samples (Figures 4 and 6); bars: the deviation of the seeds."""
    for axes, measure, title in zip(figure.subplots(1, 2), (TRAIN, TEST), ("best training accuracy", "test accuracy"), strict=True):
        for place, method in enumerate(dict.fromkeys(row["method"] for row in rows)):
            found = [list(values(rows, method, size, measure).values()) for size in sizes(rows)]
            means, spreads = [np.mean(cell) for cell in found], [np.std(cell) for cell in found]
            axes.errorbar(sizes(rows), means, spreads, label=method, color=COLOURS[place % len(COLOURS)], linewidth=1, capsize=2)
        axes.set_xscale("log")
        axes.set_xlabel("training samples")
        axes.set_title(f"{dataset}: {title}", loc="left", fontsize=9)
    figure.axes[0].legend(frameon=False, fontsize=6)
