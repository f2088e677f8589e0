"""Forecasts without learning: the controls that a forecaster has to beat. Windows (N, L, C) in, futures (N, H, C) out.

last value          y_h = x_L
seasonal naive      y_h = the value one season before, the last season of the window repeated
mean of seasons     y_h = the mean of the values at the same place of each whole season in the window
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError


class Forecaster(Protocol):
    """Anything that forecasts: windows (N, L, C) -> futures (N, H, C)."""

    def __call__(self, past: Float64) -> Float64: ...


@dataclass(frozen=True)
class LastValue:
    """y_h = x_L for every h up to `horizon`."""

    horizon: int

    def __call__(self, past: Float64) -> Float64:
        return np.repeat(past[:, -1:], self.horizon, axis=1)


@dataclass(frozen=True)
class MeanOfSeasons:
    """y_h = (1/n) sum_{i=1}^{n} x_{L - i*season + 1 + (h-1) mod season}, over the last n seasons of the window; n = 1: seasonal
    naive.

    Raises:
        SettingsError: fewer than one season, and, when asked, a window shorter than the seasons.
    """

    horizon: int
    season: int
    seasons: int = 1

    def __post_init__(self) -> None:
        if self.season < 1 or self.seasons < 1:
            raise SettingsError("a season is at least one row, and at least one season is needed")

    def __call__(self, past: Float64) -> Float64:
        length = self.season * self.seasons
        if past.shape[1] < length:
            raise SettingsError(f"{self.seasons} seasons of {self.season} rows need a look-back of {length}, not {past.shape[1]}")
        last: Float64 = past[:, -length:].reshape(len(past), self.seasons, self.season, -1).mean(axis=1)
        future: Float64 = last[:, np.arange(self.horizon) % self.season]
        return future
