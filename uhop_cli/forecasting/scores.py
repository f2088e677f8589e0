"""How wrong forecasts are, window by window, and how sure a difference between two forecasters is.

Errors are those of the field: the mean over horizon and series of the squared or absolute error, in units of the training rows'
standard deviation. Neighbouring windows share almost all their values, so a difference is given with the interval of a paired
moving block bootstrap (Künsch 1989): blocks of look-back + horizon windows are drawn, whole, with replacement.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError

DRAWS = 2000
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Errors:
    """Errors of N forecasts: `squared` and `absolute`, each (N,), means over horizon and series."""

    squared: Float64
    absolute: Float64

    @classmethod
    def of(cls, forecast: Float64, truth: Float64) -> Errors:
        """Of forecasts (N, H, C) against what came, the same shape.

        Raises:
            SettingsError: the shapes differ.
        """
        if forecast.shape != truth.shape:
            raise SettingsError(f"forecasts {forecast.shape} and truth {truth.shape} differ in shape")
        difference = forecast - truth
        return cls(np.mean(difference * difference, axis=(1, 2)), np.mean(np.abs(difference), axis=(1, 2)))

    @property
    def mse(self) -> float:
        """Mean squared error over all windows."""
        return float(self.squared.mean())

    @property
    def mae(self) -> float:
        """Mean absolute error over all windows."""
        return float(self.absolute.mean())


@dataclass(frozen=True)
class Difference:
    """Mean of a paired difference and the ends of its interval."""

    mean: float
    low: float
    high: float


def paired_difference(these: Float64, those: Float64, block: int, *, seed: int = 0, draws: int = DRAWS) -> Difference:
    """mean(these - those) with its 95% interval by moving blocks.

    Args:
        these, those: errors of the same N windows in the order of time, (N,).
        block: windows of a block; at most half of all, as one block alone would have no spread.
        seed: of the draws.
        draws: resamplings.

    Raises:
        SettingsError: the two differ in length, or are empty.
    """
    if these.shape != those.shape or these.ndim != 1 or not len(these):
        raise SettingsError(f"errors of the same windows are needed, not {these.shape} and {those.shape}")
    difference = these - those
    count = len(difference)
    block = max(1, min(block, count // 2))
    sums = np.concatenate([[0.0], np.cumsum(difference)])
    whole, rest = divmod(count, block)
    begins = np.random.default_rng(seed).integers(0, count - block + 1, (draws, whole + (rest > 0)))
    totals = (sums[begins[:, :whole] + block] - sums[begins[:, :whole]]).sum(axis=1)
    if rest:
        totals += sums[begins[:, whole] + rest] - sums[begins[:, whole]]
    low, high = np.quantile(totals / count, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Difference(float(difference.mean()), float(low), float(high))
