"""What a row says of an answer: errors, accuracy, separation in feature space, and what the weights settled in."""

from __future__ import annotations

from typing import Any

import numpy as np

from uhop_cli.arrays.types import Float32
from uhop_cli.experiments.methods.learners import Learner, T
from uhop_cli.experiments.methods.protocol import Prediction
from uhop_cli.experiments.methods.task import Task
from uhop_cli.kernel.losses import AverageLoss
from uhop_cli.kernel.spherical_codes import code_bounds
from uhop_cli.retrieval.similarity import similarity
from uhop_cli.retrieval.states import metastable_sizes, size_table

DIGITS = 9  # significant ones that rows carry


def measure(task: Task, answer: Prediction, learners: tuple[Learner, ...]) -> dict[str, Any]:
    """The measured part of a row.

    sse: mean over queries of the sum-of-squares error, both pictures clamped to [0, 1]; accuracy: share of queries whose largest
    weight is the right memory. Null where there is no right answer, or no weights. steps: T, null for a method that goes on to a
    fixed point or takes none. loss and margin are the average separation loss
    (t = 2) and the smallest 1 - cos of the learned features, with the bounds of spherical codes of that many memories and
    dimensions. sizes: shares of queries that settled in 0, 1, ..., 10 and more memories, for queries that are not stored.
    """
    row: dict[str, Any] = {
        "steps": answer.steps,
        "beta": _rounded(answer.beta),
        "rho": _rounded(answer.options.get("rho")),
        "sse": None,
        "accuracy": None,
    }
    weights = answer.weights
    if not task.held_out and (weights is not None or answer.pictures is not None):
        errors = task.error_of_weights(weights) if weights is not None else task.error_of_pictures(_pictures(answer))
        row["sse"] = _rounded(float(errors.mean()))
        if weights is not None:
            row["accuracy"] = _rounded(float(np.mean(np.argmax(weights, axis=1) == np.arange(len(weights)))))
    row.update(loss=None, margin=None, margin_lower=None, margin_upper=None)
    if learners:
        row.update(_separation(task, learners[0]))
    if task.held_out and weights is not None:
        row["sizes"] = _sizes(weights)
    return row


def _separation(task: Task, learner: Learner) -> dict[str, float | None]:
    key = ("separation", learner)
    if key not in task.memories.cache:
        features = task.memories.features(learner).astype(np.float64)
        cosines = similarity("cosine")(features, features)
        np.fill_diagonal(cosines, -1)
        margin = 1 - float(cosines.max())
        loss = float(AverageLoss(T).measure(cosines)[0])
        bounds = code_bounds(len(features), min(features.shape[1], task.memories.patterns.shape[1]))
        task.memories.cache[key] = {
            "loss": _rounded(loss),
            "margin": _rounded(margin),
            "margin_lower": _rounded(bounds.lower),
            "margin_upper": _rounded(bounds.upper),
        }
    result: dict[str, float | None] = task.memories.cache[key]
    return result


def _sizes(weights: Float32) -> list[float | None]:
    return [_rounded(count / len(weights)) for count in size_table(metastable_sizes(weights)).values()]


def _pictures(answer: Prediction) -> Float32:
    assert answer.pictures is not None
    return answer.pictures


def _rounded(value: float | None) -> float | None:
    if value is None or not np.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
