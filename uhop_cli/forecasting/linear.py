"""The linear forecaster, fitted in closed form: what DLinear, NLinear and RLinear converge to.

    y = W^T (x - m 1) + b + m 1,     m = mean(x) where centred, else 0

with one W (L, H) and b (H,) for all series, the least-squares solution over all training windows of all series (Toner and Darlow
2024, arXiv 2403.14587). It has no seed, no learning rate and no epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.forecasting.windows import Windows

CUT = 1e-10  # singular values of the normal equations below this share of the largest count as 0: centred windows have rank L - 1
BLOCK = 1 << 14  # windows of one series that are copied at a time


@dataclass(frozen=True)
class Linear:
    """The fitted forecaster: `weight` (L, H), `bias` (H,), and whether each window's mean is taken out and put back."""

    weight: Float64
    bias: Float64
    centred: bool

    def __call__(self, past: Float64) -> Float64:
        """Windows (N, L, C) -> futures (N, H, C)."""
        future = np.empty((len(past), len(self.bias), past.shape[2]))
        for channel in range(past.shape[2]):
            for begin in range(0, len(past), BLOCK):
                x = past[begin : begin + BLOCK, :, channel]
                mean = x.mean(axis=1, keepdims=True) if self.centred else np.zeros((len(x), 1))
                future[begin : begin + BLOCK, :, channel] = (x - mean) @ self.weight + self.bias + mean
        return future


@dataclass
class NormalEquations:
    """The sums from which a linear forecaster is solved; windows can be added at any time.

    Attributes:
        centred: whether each window's mean is taken out.
        gram: sum of z z^T with z = (x, 1), (L+1, L+1).
        moment: sum of z y^T, (L+1, H).
    """

    centred: bool
    gram: Float64
    moment: Float64

    @classmethod
    def empty(cls, look_back: int, horizon: int, *, centred: bool) -> NormalEquations:
        """No windows yet."""
        return cls(centred, np.zeros((look_back + 1, look_back + 1)), np.zeros((look_back + 1, horizon)))

    def add(self, windows: Windows) -> NormalEquations:
        """These and the windows given, every series of each as one row of the regression."""
        gram, moment = self.gram.copy(), self.moment.copy()
        for channel in range(windows.past.shape[2]):
            for begin in range(0, len(windows), BLOCK):
                x = windows.past[begin : begin + BLOCK, :, channel]
                y = windows.future[begin : begin + BLOCK, :, channel]
                mean = x.mean(axis=1, keepdims=True) if self.centred else 0.0
                z = np.concatenate([x - mean, np.ones((len(x), 1))], axis=1)
                gram += z.T @ z
                moment += z.T @ (y - mean)
        return NormalEquations(self.centred, gram, moment)

    def solve(self) -> Linear:
        """The least-squares solution of least norm."""
        solution = np.linalg.pinv(self.gram, rcond=CUT, hermitian=True) @ self.moment
        return Linear(solution[:-1], solution[-1], self.centred)


def fit_linear(windows: Windows, *, centred: bool) -> Linear:
    """The least-squares linear forecaster over all windows of all series."""
    return NormalEquations.empty(windows.look_back, windows.horizon, centred=centred).add(windows).solve()
