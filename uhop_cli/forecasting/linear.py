"""The linear forecaster, fitted in closed form: what DLinear, NLinear and RLinear converge to.

    y = W^T (x - m 1) + b + m 1,     m = mean(x) where centred, else 0

with one W (L, H) and b (H,) for all series, the least-squares solution over all training windows of all series (Toner and Darlow
2024, arXiv 2403.14587). It has no seed, no learning rate and no epochs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError

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
    """The sums from which a linear forecaster is solved; rows can be added at any time.

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

    def add(self, values: Float64) -> NormalEquations:
        """These and every window of the consecutive rows `values` (T, C), each series of each as one row of the regression.

        Raises:
            SettingsError: fewer rows than one window with its future takes.
        """
        look_back, horizon = len(self.moment) - 1, self.moment.shape[1]
        count = len(values) - look_back - horizon + 1
        if count < 1:
            raise SettingsError(f"{len(values)} rows are too few for windows of {look_back} and futures of {horizon}")
        # What is centred does not depend on the level: taking it out beforehand leaves fewer digits to cancel.
        level = values.mean(axis=0) if self.centred else 0.0
        products = np.zeros((look_back, look_back + horizon))
        sums = np.zeros(look_back + horizon)
        for series in np.ascontiguousarray((values - level).T):
            products += _products(series, look_back, horizon)
            sums += np.correlate(series, np.ones(count))
        xx, xy, x, y = products[:, :look_back], products[:, look_back:], sums[:look_back], sums[look_back:]
        if self.centred:  # x -> A x and y -> y - m 1 with A = I - 11^T / L
            xx = xx - xx.mean(axis=0)
            xy = xy - xy.mean(axis=0) - xx.mean(axis=1, keepdims=True)
            xx = xx - xx.mean(axis=1, keepdims=True)
            x, y = x - x.mean(), y - x.mean()
        gram, moment = self.gram.copy(), self.moment.copy()
        gram[:-1, :-1] += xx
        gram[:-1, -1] += x
        gram[-1, :-1] += x
        gram[-1, -1] += count * values.shape[1]
        moment[:-1] += xy
        moment[-1] += y
        return NormalEquations(self.centred, gram, moment)

    def solve(self) -> Linear:
        """The least-squares solution of least norm."""
        solution = np.linalg.pinv(self.gram, rcond=CUT, hermitian=True) @ self.moment
        return Linear(solution[:-1], solution[-1], self.centred)


def fit_linear(values: Float64, look_back: int, horizon: int, *, centred: bool) -> Linear:
    """The least-squares linear forecaster over every window, with its future, of the rows `values` (T, C).

    Raises:
        SettingsError: fewer rows than one window with its future takes.
    """
    return NormalEquations.empty(look_back, horizon, centred=centred).add(values).solve()


def _products(series: Float64, look_back: int, horizon: int) -> Float64:
    """S_ij = sum_t v_{t+i} v_{t+j} over the N windows of one series (T,), i < L, j < L + H.

    Neighbours on a diagonal differ by two products, S_{i+1,j+1} = S_ij - v_i v_j + v_{N+i} v_{N+j}: the first row takes
    O(N (L + H)), all others O(L (L + H)), where a matrix product over the windows takes O(N L (L + H)).
    """
    width = look_back + horizon
    count = len(series) - width + 1
    products = np.empty((look_back, width))
    products[0] = np.correlate(series, series[:count])
    first, after = series[: width - 1], series[count:]
    for row in range(look_back - 1):
        products[row + 1, 1:] = products[row, :-1] - first[row] * first + after[row] * after
        products[row + 1, 0] = products[0, row + 1]
    return products
