"""One step of gradient descent on W, taken in the span of the memories (docs/stage-one.md).

R memory sets are followed side by side. A set is its features Y, (M, r), and its Gram matrix K0 = X X^T; the step
W <- W - g dL/dW is Y <- Y - g K0 V with V = dL/dY, whatever d and D are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.kernel.losses import SeparationLoss

DECREASE = 0.5  # a step is taken if the loss falls by this share of what its slope promises (Armijo's condition)
GROWTH = 1.2  # of the step size from one step to the next; 2 until a step is refused
BACKTRACKS = 40  # refusals after which a set has stalled: no step that float arithmetic can see lowers the loss


class Point(NamedTuple):
    """Where the descent of R sets stands."""

    features: Array  # Y, (R, M, r)
    unit: Array  # F, (R, M, r)
    inverse_norms: Array  # 1 / ||z||, (R, M, 1); 0 for a memory without direction, which then does not move by itself
    loss: Array  # (R,)
    pair_weights: Array  # S, (R, M, M)


def point_at(features: Array, loss: SeparationLoss) -> Point:
    xp = namespace(features)
    norms = xp.sqrt(xp.sum(features * features, axis=-1, keepdims=True))
    present = norms > 0
    inverse = xp.where(present, 1 / xp.where(present, norms, 1.0), 0.0)
    unit = features * inverse
    return Point(features, unit, inverse, *loss.measure(unit @ unit.mT))


def gradient_of(point: Point) -> Array:
    """V = dL/dY, (R, M, r)."""
    xp = namespace(point.features)
    pull = point.pair_weights @ point.unit
    along = xp.sum(pull * point.unit, axis=-1, keepdims=True)
    return (pull - along * point.unit) * point.inverse_norms


@dataclass
class Stepper:
    """Takes one step of R sets at a time and holds what is carried from step to step.

    Attributes:
        schedule: step -> learning rate; None finds the rates by backtracking.
        taken: steps so far.
        rate: the last rate of each set, (R, 1, 1), where rates are searched.
        growth: what the next search multiplies it by.
    """

    schedule: Callable[[int], float] | None
    taken: int = 0
    rate: Array = None
    growth: Array = None

    def step(self, point: Point, gradient: Array, gram: Array, loss: SeparationLoss, active: Array) -> tuple[Point, Array]:
        """One step of the sets in `active`, (R,).

        Args:
            point: where the sets stand.
            gradient: V, (R, M, r).
            gram: K0 = X X^T, (R, M, M).
            loss: the loss to lower.
            active: sets that take part.

        Returns:
            the point after the step and the rates used, (R, 1, 1); the rate is 0 where a set did not move.
        """
        xp = namespace(point.features)
        shift = gram @ gradient
        if self.schedule is not None:
            rate = xp.where(active, xp.full_like(point.loss, self.schedule(self.taken)), xp.zeros_like(point.loss))[:, None, None]
            self.taken += 1
            return point_at(point.features - rate * shift, loss), rate
        if self.rate is None:
            # ||Phi||^2 against ||x||^2 makes the first guess independent of the scale of W0.
            self.rate = xp.sum(point.features**2, axis=(-2, -1), keepdims=True) / _trace(gram)
            self.growth = xp.full_like(self.rate, 2.0)
        slope = xp.sum(gradient * shift, axis=(-2, -1))  # ||dL/dW||_F^2
        return self._search(point, shift, slope, loss, active)

    def _search(self, point: Point, shift: Array, slope: Array, loss: SeparationLoss, active: Array) -> tuple[Point, Array]:
        """Armijo's backtracking from the grown step size of the last step, for each set by itself."""
        xp = namespace(shift)
        rate = xp.where(active[:, None, None], self.rate * self.growth, 0.0)
        trial = point_at(point.features - rate * shift, loss)
        for _ in range(BACKTRACKS):
            refused = active & ~(trial.loss < point.loss - DECREASE * rate[:, 0, 0] * slope)  # NaN is refused
            if not bool(xp.any(refused)):
                self.rate = xp.where(active[:, None, None], rate, self.rate)
                return trial, rate
            self.growth[refused] = GROWTH
            rate[refused] = rate[refused] / 2
            again = point_at(point.features[refused] - rate[refused] * shift[refused], loss)
            for whole, part in zip(trial, again, strict=True):
                whole[refused] = part
        rate[refused] = 0.0
        for whole, part in zip(trial, point, strict=True):
            whole[refused] = part[refused]
        return trial, rate


def _trace(gram: Array) -> Array:
    """Sum of the diagonal, (R, 1, 1); 1 where it is 0."""
    xp = namespace(gram)
    size = gram.shape[-1]
    total = xp.sum(xp.reshape(gram, (gram.shape[0], size * size))[:, :: size + 1], axis=-1)[:, None, None]
    return xp.where(total > 0, total, 1.0)
