"""What one shard of a memory answers, by the same engines as a whole memory; nothing here knows of other shards.

propose     the best memories of every model of the evidence, with their scores
pool        some memories, with all that the choice among them needs
rest        what the weights of one model leave to the memories that were not proposed
attend      a pass with softmax weights: their logarithmic total and what they read out, normalised within the shard
claim       of a separation with finite support: the memories that may be in it
read        weighted sums of memories, the weights given
on_canvases, nearest    the two passes of a search in frames
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.operations import topk, unit_rows
from uhop_cli.arrays.types import Float32, Float64, Int64
from uhop_cli.evidence.model import EvidenceEngine
from uhop_cli.evidence.pixelwise.candidates import distinct, proposed
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.evidence.visible import visible_log_likelihood
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import RANKED
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import POSTERIOR, VISIBLE_PIXELS, ByEvidence
from uhop_cli.querying.by_similarity import BySimilarity
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.messages import Asked, Attended, Claims, Pool, Proposals
from uhop_cli.retrieval.entmax import ARGMAX_ALPHA
from uhop_cli.retrieval.models import Evaluation, FixedModel
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.retrieval.separation import Separation

if TYPE_CHECKING:
    from uhop_cli.frames.proposal import Proposal
    from uhop_cli.frames.whole.looking import Look, Looker


class Shard:
    """One shard.

    Args:
        memory: what it holds.
        first: the row of the whole memory that its first one is.
        settings: how to retrieve.
        device: where.
    """

    def __init__(self, memory: Memory, first: int, settings: RetrievalSettings, device: Device) -> None:
        self.memory, self.first, self.settings, self.device = memory, first, settings, device
        self.X = pattern_matrix(memory.patterns, device)

    @cached_property
    def _evidence(self) -> ByEvidence:
        return ByEvidence(self.memory, self.X, Budget(self.memory, self.device, "evidence"))

    def _similarity(self, beta: float) -> BySimilarity:
        return BySimilarity(self.memory, self.X, self.settings, Budget(self.memory, self.device, "similarity"), beta)

    def propose(self, queries: Float32, listed: int | None) -> Proposals:
        """The proposals of all models for queries (Q, d).

        Args:
            queries: see above.
            listed: memories of the shard that are looked at, those of its shortlist; None: all.
        """
        evidence = self._evidence
        if listed is None or evidence.shortlist is None:
            return self._proposals(queries, evidence.engine, None)
        lists = evidence.shortlist(queries, listed)
        parts = evidence.over_lists(lists, lambda part, engine: self._proposals(queries[part], engine, lists[part]))
        longest = max(part.rows.shape[1] for part in parts)
        return Proposals(
            rows=np.concatenate([_filled(part.rows, longest) for part in parts]),
            scores=np.concatenate([_filled(part.scores, longest) for part in parts], axis=1),
            least=np.concatenate([part.least for part in parts], axis=1),
            others=np.concatenate([part.others for part in parts]),
            examined=parts[0].examined,
        )

    def _proposals(self, queries: Float32, engine: EvidenceEngine, listed: Int64 | None) -> Proposals:
        scores, cosines = engine.scan(engine.prepare(queries))
        rows, _ = distinct(proposed(scores, cosines))
        kept = min(PROPOSALS, engine.count)
        least = np.stack([to_numpy(topk(values, kept)[0])[:, -1] for values in scores])
        xp, identity = namespace(scores), scores[0]
        found = xp.stack([xp.take_along_axis(values, rows, axis=1) for values in (*scores, cosines)])
        identity[_each(rows), rows] = -np.inf  # in place: the scores have done their service
        named = to_numpy(rows) if listed is None else np.take_along_axis(listed, to_numpy(rows), axis=1)
        return Proposals(
            rows=named + self.first,
            scores=to_numpy(found),
            least=least,
            others=_log_total(identity),
            examined=engine.count,
        )

    def pool(self, rows: Int64) -> Pool:
        """Those of the memories in `rows`, rising, that are of this shard."""
        mine = rows[(rows >= self.first) & (rows < self.first + self.X.count)]
        own, opacity = mine - self.first, self.memory.opacity
        return Pool(
            rows=mine,
            patterns=self.memory.patterns[own],
            statistics=self._evidence.statistics.select(own),
            opacity=None if opacity is None else opacity[own],
        )

    def rest(self, queries: Float32, models: Sequence[int], rows: Int64) -> tuple[Float64, Float32]:
        """What the memories but those in `rows` (Q, S) weigh for queries (Q, d), each under one model; and what they read out.

        Args:
            queries: see above.
            models: for each query the index of a model; agreement, the last one, takes all of them for unrelated: 0.
            rows: memories that are left out, of this shard and others.

        Returns:
            log sum exp of the log-likelihoods, (Q,), minus infinity where there are no such memories, and the pictures (Q, d) of
            the posterior among them.
        """
        scores, _ = self._evidence.engine.scan(self._evidence.engine.prepare(queries))
        xp = namespace(scores)
        chosen = xp.stack(
            [scores[k, place] if k < len(scores) else xp.zeros_like(scores[0, place]) for place, k in enumerate(models)]
        )
        for place, own in enumerate(rows - self.first):
            chosen[place, own[(own >= 0) & (own < self.X.count)]] = -np.inf
        return _log_total(chosen), to_numpy(self.X.read_out(_softmax(chosen)))

    def attend(self, asked: Asked) -> Attended:
        """A pass with softmax weights."""
        if asked.kind == "identity":
            scores = self._evidence.engine.identity(self.device.put(asked.queries))
            # exp(L) over the residual |x - xi|^2 / d + q = exp(-2 L / d): see `evidence.model`
            logits = (1 + 2 / self.X.dim) * scores
            weights, energy = _softmax(logits), _log_total(scores)
        else:
            model, evaluation = self._evaluated(asked)
            scores, weights, energy = evaluation.scores, evaluation.weights, None
            logits = scores if asked.kind == "visible" else asked.beta * scores
        picture = self.X.read_out(weights)
        moves_by = model.target(weights, picture) if asked.kind == "similarity" else picture
        values, places = (to_numpy(part) for part in topk(scores, RANKED))
        return Attended(
            total=_log_total(logits),
            energy=energy,
            picture=to_numpy(picture),
            target=None if moves_by is picture else to_numpy(moves_by),
            rows=places + self.first,
            scores=values,
        )

    def claim(self, asked: Asked) -> Claims:
        """The memories that may have a weight.

        Of the entmax family, p_i = [(a - 1) z_i - tau]_+^(1/(a - 1)) with sum p_i = 1 (a > 1): no p_i is above 1, so tau is at
        least (a - 1) max z - 1, and whatever has z_i <= max z - 1/(a - 1) has weight 0. The largest logit of a shard is at most
        that of all, so that what a shard leaves out by its own has no weight in the whole either; and tau depends on the support
        alone. Of top-k the k largest of each shard hold the k largest of all, in the order of rows the first of equal ones too.
        """
        scores = to_numpy(self._evaluated(asked)[1].scores)
        separation = Separation.parse(asked.separation)
        if separation.kind == "top-k":
            rows = [np.sort(topk(line, int(separation.parameter or 1))[1]) for line in scores]
        else:
            least = scores.max(axis=1) - window(separation) / asked.beta
            rows = [np.flatnonzero(line >= bound) for line, bound in zip(scores, least, strict=True)]
        return Claims(
            rows=tuple(line + self.first for line in rows),
            scores=tuple(line[own] for line, own in zip(scores, rows, strict=True)),
        )

    def read(self, asked: Asked, rows: Sequence[Int64], weights: Sequence[Float32]) -> tuple[Float32, Float32 | None]:
        """The picture and the target of `Attended`, (Q, d), of the memories of this shard among `rows`, with their weights."""
        inverse = getattr(self._model(asked), "inverse", None)
        lengths = None if inverse is None else to_numpy(inverse)
        picture = np.zeros((len(rows), self.X.dim), np.float32)
        target = None if lengths is None else np.zeros_like(picture)
        for place, (line, shares) in enumerate(zip(rows, weights, strict=True)):
            mine = (line >= self.first) & (line < self.first + self.X.count) & (shares > 0)
            own = line[mine] - self.first
            pixels = unit_rows(self.memory.patterns[own])
            picture[place] = shares[mine] @ pixels
            if target is not None and lengths is not None:
                target[place] = (shares[mine] * lengths[own]) @ pixels
        return picture, target

    def on_canvases(self, look: Look) -> list[Proposal]:
        """See `frames.whole.looking.Looker`."""
        return [replace(one, row=one.row + self.first) for one in self._canvases(look)]

    @cached_property
    def _canvases(self) -> Looker:
        from uhop_cli.frames.whole.looking import CanvasSearch

        return CanvasSearch(self.memory)

    def nearest(self, codes: Float32) -> tuple[Float32, Int64]:
        """See `frames.local.matching.nearest`, of the shard's own descriptors."""
        from uhop_cli.frames.local.matching import nearest

        assert self.memory.local is not None  # all shards have some, or none has
        return nearest(codes, self.memory.local.codes)

    def _model(self, asked: Asked) -> Any:
        put = self.device.put
        if asked.kind == "visible":
            assert asked.visible is not None
            scores = visible_log_likelihood(self.X, put(asked.queries), put(asked.visible))
            return FixedModel(scores, POSTERIOR, 1.0, VISIBLE_PIXELS)
        return self._similarity(asked.beta).model(asked.queries, asked.visible)

    def _evaluated(self, asked: Asked) -> tuple[Any, Evaluation]:
        model = self._model(asked)
        state = self.device.put(asked.state) if isinstance(asked.state, np.ndarray) else asked.state
        return model, model.evaluate(state)


def window(separation: Separation) -> float:
    """How far below the largest logit a memory may be and still have a weight."""
    alpha = ARGMAX_ALPHA if separation.kind == "argmax" else separation.alpha
    assert alpha is not None
    return 1 / (alpha - 1)


def _filled(values: Any, length: int) -> Any:
    """The last axis as long as `length`: the last value repeated."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, length - values.shape[-1])], "edge")


def _each(rows: Array) -> Array:
    return namespace(rows).arange(rows.shape[0], device=rows.device)[:, None]


def _log_total(logits: Array) -> Float64:
    """log sum exp in float64: in float32 a total of thousands is known to a few ten-thousandths, and so are the weights."""
    values = to_numpy(logits)
    top = np.maximum(values.max(axis=-1, keepdims=True), np.finfo(np.float32).min)  # of minus infinities alone: minus infinity
    with np.errstate(divide="ignore"):
        totals: Float64 = top[:, 0] + np.log(np.sum(np.exp(values - top), axis=-1, dtype=np.float64))
    return totals


def _softmax(logits: Array) -> Array:
    xp = namespace(logits)
    top = xp.max(logits, axis=-1, keepdims=True)
    weights = xp.exp(logits - xp.where(xp.isfinite(top), top, xp.zeros_like(top)))
    total = xp.sum(weights, axis=-1, keepdims=True)
    return weights / xp.where(total > 0, total, xp.ones_like(total))
