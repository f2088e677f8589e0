"""Answers of Stage II, in host memory. Which memory is one is decided in `evidence.choice`, or by the weights of one similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from uhop_cli.arrays.library import Array, to_numpy
from uhop_cli.arrays.operations import topk
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.evidence.doubts import Doubt
from uhop_cli.retrieval.dynamics import ReadsOut, run
from uhop_cli.retrieval.models import Model

RANKED = 64  # best scores among which the weights decide the order
SORTED = 64  # queries at a time


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Answers to Q queries.

    Attributes:
        weights: (Q, M) of the last step; with `rows`, (Q, S).
        scores: what the weights were made of, larger = closer; of the same shape.
        pictures: (T, Q, d), as in `retrieval.dynamics.Trajectory`.
        energies: (T, Q) or None.
        steps, converged: (Q,).
        kernels: which kernel answered each query.
        map: the retrieval map that ran; `monotone` says whether its energy is proved not to rise.
        confidence: (Q,) probability that the match is right, or None where no calibration applies.
        rows: (Q, S) the memories that weights and scores are of, where only a part was examined; None: all, in their order.
        why: for each query the reason why its answer is refused, if its confidence is too low; None where there is no confidence.
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
    why: tuple[Doubt, ...] | None = None
    _order: list[Int64] = field(default_factory=list, init=False, repr=False, compare=False)

    def best(self, query: int, top: int) -> list[tuple[int, float, float]]:
        """Row, weight and score of the best memories for a query: by weight, and where weights are equal (most are 0) by score."""
        weights, scores = self.weights[query], self.scores[query]
        first = int(weights.argmax())
        if top == 1 and weights[first] > 0.5:  # no other one can have as much
            row = first if self.rows is None else int(self.rows[query, first])
            return [(row, float(weights[first]), float(scores[first]))]
        places = self._ranked(max(top, RANKED))[query, :top]
        rows = places if self.rows is None else self.rows[query, places]
        return [(int(row), float(weights[place]), float(scores[place])) for row, place in zip(rows, places, strict=True)]

    def _ranked(self, size: int) -> Int64:
        """The places of the `size` highest scores in the order of `best`, (Q, S): for all queries, once."""
        if self._order and self._order[0].shape[1] == min(size, self.scores.shape[1]):
            return self._order[0]
        parts = []
        for part in chunks(len(self.scores), SORTED):
            candidates = topk(self.scores[part], size)[1]
            scores, weights = (np.take_along_axis(values[part], candidates, axis=1) for values in (self.scores, self.weights))
            parts.append(np.take_along_axis(candidates, np.lexsort((-scores, -weights)), axis=1))
        self._order[:] = [np.concatenate(parts)]
        return self._order[0]

    def of(self, query: int, row: int) -> tuple[int, float, float]:
        """Row, weight and score of one memory for a query; no weight and the least score if it was not examined."""
        places = np.flatnonzero(self.rows[query] == row) if self.rows is not None else np.array([row])
        if not len(places):
            return row, 0.0, float(self.scores[query].min())
        return row, float(self.weights[query, places[0]]), float(self.scores[query, places[0]])

    def doubtful(self, query: int, top: int) -> list[tuple[int, float, float]]:
        """`best` of an answer that is refused: two memories that fit about equally come first, both, and share the weight."""
        pair = () if self.why is None else self.why[query].pair
        best = self.best(query, top)
        if not pair:
            return best
        rows, scores = range(self.scores.shape[1]) if self.rows is None else self.rows[query].tolist(), self.scores[query].tolist()
        known = dict(zip(rows, scores, strict=True))
        shared = [(row, share, known.get(row, min(scores))) for row, share in pair]
        rest = [(row, 0.0, score) for row, _, score in best if row not in dict(pair)]
        return [*shared, *rest][: max(top, len(pair))]

    def ranking(self, query: int, top: int) -> list[int]:
        """The rows of the best memories."""
        return [row for row, _, _ in self.best(query, top)]

    def part(self, queries: slice, size: int) -> Answer:
        """The answers to some of the queries, each with the `size` memories of its highest scores."""
        places = topk(self.scores[queries], size)[1]
        rows = places if self.rows is None else np.take_along_axis(self.rows[queries], places, axis=1)
        weights, scores = (np.take_along_axis(values[queries], places, axis=1) for values in (self.weights, self.scores))
        return replace(self.only(queries), weights=weights, scores=scores, rows=rows)

    def among(self, rows: Int64) -> Answer:
        """The same answers where the memories in `rows` (Q, S), rising, were examined: those here, and others that have no weight
        and the least score."""
        assert self.rows is not None, "some of the memories were examined"
        weights, scores = np.zeros(rows.shape, np.float32), np.empty(rows.shape, np.float32)
        scores[:] = self.scores.min(axis=1, keepdims=True)
        for place, own in enumerate(self.rows):
            places = np.searchsorted(rows[place], own)
            weights[place, places], scores[place, places] = self.weights[place], self.scores[place]
        return replace(self, weights=weights, scores=scores, rows=rows)

    def updated(self, queries: Int64, again: Answer) -> Answer:
        """These answers, but to `queries` (q,) those of `again`, each with as many memories as the others have."""
        both = joined([self, again.part(slice(None), self.scores.shape[1])])
        order = np.arange(len(self.scores))
        order[queries] = len(self.scores) + np.arange(len(queries))
        return both.only(order)

    def only(self, queries: slice | Int64) -> Answer:
        """The answers to some of the queries."""
        numbers = np.arange(len(self.scores))[queries].tolist()
        return replace(
            self,
            weights=self.weights[queries],
            scores=self.scores[queries],
            pictures=self.pictures[:, queries],
            energies=None if self.energies is None else self.energies[:, queries],
            steps=self.steps[queries],
            converged=self.converged[queries],
            kernels=tuple(self.kernels[number] for number in numbers),
            confidence=None if self.confidence is None else self.confidence[queries],
            rows=None if self.rows is None else self.rows[queries],
            why=None if self.why is None else tuple(self.why[number] for number in numbers),
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
        weights=whole("weights"),
        scores=whole("scores"),
        pictures=whole("pictures", 1),
        energies=whole("energies", 1),
        steps=whole("steps"),
        converged=whole("converged"),
        kernels=tuple(name for part in parts for name in part.kernels),
        map=parts[0].map,
        monotone=parts[0].monotone,
        confidence=whole("confidence"),
        rows=whole("rows"),
        why=None if parts[0].why is None else tuple(doubt for part in parts for doubt in part.why or ()),
    )


def answer_from(
    model: Model,
    X: ReadsOut,
    queries: Array,
    *,
    kernels: tuple[str, ...] | None = None,
    confidence: Float32 | None = None,
    steps: int | None = None,
    clamp: tuple[Array, Array] | None = None,
    trace: bool = False,
    rows: Int64 | None = None,
    why: tuple[Doubt, ...] | None = None,
) -> Answer:
    """What a model makes of queries (Q, d), which lie where X does.

    Args:
        kernels: which kernel answers each query; by default the model for all.
        confidence, why: (Q,) in the answers.
        steps, clamp, trace: as in `retrieval.dynamics.run`.
        rows: (Q, S) the memories that the model compares each query with; None: all.
    """
    trajectory = run(model, X, queries, steps=steps, clamp=clamp, trace=trace)
    return Answer(
        weights=to_numpy(trajectory.weights),
        scores=to_numpy(trajectory.scores),
        pictures=trajectory.pictures,
        energies=trajectory.energies,
        steps=trajectory.steps,
        converged=trajectory.converged,
        kernels=kernels or (trajectory.map,) * int(queries.shape[0]),
        map=trajectory.map,
        monotone=trajectory.monotone,
        confidence=confidence,
        rows=rows,
        why=why,
    )
