"""A memory for sudden events: what a model missed the last time it was surprised in the same way.

At a moment t the key is the frozen model's own error over the last S rows, that of the forecast issued S rows ago, and the value
what the forecast issued at t then missed. An event is taken to have one shape f in all C series and an amplitude of its own, of
either sign, in each. With E (S, C) the error, whitened by the calm errors,

    E = Sigma^{-1/2} e D^{-1},        Sigma = covariance over time of the calm errors e D^{-1},  D = their deviation in each series

an entry is the shape u_i, the first left singular vector of its E, and the continuation v_i that fits what was missed best in all
series: v_i = sum_c a_c m_c / sum_c a_c^2 with a = u_i^T E and m = missed D^{-1}. A new error is explained by entry i with the
evidence of science's K.8 (profiled over the amplitude and the noise level of each series), and there is a null slot, "nothing like
it is stored":

    Lambda_i = -(S/2) sum_c ln(1 - cos^2(u_i, E_c)),      p = softmax(beta * (Lambda_1, .., Lambda_K, Lambda_0))
    y = y_model + (sum_i p_i v_i u_i^T E) D

The null's share adds nothing. The gate leaves the forecast as it is where ||E|| is below a quantile of the calm ones. Without
entries, and below the gate, the model's forecast comes back bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float64
from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.separation import Separation

RIDGE = 0.3  # of the mean eigenvalue, added to Sigma: what is rarer than that among calm errors is not magnified further
NEARLY_ONE = 1 - 1e-9  # cos^2 beyond it counts as this: the evidence of an error met again to the last digit is large, not infinite
BLOCK_VALUES = 1 << 21  # projections that are held at a time


@dataclass(frozen=True)
class SurpriseSettings:
    """Settings of a `SurpriseMemory`.

    Attributes:
        horizon: H, rows of a forecast.
        span: S, rows of a key; at most H.
        separation: as `--separation` writes it.
        beta: inverse temperature of the evidence, above 0. Errors follow one another, so that S rows are fewer independent ones.
        null: Lambda_0, evidence of the null slot.
        gate: quantile of the calm errors from which an error is a surprise; 0: no gate.

    Raises:
        SettingsError: a value that makes no sense.
    """

    horizon: int
    span: int = 24
    separation: str = "softmax"
    beta: float = 0.1
    null: float = 60.0
    gate: float = 0.8

    def __post_init__(self) -> None:
        if not 2 <= self.span <= self.horizon:
            raise SettingsError(f"a key of {self.span} rows does not fit a horizon of {self.horizon}", "2 rows to the horizon")
        if Separation.parse(self.separation).by_place:
            raise SettingsError(f"separation '{self.separation}' depends on the order of the queries", "softmax, entmax:1.5")
        if not (math.isfinite(self.beta) and self.beta > 0):
            raise SettingsError(f"beta is a number above 0, not {self.beta}")
        if not math.isfinite(self.null):
            raise SettingsError(f"the evidence of the null slot is a number, not {self.null}")
        if not 0 <= self.gate < 1:
            raise SettingsError(f"the gate is a quantile from 0 to below 1, not {self.gate}")


@dataclass(frozen=True)
class Calm:
    """What errors look like when nothing happens.

    Attributes:
        deviation: root mean square of each series, (C,).
        whitening: Sigma^{-1/2}, (S, S).
        sizes: ||E|| of the calm errors, ascending, (N,).
    """

    deviation: Float64
    whitening: Float64
    sizes: Float64

    @classmethod
    def of(cls, errors: Float64) -> Calm:
        """From calm errors (N, S, C).

        Raises:
            SettingsError: no errors, or a value that is not finite.
        """
        if errors.ndim != 3 or not errors.size or not np.isfinite(errors).all():
            raise SettingsError(f"calm errors {errors.shape} must be (N, S, C), finite")
        deviation = np.sqrt(np.mean(errors * errors, axis=(0, 1)))
        deviation = np.where(deviation > 0, deviation, 1.0)
        rows = (errors / deviation).transpose(0, 2, 1).reshape(-1, errors.shape[1])
        values, vectors = np.linalg.eigh(rows.T @ rows / len(rows))
        mean = values.mean() or 1.0
        whitening = (vectors / np.sqrt(np.maximum(values, 0) + RIDGE * mean)) @ vectors.T
        calm = cls(deviation, whitening, np.zeros(0))
        return replace(calm, sizes=np.sort(_size(calm.whitened(errors))))

    def whitened(self, errors: Float64) -> Float64:
        """E = Sigma^{-1/2} e D^{-1} of errors (N, S, C)."""
        whitened: Float64 = np.matmul(self.whitening, errors / self.deviation)
        return whitened


@dataclass(frozen=True)
class Evidence:
    """How stored surprises explain the errors `rows` of a batch.

    Attributes:
        rows: which of the batch.
        size: ||E||, (n,).
        log_odds: Lambda_i against "unrelated", (n, K).
        projections: u_i^T E, (n, K, C).
    """

    rows: slice
    size: Float64
    log_odds: Float64
    projections: Float64


@dataclass(frozen=True)
class SurpriseMemory:
    """Stored surprises.

    Attributes:
        settings: how they are asked.
        calm: what they are compared with.
        keys: the shapes u_i, (K, S), unit length.
        values: their continuations v_i, (K, H).
    """

    settings: SurpriseSettings
    calm: Calm
    keys: Float64 = field(default_factory=lambda: np.zeros((0, 0)))
    values: Float64 = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        if len(self.calm.whitening) != self.settings.span:
            raise SettingsError(f"calm errors of {len(self.calm.whitening)} rows do not fit keys of {self.settings.span}")

    def __len__(self) -> int:
        return len(self.keys)

    def with_settings(self, **changes: Any) -> SurpriseMemory:
        """The same entries asked in another way: `separation`, `beta`, `null` or `gate`."""
        return replace(self, settings=replace(self.settings, **changes))

    def store(self, errors: Float64, missed: Float64) -> SurpriseMemory:
        """A memory that also holds these moments, one entry each; what was stored stays as it is.

        Args:
            errors: of the last S rows, (N, S, C).
            missed: truth less forecast of the H rows after, (N, H, C).

        Raises:
            SettingsError: shapes that do not fit, values that are not finite, an error of 0.
        """
        self._check(errors, missed)
        if not (np.isfinite(errors).all() and np.isfinite(missed).all()) or not errors.any(axis=(1, 2)).all():
            raise SettingsError("a surprise to be stored is no error at all, or has values that are not finite")
        whitened = self.calm.whitened(errors)
        keys = np.linalg.svd(whitened, full_matrices=False)[0][:, :, 0]
        amplitudes = np.einsum("ns,nsc->nc", keys, whitened)
        values = np.einsum("nc,nhc->nh", amplitudes, missed / self.calm.deviation)
        values = values / np.sum(amplitudes * amplitudes, axis=1, keepdims=True)
        if len(self):
            keys, values = np.concatenate([self.keys, keys]), np.concatenate([self.values, values])
        return replace(self, keys=keys, values=values)

    def evidence(self, errors: Float64) -> Iterator[Evidence]:
        """Lambda of every entry for errors (N, S, C), some rows at a time."""
        for rows in chunks(len(errors), max(1, BLOCK_VALUES // max(1, len(self) * errors.shape[2]))):
            whitened = self.calm.whitened(errors[rows])
            squares = np.sum(whitened * whitened, axis=1)[:, None, :]
            projections = np.matmul(self.keys, whitened)
            cosine = np.where(squares > 0, projections**2 / np.where(squares > 0, squares, 1), 0)
            log_odds = -(self.settings.span / 2) * np.log1p(-np.minimum(cosine, NEARLY_ONE)).sum(axis=2)
            yield Evidence(rows, _size(whitened), log_odds, projections)

    def correction(self, evidence: Evidence) -> Float64:
        """(sum_i p_i v_i u_i^T E) D, (n, H, C), before the gate."""
        settings = self.settings
        null = np.full((len(evidence.log_odds), 1), settings.null)
        weights = Separation.parse(settings.separation)(settings.beta * np.concatenate([evidence.log_odds, null], axis=1))
        explained = (weights[:, :-1, None] * evidence.projections).transpose(0, 2, 1) @ self.values
        correction: Float64 = explained.transpose(0, 2, 1) * self.calm.deviation
        return correction

    def surprised(self, size: Float64) -> Bool:
        """Which sizes ||E|| (n,) pass the gate."""
        gate = self.settings.gate
        return np.ones(size.shape, np.bool_) if gate == 0 else size > np.quantile(self.calm.sizes, gate)

    def correct(self, prediction: Float64, errors: Float64) -> Float64:
        """Forecasts (N, H, C) corrected by what followed similar errors (N, S, C).

        Raises:
            SettingsError: shapes that do not fit.
        """
        self._check(errors, prediction)
        corrected = prediction.copy()
        if not len(self):
            return corrected
        for evidence in self.evidence(errors):
            added = prediction[evidence.rows] + self.correction(evidence)
            corrected[evidence.rows] = np.where(self.surprised(evidence.size)[:, None, None], added, prediction[evidence.rows])
        return corrected

    def _check(self, errors: Float64, futures: Float64) -> None:
        channels = len(self.calm.deviation)
        if errors.shape != (len(futures), self.settings.span, channels) or futures.shape[1:] != (self.settings.horizon, channels):
            raise SettingsError(f"errors {errors.shape} and futures {futures.shape} do not fit the memory")


def _size(whitened: Float64) -> Float64:
    size: Float64 = np.linalg.norm(whitened, axis=(1, 2))
    return size
