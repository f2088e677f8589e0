"""Figures of the forecasting experiments, PNG and SVG: a forecast with what was retrieved for it, and gain against cost."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.experiments.forecasts import sudden_event
from uhop_cli.experiments.forecasts.case import Case
from uhop_cli.experiments.forecasts.config import FORECAST, ForecastConfig
from uhop_cli.experiments.results.figure_files import saved
from uhop_cli.experiments.results.journal import Row
from uhop_cli.experiments.results.plots import COLOURS, GREYS
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.forecasting.series import Series
from uhop_cli.forecasting.surprise_choice import GATES, Price, curve

RETRIEVED = 5  # stored windows that are drawn


def draw(folder: Path, rows: Sequence[Row], series: Series, config: ForecastConfig) -> list[str]:
    """Draws what the rows have figures for; returns the names of the files."""
    names: list[str] = []
    memory = next((row for row in rows if row["experiment"] == FORECAST and row["method"] == "memory"), None)
    if memory is not None:
        names += saved(folder, FORECAST, lambda figure: _example(figure, memory, series, config))
    for name in sudden_event.SHAPES:
        gated = [row for row in rows if row["experiment"] == name and "gain_at_0" in row["metrics"]]
        if gated:
            names += saved(folder, name, partial(_price, rows=gated))
    return names


def _example(figure: Any, row: Row, series: Series, config: ForecastConfig) -> None:
    """One window of the middle of the test: its past, the truth, model and memory, and the stored windows nearest to it."""
    case = Case.of(series, row["look_back"], row["horizon"])
    model = case.fit(row["chosen"]["base"])
    stored = case.train.sample(config.stored_windows, config.seed)
    chosen = {name: row["chosen"][name] for name in ("read_out", "beta", "weight")}
    memory = ForecastMemory(MemorySettings(row["look_back"], row["horizon"], **chosen)).store(stored, model)
    middle, channel = len(case.test) // 2, len(series.columns) - 1
    past, starts = case.test.past[middle : middle + 1], case.test.starts[middle : middle + 1]
    prediction = model(past)
    corrected = memory.correct(past, prediction, starts)
    block = next(block for block in memory.blocks(past, starts) if block.channel == channel)
    nearest = np.arange(len(memory))[block.stored][np.argsort(-block.scores[0], kind="stable")[:RETRIEVED]]
    before, after = np.arange(-row["look_back"], 0), np.arange(row["horizon"])
    axes = figure.subplots()
    level = past[0, :, channel].mean()
    for place, index in enumerate(nearest):
        window = np.concatenate([memory.past[channel, index], memory.future[channel, index]])
        shifted = window - memory.past[channel, index].mean() + level
        label = "retrieved, at the level of the window" if place == 0 else None
        axes.plot(np.concatenate([before, after]), shifted, color=GREYS[2], linewidth=0.6, alpha=0.6, label=label)
    axes.plot(before, past[0, :, channel], color=GREYS[0], linewidth=1.2)
    axes.plot(after, case.test.future[middle, :, channel], color=GREYS[0], linewidth=1.2, label="truth")
    axes.plot(after, prediction[0, :, channel], color=COLOURS[1], linestyle="--", label=row["chosen"]["base"])
    axes.plot(after, corrected[0, :, channel], color=COLOURS[0], label="with memory")
    axes.axvline(0, color=GREYS[1], linewidth=0.5)
    axes.set_xlabel("rows after the forecast")
    axes.set_ylabel(f"{series.columns[channel]} (training deviations)")
    axes.set_title(f"{series.name}: {row['look_back']} -> {row['horizon']}, test window {middle}", loc="left", fontsize=9)
    axes.legend(frameon=False, fontsize=7)


def _price(figure: Any, rows: Sequence[Row]) -> None:
    """What events gain and calm weather costs, over the frozen model, at each gate, mean of the draws; the line joins the gates of
    which no other has both more gain and less cost."""
    axes = figure.subplots()
    for place, size in enumerate(sorted({row["stored"] for row in rows})):
        prices = [_at(gate, [row for row in rows if row["stored"] == size]) for gate in GATES]
        colour = COLOURS[place % len(COLOURS)]
        axes.scatter(*zip(*map(_percent, prices), strict=True), s=8, color=colour, alpha=0.5)
        best = curve(prices)
        axes.plot(*zip(*map(_percent, best), strict=True), marker="o", markersize=4, color=colour, label=f"{size} stored")
        for price in best:
            axes.annotate(f"{price.gate:g}", _percent(price), textcoords="offset points", xytext=(3, 3), fontsize=6, color=colour)
    axes.set_xlabel("cost: error of calm windows, % above the frozen model's")
    axes.set_ylabel("gain: error after events, % below")
    axes.set_title("gain against cost; the numbers are gates, quantiles of the calm errors", loc="left", fontsize=9)
    axes.legend(frameon=False, fontsize=7)


def _at(gate: float, rows: Sequence[Row]) -> Price:
    """The mean of the draws at a gate, with the null and beta that were chosen."""
    gain, cost = (float(np.mean([row["metrics"][f"{word}_at_{gate:g}"] for row in rows])) for word in ("gain", "cost"))
    return Price(rows[0]["chosen"]["beta"], rows[0]["chosen"]["null"], gate, gain, cost)


def _percent(price: Price) -> tuple[float, float]:
    """Cost and gain in percent of the frozen model's error."""
    return 100 * (price.cost - 1), 100 * (1 - price.gain)
