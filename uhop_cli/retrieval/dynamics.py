"""T steps of retrieval: iterate a model to a fixed point, or for a given number of steps, and keep the trace.

A step computes the weights p of the present state, reads out the picture X^T p (known pixels keep their values) and moves the state
(U-Hop eq. 2.4, Algorithm 1 line 5). A query has converged when a step changes no value of its picture by more than `TOLERANCE`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.retrieval.models import Evaluation, Model

MAX_STEPS = 10  # of `auto`; retrieval that has not settled by then wanders between metastable states
TOLERANCE = 1e-4  # of values in [0, 1]: a fortieth of a grey level of 8 bits


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """The way of Q queries.

    Attributes:
        weights: (Q, M) of the last step, on the device of X.
        scores: (Q, M) of the last step.
        pictures: (T, Q, d) float32, the picture after each step; only the last one unless the trace was asked for.
        energies: (T, Q) energy of the state at the beginning of each step, or None.
        steps: (Q,) steps until the picture stood still (all T where it did not).
        converged: (Q,) whether it did.
        map: name of the map that ran; `monotone` says whether its energy is proved not to rise.
    """

    weights: Array
    scores: Array
    pictures: Float32
    energies: Float64 | None
    steps: Int64
    converged: Bool
    map: str
    monotone: bool


class ReadsOut(Protocol):
    """What a picture is read out of."""

    def read_out(self, weights: Array) -> Array:
        """X^T p of weights (Q, M): (Q, d)."""
        ...


def run(
    model: Model,
    X: ReadsOut,
    queries: Array,
    *,
    steps: int | None = None,
    clamp: tuple[Array, Array] | None = None,
    trace: bool = False,
) -> Trajectory:
    """Iterate a model from queries (Q, d).

    Args:
        model: the map.
        X: the memories that the picture is read out of.
        queries: shape (Q, d), on the device of X.
        steps: T; None goes on to a fixed point, at most `MAX_STEPS`.
        clamp: (known, values), both (Q, d): pixels that keep their values in the picture.
        trace: keep the picture of each step.
    """
    state: Any = model.start(queries)
    limit = MAX_STEPS if steps is None else steps
    count = int(queries.shape[0])
    pictures: list[Float32] = []
    energies: list[Float64] = []
    taken = np.full(count, limit)
    converged = np.zeros(count, np.bool_)
    previous: Array | None = None
    evaluation: Evaluation | None = None
    for step in range(1, limit + 1):
        evaluation = model.evaluate(state)
        picture = X.read_out(evaluation.weights)
        if clamp is not None:
            picture = namespace(picture).where(clamp[0], clamp[1], picture)
        if evaluation.energy is not None:
            energies.append(to_numpy(evaluation.energy).astype(np.float64))
        if trace or step == limit or steps is None:
            shown = to_numpy(picture).astype(np.float32)
            pictures = [*pictures, shown] if trace else [shown]
        if previous is not None:
            still = to_numpy(namespace(picture).max(namespace(picture).abs(picture - previous), axis=-1)) <= TOLERANCE
            taken[still & ~converged] = step - 1  # the step before had already arrived
            converged = still
            if steps is None and converged.all():
                break
        if step < limit:
            previous = picture
            state = model.advance(state, evaluation.weights, picture)
    assert evaluation is not None, "a retrieval takes at least one step"
    return Trajectory(
        weights=evaluation.weights,
        scores=evaluation.scores,
        pictures=np.stack(pictures),
        energies=np.stack(energies) if energies else None,
        steps=taken,
        converged=converged,
        map=model.name,
        monotone=model.monotone,
    )
