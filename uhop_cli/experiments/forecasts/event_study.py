"""Sudden events put into a series: what a frozen model, a memory of earlier events and a refit with them make of new ones.

Stored events lie in the training rows, validation events in the validation rows, test events in the test rows, each alone in its
own copy of the rows around it. The model is fitted on the calm training rows and stays as it is; the refit control has the same
stored events as further windows of its regression. Settings of the memory are chosen on validation events whose shapes the test
does not have, with a store of such shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError
from uhop_cli.experiments.forecasts.events import Event, Shape, draw
from uhop_cli.forecasting.linear import Linear, NormalEquations
from uhop_cli.forecasting.moments import Moments, moments
from uhop_cli.forecasting.naive import Forecaster
from uhop_cli.forecasting.series import Split
from uhop_cli.forecasting.surprise import Calm, SurpriseMemory, SurpriseSettings

ASKED = (6, 14, 22, 30)  # rows after the onset at which a forecast is issued and judged
STORED = range(4, 49)  # rows after the onset whose error and miss are stored
EVENTS = 12  # of a draw that is judged
TAIL = 60  # rows that are kept free between the last onset and the end of a part
CALM_STEP = 3  # every how many training rows a calm error is taken


@dataclass(frozen=True)
class EventStudy:
    """The series in training units, its split, and the frozen model.

    Attributes:
        values: (T, C), scaled by the training rows.
        split: of the rows.
        equations: normal equations of the training windows, whose solution is the model.
        look_back, horizon, span: L, H, and the rows S of an error.
    """

    values: Float64
    split: Split
    equations: NormalEquations
    look_back: int = 96
    horizon: int = 96
    span: int = 24

    def __post_init__(self) -> None:
        if min(self.split.validation, self.split.test) < 2 * (self.horizon + TAIL) or self.split.train < 4 * self._before:
            raise SettingsError("the series is too short for events in each of its parts", "more rows, or a shorter horizon")

    @property
    def _before(self) -> int:
        return self.look_back + self.span + 1

    def model(self) -> Linear:
        """The frozen model."""
        return self.equations.solve()

    def calm(self, model: Forecaster, part: str) -> Moments:
        """Moments without events: every row of validation or test, every third of training."""
        train, validation, test = self.split.train, self.split.validation, self.split.test
        rows = {
            "train": range(self._before, train - self.horizon + 1, CALM_STEP),
            "validation": range(train, train + validation - self.horizon + 1),
            "test": range(train + validation, train + validation + test - self.horizon + 1),
        }[part]
        return moments(self.values, rows, model, look_back=self.look_back, horizon=self.horizon, span=self.span)

    def draw(self, shapes: Sequence[Shape], count: int, part: str, generator: np.random.Generator) -> list[Event]:
        """Events with onsets in a part of the series."""
        train, validation, test = self.split.train, self.split.validation, self.split.test
        last = self.horizon + TAIL
        onsets = {
            "train": range(self._before, train - last),
            "validation": range(train, train + validation - last),
            "test": range(train + validation, train + validation + test - last),
        }[part]
        return draw(shapes, count, onsets, self.values.shape[1], generator)

    def at(self, events: Sequence[Event], model: Forecaster, after: Sequence[int] = ASKED) -> Moments:
        """The model `after` so many rows of each event's onset, each event in its own copy of the series."""
        parts = []
        for event in events:
            rows, onset = event.around(self.values, self._before, max(after) + self.horizon + 1)
            now = [onset + row for row in after]
            parts.append(moments(rows, now, model, look_back=self.look_back, horizon=self.horizon, span=self.span))
        return Moments.joined(parts)

    def memory(self, model: Forecaster) -> SurpriseMemory:
        """An empty memory, which knows the calm errors of the training rows."""
        return SurpriseMemory(SurpriseSettings(self.horizon, self.span), Calm.of(self.calm(model, "train").errors))

    def stored(self, memory: SurpriseMemory, events: Sequence[Event], model: Forecaster) -> SurpriseMemory:
        """The memory with these events in it."""
        if not events:
            return memory
        seen = self.at(events, model, STORED)
        return memory.store(seen.errors, seen.missed)

    def refit(self, events: Sequence[Event]) -> Linear:
        """The linear model fitted again, with all windows that end within the stored rows of each event."""
        equations = self.equations
        for event in events:
            # Windows that end at the onset's row at the earliest, at the last stored moment at the latest.
            rows, _ = event.around(self.values, self.look_back - 1, max(STORED) + self.horizon)
            equations = equations.add(rows)
        return equations.solve()
