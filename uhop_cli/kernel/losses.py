"""Separation losses: how close the stored patterns lie to each other in feature space.

Every loss here is a function of the cosines C_ij between features, over the M(M-1)/2 unordered pairs of distinct memories (U-Hop
normalises features inside the loss; without that it has no lower bound). What Stage I needs of a loss is its value, the pair
weights S_ij = dL/dC_ij, and the least value that any feature map could reach.

    average      L = log mean_{i<j} exp(-2t (1 - C_ij))                       U-Hop eq. 2.6, ||f_i - f_j||^2 = 2 (1 - C_ij)
    max          L = max_{i<j} -2t (1 - C_ij)                                 U-Hop section G.2
    temperature  L = tau log mean_{i<j} exp(C_ij / tau)                       U-Hop+, tends to max C as tau -> 0
    orthogonal   L = log mean_{i<j} exp(-2t (1 - C_ij^2))                     U-Hop eq. 3.2, the loss for deep learning

S is symmetric with a zero diagonal, and a pair's weight stands in both its places: dL = sum_{i<j} S_ij dC_ij.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.errors import SettingsError


class SeparationLoss(ABC):
    """What every separation loss offers. M must be at least 2: a single memory has no pair to separate."""

    name: ClassVar[str]

    @abstractmethod
    def measure(self, cosines: Array) -> tuple[Array, Array]:
        """The loss and its pair weights.

        Args:
            cosines: C, shape (..., M, M), symmetric; the diagonal is not looked at.

        Returns:
            L of shape (...) and S = dL/dC of shape (..., M, M), in the dtype of C.
        """

    @abstractmethod
    def bound(self, memories: int, feature_dim: int | None = None) -> float:
        """A value that L cannot go below for M memories, in D dimensions where `feature_dim` says so."""

    def at(self, fraction: float) -> SeparationLoss:
        """The loss to use once this fraction, in [0, 1], of the iterations is done: itself, unless it is annealed."""
        return self


@dataclass(frozen=True)
class _Sharpened(SeparationLoss):
    """A loss whose sharpness is the paper's t > 0; the paper has t = 2."""

    t: float = 2.0

    def __post_init__(self) -> None:
        _require_positive("t", self.t)


@dataclass(frozen=True)
class AverageLoss(_Sharpened):
    """L = log mean_{i<j} exp(-2t (1 - C_ij)) (U-Hop eq. 2.6)."""

    name: ClassVar[str] = "average"

    def measure(self, cosines: Array) -> tuple[Array, Array]:
        """L and S_ij = 2t softmax_{i<j}(2t C_ij)."""
        value, share = _log_mean_exp(2 * self.t * cosines)
        return value - 2 * self.t, 2 * self.t * share

    def bound(self, memories: int, feature_dim: int | None = None) -> float:
        """-2t M/(M-1), reached by the regular simplex, which needs D >= M - 1; larger where D is too small for it."""
        return _least_log_mean_exp(2 * self.t, memories, feature_dim) - 2 * self.t


@dataclass(frozen=True)
class MaxLoss(_Sharpened):
    """L = -2t min_{i<j} (1 - C_ij): only the closest pair counts (U-Hop section G.2)."""

    name: ClassVar[str] = "max"

    def measure(self, cosines: Array) -> tuple[Array, Array]:
        """L and S: 2t at the closest pair, shared evenly between pairs that are equally close."""
        xp = namespace(cosines)
        masked = _without_diagonal(1.0 * cosines)
        top = xp.max(masked, axis=(-2, -1), keepdims=True)
        closest = xp.astype(masked == top, cosines.dtype)
        pairs = xp.sum(closest, axis=(-2, -1), keepdims=True) / 2
        return 2 * self.t * (top[..., 0, 0] - 1), closest * (2 * self.t / pairs)

    def bound(self, memories: int, feature_dim: int | None = None) -> float:
        """-2t M/(M-1) for D >= M - 1; -2t up to M = 2D (Rankin); above that by the second moment of the cosines."""
        if feature_dim is None or memories <= feature_dim + 1:
            return -2 * self.t * memories / (memories - 1)
        return 2 * self.t * (max(_two_atoms(memories, feature_dim)[0], 0.0) - 1)


@dataclass(frozen=True)
class TemperatureLoss(SeparationLoss):
    """L = tau log mean_{i<j} exp(C_ij / tau): a maximum of the cosines softened by the temperature tau > 0 (U-Hop+).

    max C - tau log(M(M-1)/2) <= L <= max C. With `start`, the temperature falls geometrically from there to `tau` over the run.
    """

    tau: float = 0.1
    start: float | None = None
    name: ClassVar[str] = "temperature"

    def __post_init__(self) -> None:
        _require_positive("tau", self.tau)
        if self.start is not None:
            _require_positive("the temperature to start at", self.start)

    def measure(self, cosines: Array) -> tuple[Array, Array]:
        """L and S_ij = softmax_{i<j}(C_ij / tau)."""
        value, share = _log_mean_exp(cosines / self.tau)
        return self.tau * value, share

    def bound(self, memories: int, feature_dim: int | None = None) -> float:
        """-1/(M-1), the cosine of the regular simplex, for D >= M - 1; larger where D is too small for it."""
        return self.tau * _least_log_mean_exp(1 / self.tau, memories, feature_dim)

    def at(self, fraction: float) -> TemperatureLoss:
        """The loss at temperature start^(1-fraction) tau^fraction."""
        if self.start is None:
            return self
        return TemperatureLoss(self.start ** (1 - fraction) * self.tau**fraction)


@dataclass(frozen=True)
class OrthogonalLoss(_Sharpened):
    """L = log mean_{i<j} exp(-2t (1 - C_ij^2)): drives features to right angles, not apart (U-Hop eq. 3.2)."""

    name: ClassVar[str] = "orthogonal"

    def measure(self, cosines: Array) -> tuple[Array, Array]:
        """L and S_ij = 4t C_ij softmax_{i<j}(2t C_ij^2)."""
        value, share = _log_mean_exp(2 * self.t * cosines * cosines)
        return value - 2 * self.t, 4 * self.t * cosines * share

    def bound(self, memories: int, feature_dim: int | None = None) -> float:
        """-2t, reached by orthogonal features, for D >= M; else -2t (1 - the least mean squared cosine) (Welch)."""
        least = 0.0 if feature_dim is None else max(0.0, _least_mean_square(memories, feature_dim))
        return 2 * self.t * (least - 1)


LOSSES: dict[str, type[SeparationLoss]] = {loss.name: loss for loss in (AverageLoss, MaxLoss, TemperatureLoss, OrthogonalLoss)}


def _require_positive(what: str, value: float) -> None:
    if not (value > 0 and math.isfinite(value)):
        raise SettingsError(f"{what} must be a positive number, not {value}")


def _without_diagonal(scores: Array) -> Array:
    """`scores`, (..., M, M), with minus infinity written on the diagonal, in place."""
    *batch, size, _ = scores.shape
    scores.reshape(*batch, size * size)[..., :: size + 1] = -math.inf
    return scores


def _log_mean_exp(scores: Array) -> tuple[Array, Array]:
    """log mean_{i<j} exp(s_ij), shape (...), and its gradient over unordered pairs: the softmax, in both places of a pair.

    The largest score is taken out first, so neither a large t nor a small tau overflows. Overwrites the diagonal of `scores`.
    """
    xp = namespace(scores)
    size = scores.shape[-1]
    top = xp.max(_without_diagonal(scores), axis=(-2, -1), keepdims=True)
    share: Any = xp.exp(scores - top)
    total = xp.sum(share, axis=(-2, -1), keepdims=True)
    value = xp.log(total / (size * (size - 1))) + top
    share *= 2 / total
    return value[..., 0, 0], share


def _least_mean_square(memories: int, feature_dim: int) -> float:
    """(M/D - 1)/(M - 1): the mean of C_ij^2 over pairs is at least that, since ||C||_F^2 >= tr(C)^2 / D (Welch)."""
    return (memories / feature_dim - 1) / (memories - 1)


def _two_atoms(memories: int, feature_dim: int) -> tuple[float, float]:
    """The extreme distribution of a cosine for M > D + 1: an atom at c with probability q, the rest at -1. Returns (c, q).

    The mean of C is at least m1 = -1/(M-1) and the mean of C^2 at least m2 (Welch); c and q give exactly these moments.
    """
    m1, m2 = -1 / (memories - 1), _least_mean_square(memories, feature_dim)
    c = 1 - (1 - m2) / (1 + m1)
    return c, (1 + m1) / (1 + c)


def _least_log_mean_exp(rate: float, memories: int, feature_dim: int | None) -> float:
    """A lower bound of log mean_{i<j} exp(rate C_ij).

    Jensen's inequality with mean C >= -1/(M-1) gives -rate/(M-1), sharp for D >= M - 1. For smaller D, the parabola that meets
    exp(rate x) at -1 and touches it at the c of `_two_atoms` lies below it on [-1, 1] and has non-negative coefficients. So its
    mean over the two atoms, which is that of exp, is a lower bound (the linear programming bound of degree 2; sharp for
    M = 2D, the cross-polytope).
    """
    if feature_dim is None or memories <= feature_dim + 1:
        return -rate / (memories - 1)
    c, q = _two_atoms(memories, feature_dim)
    return rate * c + math.log(q + (1 - q) * math.exp(-rate * (1 + c)))
