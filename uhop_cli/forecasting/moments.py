"""What a model knew, said and missed at moments of a series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.naive import Forecaster


@dataclass(frozen=True)
class Moments:
    """N moments.

    Attributes:
        errors: truth less forecast over the last S rows, (N, S, C), of the forecast issued S rows before.
        prediction: the forecast issued at the moment, (N, H, C).
        truth: what came, (N, H, C).
    """

    errors: Float64
    prediction: Float64
    truth: Float64

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def missed(self) -> Float64:
        """Truth less forecast, (N, H, C)."""
        return self.truth - self.prediction

    @classmethod
    def joined(cls, parts: Sequence[Moments]) -> Moments:
        """The moments of all parts, in their order."""
        errors, predictions, truths = zip(*((part.errors, part.prediction, part.truth) for part in parts), strict=True)
        return cls(np.concatenate(errors), np.concatenate(predictions), np.concatenate(truths))


def moments(values: Float64, rows: Sequence[int], model: Forecaster, *, look_back: int, horizon: int, span: int) -> Moments:
    """The model at the moments t of `rows` of a series (T, C): its forecast of t, t+1, .. and its error over t-S .. t-1.

    Raises:
        SettingsError: a moment with too few rows before or after it.
    """
    if not len(rows) or min(rows) - span - look_back < 0 or max(rows) + horizon > len(values):
        raise SettingsError(f"moments need {span + look_back} rows before them and {horizon} after them, of {len(values)}")
    now = np.asarray(rows)[:, None]
    before = values[now - span + np.arange(-look_back, 0)]
    errors = values[now + np.arange(-span, 0)] - model(before)[:, :span]
    return Moments(errors, model(values[now + np.arange(-look_back, 0)]), values[now + np.arange(horizon)])
