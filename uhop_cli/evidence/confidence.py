"""Confidence: the calibrated probability that the chosen memory is the right one.

Evidence compares memories; whether any of them is right is another question, as some memory is always the best. It is answered by a
logistic model of a few facts about the choice (`evidence.Query.features`) and their squares,

    P(right) = 1 / (1 + exp(-(w . z + b))),       z = standardised facts,

fitted at store time on two kinds of queries of known answer: damaged copies of memories, and the same with the memory left out,
which is what a picture looks like that was never stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64, Floats
from uhop_cli.errors import SettingsError

# Prior precision of the standardised weights, at least, and for each sample: it keeps them finite where the two kinds separate
# perfectly, and from following single answers where they don't.
RIDGE, RIDGE_A_SAMPLE = 0.3, 5e-4
WRONG = 1.25  # weight of a wrong choice beside a right one: to name another picture is worse than to name none
STEPS = 50  # of Newton's method
TOLERANCE = 1e-9


@dataclass(frozen=True)
class Confidence:
    """A fitted logistic model.

    Attributes:
        center, scale: of the facts and their squares, (2F,).
        weights: (2F,);  bias: b.
    """

    center: Float64
    scale: Float64
    weights: Float64
    bias: float

    def __call__(self, features: Floats) -> Float32:
        """P(right) of choices with these features (Q, F): shape (Q,)."""
        logit = (_terms(features) - self.center) / self.scale @ self.weights + self.bias
        return (0.5 * (1 + np.tanh(0.5 * logit))).astype(np.float32)

    def to_json(self) -> dict[str, Any]:
        """The model as JSON values."""
        return {
            "center": self.center.tolist(),
            "scale": self.scale.tolist(),
            "weights": self.weights.tolist(),
            "bias": self.bias,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Confidence:
        """Reads what `to_json` wrote.

        Raises:
            SettingsError: the values are not those of a model.
        """
        try:
            vectors = [np.asarray(values[name], np.float64) for name in ("center", "scale", "weights")]
            bias = float(values["bias"])
        except (KeyError, TypeError, ValueError) as error:
            raise SettingsError("the calibration of the confidence is damaged", "store the images again") from error
        sound = all(v.ndim == 1 and v.shape == vectors[0].shape and np.all(np.isfinite(v)) for v in vectors)
        if not sound or not np.isfinite(bias) or not np.all(vectors[1] > 0) or len(vectors[0]) % 2:
            raise SettingsError("the calibration of the confidence is damaged", "store the images again")
        return cls(vectors[0], vectors[1], vectors[2], bias)


def fit_confidence(features: Floats, right: Bool) -> Confidence:
    """The maximum-a-posteriori logistic model, by Newton's method (Hosmer and Lemeshow 2000, section 1.2) with step halving.

    It minimises sum_n c_n (ln(1 + exp l_n) - t_n l_n) + (ridge / 2) |w|^2 with t_n = 1 and c_n = 1 for right choices, else 0 and
    `WRONG`.

    Args:
        features: of the choices, (N, F).
        right: whether each was right, (N,).

    Raises:
        SettingsError: nothing to fit: no right choice, or no wrong one.
    """
    if not right.any() or right.all():
        raise SettingsError("a confidence needs right and wrong choices to be fitted to", "store more images")
    terms = _terms(features)
    center, scale = terms.mean(axis=0), terms.std(axis=0)
    scale[scale == 0] = 1
    design = np.concatenate([(terms - center) / scale, np.ones((len(terms), 1))], axis=1)
    ridge = np.append(np.full(terms.shape[1], max(RIDGE, RIDGE_A_SAMPLE * len(terms))), 0.0)
    target, counts = right.astype(np.float64), np.where(right, 1.0, WRONG)

    def loss(w: Float64) -> float:
        logit = design @ w
        return float(counts @ (np.logaddexp(0, logit) - target * logit) + 0.5 * ridge @ (w * w))

    weights = np.zeros(design.shape[1])
    value = loss(weights)
    for _ in range(STEPS):
        p = 0.5 * (1 + np.tanh(0.5 * (design @ weights)))
        gradient = design.T @ (counts * (p - target)) + ridge * weights
        hessian = (design.T * (counts * p * (1 - p))) @ design + np.diag(ridge + 1e-9)
        step = np.linalg.solve(hessian, gradient)
        while (new := loss(weights - step)) > value and np.abs(step).max() > TOLERANCE:
            step = step / 2
        weights = weights - step
        if value - new < TOLERANCE * (1 + abs(value)):
            break
        value = new
    return Confidence(center, scale, weights[:-1], float(weights[-1]))


@dataclass(frozen=True)
class Sample:
    """Choices of known answer: their features (N, F), and whether each is right, (N,)."""

    features: Float32
    right: Bool

    @classmethod
    def of(cls, stored: Float32, right: Bool, left_out: Float32) -> Sample:
        """Of queries whose right memory is stored, and of the same with it left out, which are wrong: features (Q, F) of both."""
        return cls(np.concatenate([stored, left_out]), np.concatenate([right, np.zeros(len(left_out), np.bool_)]))

    def but(self, certain: Bool) -> Sample:
        """Those that are not `certain`, (N,), without a confidence."""
        return Sample(self.features[~certain], self.right[~certain])


def calibrated(samples: Sequence[Sample]) -> dict[str, Any] | None:
    """The confidence that tells right choices from wrong ones and from those without the right memory; None if all are alike."""
    features = np.concatenate([sample.features for sample in samples])
    right = np.concatenate([sample.right for sample in samples])
    finite = np.isfinite(features).all(axis=1)
    if not right[finite].any() or right[finite].all():
        return None
    return fit_confidence(features[finite], right[finite]).to_json()


def _terms(features: Floats) -> Float64:
    """The facts and their squares, (N, 2F)."""
    facts = np.asarray(features, np.float64)
    return np.concatenate([facts, facts * facts], axis=1)
