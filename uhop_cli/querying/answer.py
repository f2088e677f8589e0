"""Answers of Stage II, in host memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from uhop_cli.arrays.library import to_numpy
from uhop_cli.arrays.operations import topk
from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.retrieval.dynamics import Trajectory

RANKED = 64  # best scores among which the weights decide the order


@dataclass(frozen=True)
class Answer:
    """Answers to Q queries.

    Attributes:
        weights: (Q, M) of the last step; with `rows`, (Q, S).
        scores: what the weights were made of, larger = closer; of the same shape.
        pictures: (T, Q, d), as in `Trajectory`.
        energies: (T, Q) or None.
        steps, converged: (Q,).
        kernels: which kernel answered each query.
        map: the retrieval map that ran; `monotone` says whether its energy is proved not to rise.
        confidence: (Q,) probability that the match is right, or None where no calibration applies.
        rows: (Q, S) the memories that weights and scores are of, where only a part was examined; None: all, in their order.
    """

    weights: Float32
    scores: Float32
    pictures: Float32
    energies: Float64 | None
    steps: Int64
    converged: Bool
    kernels: tuple[str, ...]
    map: str
    monotone: bool
    confidence: Float32 | None
    rows: Int64 | None = None

    def best(self, query: int, top: int) -> list[tuple[int, float, float]]:
        """Row, weight and score of the best memories for a query: by weight, and where weights are equal (most are 0) by score."""
        weights, scores = self.weights[query], self.scores[query]
        first = int(weights.argmax())
        if top == 1 and weights[first] > 0.5:  # no other one can have as much
            row = first if self.rows is None else int(self.rows[query, first])
            return [(row, float(weights[first]), float(scores[first]))]
        candidates = topk(scores, max(top, RANKED))[1]
        places = candidates[np.lexsort((-scores[candidates], -weights[candidates]))][:top]
        rows = places if self.rows is None else self.rows[query, places]
        return [(int(row), float(weights[place]), float(scores[place])) for row, place in zip(rows, places, strict=True)]

    def ranking(self, query: int, top: int) -> list[int]:
        """The rows of the best memories."""
        return [row for row, _, _ in self.best(query, top)]

    def part(self, query: int, size: int) -> Answer:
        """The answer to one query, with the `size` memories of the highest scores."""
        places = topk(self.scores[query], size)[1]
        one = slice(query, query + 1)
        return Answer(
            self.weights[one, places],
            self.scores[one, places],
            self.pictures[:, one],
            None if self.energies is None else self.energies[:, one],
            self.steps[one],
            self.converged[one],
            self.kernels[one],
            self.map,
            self.monotone,
            None if self.confidence is None else self.confidence[one],
            places[None] if self.rows is None else self.rows[one, places],
        )


def joined(parts: Sequence[Answer]) -> Answer:
    """One answer to the queries of all parts, which are alike but for the steps they took: what arrived early stays there."""

    def whole(name: str, axis: int = 0) -> Any:
        arrays = [getattr(part, name) for part in parts]
        if arrays[0] is None:
            return None
        longest = max(len(array) for array in arrays)
        if axis:
            arrays = [np.concatenate([array, *[array[-1:]] * (longest - len(array))]) for array in arrays]
        return np.concatenate(arrays, axis)

    return Answer(
        whole("weights"),
        whole("scores"),
        whole("pictures", 1),
        whole("energies", 1),
        whole("steps"),
        whole("converged"),
        tuple(name for part in parts for name in part.kernels),
        parts[0].map,
        parts[0].monotone,
        whole("confidence"),
        whole("rows"),
    )


def answer_of(trajectory: Trajectory, kernels: tuple[str, ...], confidence: Float32 | None, rows: Int64 | None = None) -> Answer:
    """The answer that a trajectory is."""
    return Answer(
        to_numpy(trajectory.weights),
        to_numpy(trajectory.scores),
        trajectory.pictures,
        trajectory.energies,
        trajectory.steps,
        trajectory.converged,
        kernels,
        trajectory.map,
        trajectory.monotone,
        confidence,
        rows,
    )
