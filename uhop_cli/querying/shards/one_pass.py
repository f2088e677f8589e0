"""A pass over all memories of a shard: the scores, and what is told of them in one question and the next.

First small numbers go back: what the memories weigh in all, and the scores of the best. Then whoever has those of all shards knows
where the weight is, and what is read out is asked of the shards that have a share in it alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.operations import topk
from uhop_cli.arrays.types import Float32, Float64, Int64
from uhop_cli.querying.answer import RANKED
from uhop_cli.querying.shards.messages import Asked, Attended, Claims, ReadOut
from uhop_cli.retrieval.entmax import ARGMAX_ALPHA
from uhop_cli.retrieval.models import LinearModel
from uhop_cli.retrieval.pattern_matrix import PatternMatrix
from uhop_cli.retrieval.separation import Separation


@dataclass(frozen=True)
class Pass:
    """One pass.

    Attributes:
        asked: what for.
        scores: (Q, M), where X is.
        X: the memories.
        first: the row of the whole memory that the shard's first one is.
        model: the map that the scores are of, where its state moves.
    """

    asked: Asked
    scores: Array
    X: PatternMatrix
    first: int
    model: LinearModel | None

    @cached_property
    def total(self) -> Float64:
        """log sum exp of the logits of the softmax weights, (Q,)."""
        return log_total(self._logits(self.scores))

    def attended(self) -> Attended:
        """What softmax weights are made of."""
        values, places = (to_numpy(part) for part in topk(self.scores, RANKED))
        energy = log_total(self.scores) if self.asked.kind == "identity" else None
        return Attended(total=self.total, energy=energy, rows=places + self.first, scores=values)

    def gathered(self, least: Float64) -> ReadOut:
        """What the softmax weights read out, normalised within the shard, of the queries whose total is at least `least` (Q,)."""
        places = np.flatnonzero(self.total >= least)
        return self._read_out(places, softmax(self._logits(self.scores[self.X.device.put(places)])))

    def claims(self) -> Claims:
        """The memories that may have a weight under a separation with finite support.

        Of the entmax family, p_i = [(a - 1) z_i - tau]_+^(1/(a - 1)) with sum p_i = 1 (a > 1): no p_i is above 1, so tau is at
        least (a - 1) max z - 1, and whatever has z_i <= max z - 1/(a - 1) has weight 0. The largest logit of a shard is at most
        that of all, so that what a shard leaves out by its own has no weight in the whole either; and tau depends on the support
        alone. Of top-k the k largest of each shard hold the k largest of all, in the order of rows the first of equal ones too.
        """
        scores, separation = to_numpy(self.scores), Separation.parse(self.asked.separation)
        if separation.kind == "top-k":
            rows = [np.sort(topk(line, int(separation.parameter or 1))[1]) for line in scores]
        else:
            least = scores.max(axis=1) - window(separation) / self.asked.beta
            rows = [np.flatnonzero(line >= bound) for line, bound in zip(scores, least, strict=True)]
        return Claims(
            rows=tuple(line + self.first for line in rows),
            scores=tuple(line[own] for line, own in zip(scores, rows, strict=True)),
        )

    def read(self, rows: Sequence[Int64], weights: Sequence[Float32]) -> ReadOut:
        """What the memories of this shard among `rows` read out, with their weights: of each query those."""
        last = self.first + self.X.count
        inside = [(line >= self.first) & (line < last) & (own > 0) for line, own in zip(rows, weights, strict=True)]
        places = np.flatnonzero([mine.any() for mine in inside])
        all_weights = np.zeros((len(places), self.X.count), np.float32)
        for line, place in zip(all_weights, places.tolist(), strict=True):
            line[rows[place][inside[place]] - self.first] = weights[place][inside[place]]
        return self._read_out(places, self.X.device.put(all_weights))

    def _logits(self, scores: Array) -> Array:
        if self.asked.kind == "identity":  # exp(L) over the residual |x - xi|^2 / d + q = exp(-2 L / d): see `evidence.model`
            return (1 + 2 / self.X.dim) * scores
        return scores if self.asked.kind == "visible" else self.asked.beta * scores

    def _read_out(self, places: Int64, weights: Array) -> ReadOut:
        picture = self.X.read_out(weights)
        moves_by = picture if self.model is None else self.model.target(weights, picture)
        target = None if moves_by is picture else to_numpy(moves_by)
        return ReadOut(places=places, picture=to_numpy(picture), target=target)


def window(separation: Separation) -> float:
    """How far below the largest logit a memory may be and still have a weight."""
    alpha = ARGMAX_ALPHA if separation.kind == "argmax" else separation.alpha
    assert alpha is not None
    return 1 / (alpha - 1)


def log_total(logits: Array) -> Float64:
    """log sum exp in float64: in float32 a total of thousands is known to a few ten-thousandths, and so are the weights."""
    values = to_numpy(logits)
    top = np.maximum(values.max(axis=-1, keepdims=True), np.finfo(np.float32).min)  # of minus infinities alone: minus infinity
    with np.errstate(divide="ignore"):
        totals: Float64 = top[:, 0] + np.log(np.sum(np.exp(values - top), axis=-1, dtype=np.float64))
    return totals


def softmax(logits: Array) -> Array:
    """Softmax over the last axis; weights 0 where all logits are minus infinity."""
    xp = namespace(logits)
    top = xp.max(logits, axis=-1, keepdims=True)
    weights = xp.exp(logits - xp.where(xp.isfinite(top), top, xp.zeros_like(top)))
    total = xp.sum(weights, axis=-1, keepdims=True)
    return weights / xp.where(total > 0, total, xp.ones_like(total))
