"""Sudden events put into a calm series: shapes, draws, and the rows around an event.

An event begins at its onset and adds a * f(u) to the series, u rows after it, with an amplitude a for each series: a common sign, a
size of 1.5 to 3 training standard deviations, and a share of it from .5 to 1 for each series. The shapes recur, which is what a
memory of events needs; settings are chosen on shapes that the test does not have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.types import Float64

SIZES = (1.5, 3.0)  # standard deviations of the training rows
SHARES = (0.5, 1.0)  # of the size, in each series


@dataclass(frozen=True)
class Shape:
    """f(u) for u = 0, 1, .. rows after the onset, of size about 1."""

    name: str
    form: Callable[[Float64], Float64]


TEST_SHAPES = (
    Shape("ringing", lambda u: np.exp(-u / 120) * np.cos(2 * np.pi * u / 40)),
    Shape("step with decline", lambda u: np.exp(-u / 60)),
    Shape("up then down", lambda u: np.where(u < 36, 1.0, np.where(u < 96, -1.0, 0.0))),
)
# Written down after the memory, its settings and TEST_SHAPES were final, and asked once: no choice was made with them in sight.
FRESH_SHAPES = (
    Shape("two pulses", lambda u: np.where((u < 20) | ((u >= 60) & (u < 80)), 1.0, 0.0)),
    Shape("chirp", lambda u: np.exp(-u / 200) * np.cos(2 * np.pi * (u / 80 + (u / 160) ** 2))),
    Shape("fall through zero and return", lambda u: np.where(u < 120, 1 - u / 60, -np.exp(-(u - 120) / 40))),
)
VALIDATION_SHAPES = (
    Shape("plateau", lambda u: np.where(u < 48, 1.0, 0.0)),
    Shape("saw", lambda u: np.exp(-u / 120) * (1 - 2 * (u % 50) / 50)),
    Shape("peak and slump", lambda u: np.where(u < 120, 1.5 * np.exp(-u / 20) - 0.5, 0.0)),
)


@dataclass(frozen=True)
class Event:
    """A shape, the row of its onset, and the amplitude in each series (C,)."""

    shape: Shape
    onset: int
    amplitude: Float64

    def put_into(self, values: Float64) -> Float64:
        """The series (T, C) with this event in it."""
        changed = values.copy()
        after = np.arange(len(values) - self.onset, dtype=np.float64)
        changed[self.onset :] += self.shape.form(after)[:, None] * self.amplitude
        return changed

    def around(self, values: Float64, before: int, after: int) -> tuple[Float64, int]:
        """The rows from `before` before the onset to `after` after it, with the event in them, and the place of the onset there."""
        rows = values[self.onset - before : self.onset + after]
        return Event(self.shape, before, self.amplitude).put_into(rows), before


def draw(shapes: Sequence[Shape], count: int, onsets: range, channels: int, generator: np.random.Generator) -> list[Event]:
    """`count` events with onsets drawn from `onsets`, the shapes taken in turn."""
    events = []
    for index in range(count):
        size = generator.uniform(*SIZES) * generator.choice([-1.0, 1.0])
        amplitude = size * generator.uniform(*SHARES, channels)
        events.append(Event(shapes[index % len(shapes)], int(generator.choice(onsets)), amplitude))
    return events
