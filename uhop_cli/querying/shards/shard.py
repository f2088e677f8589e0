"""What one shard of a memory answers, by the same engines as a whole memory; nothing here knows of other shards.
A second question about the same pass (`gather`, `read`) finds it kept, or makes it again: the answer is the same.

propose     the best memories of every model of the evidence, with their scores
lists       whether a memory is on the shard's shortlist
pool        some memories, with all that the choice among them needs
rest        what the weights of one model leave to the memories that were not proposed
attend      a pass with softmax weights: their logarithmic total, and the best scores
gather      what these weights read out, normalised within the shard
claim       a pass for a separation with finite support: the memories that may be in it
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
from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.evidence.model import EvidenceEngine
from uhop_cli.evidence.pixelwise.candidates import distinct, proposed, with_named
from uhop_cli.evidence.visible import visible_log_likelihood
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.by_similarity import BySimilarity
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.messages import Asked, Attended, Claims, Pool, Proposals, ReadOut
from uhop_cli.querying.shards.one_pass import Pass, log_total, softmax
from uhop_cli.retrieval.models import LinearModel
from uhop_cli.retrieval.pattern_matrix import pattern_matrix

if TYPE_CHECKING:
    from uhop_cli.frames.proposal import Proposal
    from uhop_cli.frames.whole.looking import Look, Looker

KEPT_SHARE = 8  # of the free memory, at most one part in so many is taken to keep the scores of a pass for the next question


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
        self._kept: Pass | None = None

    @cached_property
    def _evidence(self) -> ByEvidence:
        return ByEvidence(self.memory, self.X, Budget(self.memory, self.device, "evidence"))

    def let_go(self) -> None:
        """Forgets what was prepared of the memories; a pass that is kept stays."""
        for prepared in ("_evidence", "_canvases"):
            vars(self).pop(prepared, None)

    def propose(
        self, queries: Float32, listed: int | None, along: bool = False, most: int | None = None, named: Int64 | None = None
    ) -> Proposals:
        """The proposals of all models for queries (Q, d).

        Args:
            queries: see above.
            listed: memories of the shard that are looked at, those of its shortlist; None: all.
            along: whether the memories themselves come with them.
            most: how many each model proposes; None: as many as the choice looks at.
            named: (Q, N) memories that are proposed too where they are of this shard, whatever the models say; None: those that the
                shortlist names.
        """
        found = self._proposed(queries, listed, most, named)
        return replace(found, pool=self.pool(np.unique(found.rows))) if along else found

    def _proposed(self, queries: Float32, listed: int | None, most: int | None, named: Int64 | None) -> Proposals:
        evidence = self._evidence
        if listed is None or evidence.shortlist is None:
            own = np.empty((len(queries), 0), np.int64) if named is None else named - self.first
            own = np.where((own >= 0) & (own < self.X.count), own, -1)
            return self._proposals(queries, replace(evidence.engine, named=own), None, most)
        found = evidence.shortlist.find(queries, listed)
        places = found.places

        def work(part: slice, engine: EvidenceEngine) -> Proposals:
            return self._proposals(queries[part], replace(engine, named=places[part]), found.rows[part], most)

        parts = evidence.over_lists(found.rows, work)
        longest = max(part.rows.shape[1] for part in parts)
        return Proposals(
            rows=np.concatenate([_filled(part.rows, longest) for part in parts]),
            scores=np.concatenate([_filled(part.scores, longest) for part in parts], axis=1),
            least=np.concatenate([part.least for part in parts], axis=1),
            others=np.concatenate([part.others for part in parts]),
            examined=parts[0].examined,
            named=np.concatenate([part.named for part in parts]),
        )

    def _proposals(self, queries: Float32, engine: EvidenceEngine, listed: Int64 | None, most: int | None) -> Proposals:
        scores, cosines = engine.scan(engine.prepare(queries))
        best = proposed(scores, cosines, most)  # (Q, K + 1, P)
        assert engine.named is not None, "that is not left out here"
        own = engine.named
        rows, _ = distinct(with_named(best.reshape(len(own), -1), own))
        xp, identity = namespace(scores), scores[0]
        last = [xp.take_along_axis(values, best[:, model, -1:], axis=1)[:, 0] for model, values in enumerate(scores)]
        found = xp.stack([xp.take_along_axis(values, rows, axis=1) for values in (*scores, cosines)])
        identity[_each(rows), rows] = -np.inf  # in place: the scores have done their service
        proposals, named = (
            values if listed is None else np.take_along_axis(listed, values, axis=1) for values in (to_numpy(rows), own)
        )
        return Proposals(
            rows=proposals + self.first,
            scores=to_numpy(found),
            least=to_numpy(xp.stack(last)),
            others=log_total(identity),
            examined=engine.count,
            named=np.where(own < 0, -1, named + self.first),
        )

    def lists(self, queries: Float32, rows: Int64, size: int) -> Bool:
        """Whether the shortlist of each of the queries (Q, d), of `size` memories, holds the memory in `rows`, (Q,); not of those
        that are another shard's."""
        held = np.zeros(len(rows), np.bool_)
        mine = np.flatnonzero((rows >= self.first) & (rows < self.first + self.X.count))
        if len(mine) and self._evidence.shortlist is not None:
            found = self._evidence.shortlist(queries[mine], size)
            held[mine] = (found == (rows[mine] - self.first)[:, None]).any(axis=1)
        return held

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

    def rest(self, queries: Float32, models: Sequence[int], rows: Int64, least: Float64) -> tuple[Float64, ReadOut]:
        """What the memories but those in `rows` (Q, S) weigh for queries (Q, d), each under one model; and what they read out.

        Args:
            queries: see above.
            models: for each query the index of a model; agreement, the last one, takes all of them for unrelated: 0.
            rows: memories that are left out, of this shard and others.
            least: (Q,) the total from which on it matters what is read out.

        Returns:
            The total, log sum exp of the log-likelihoods, (Q,), minus infinity where there are no such memories; and what the
            posterior among them reads out.
        """
        scores, _ = self._evidence.engine.scan(self._evidence.engine.prepare(queries))
        xp = namespace(scores)
        chosen = xp.stack(
            [scores[k, place] if k < len(scores) else xp.zeros_like(scores[0, place]) for place, k in enumerate(models)]
        )
        for place, own in enumerate(rows - self.first):
            chosen[place, own[(own >= 0) & (own < self.X.count)]] = -np.inf
        total = log_total(chosen)
        places = np.flatnonzero(total >= least)
        picture = self.X.read_out(softmax(chosen[self.device.put(places)]))
        return total, ReadOut(places=places, picture=to_numpy(picture), target=None)

    def attend(self, asked: Asked, least: Float64 | None = None) -> Attended:
        """A pass with softmax weights; with `least` also what `gather` gives for it."""
        begun = self._begun(asked)
        return begun.attended() if least is None else replace(begun.attended(), read=begun.gathered(least))

    def gather(self, asked: Asked, least: Float64) -> ReadOut:
        """What the softmax weights read out, normalised within the shard, where their log total is at least `least` (Q,)."""
        return self._ended(asked).gathered(least)

    def claim(self, asked: Asked) -> Claims:
        """The memories that may have a weight."""
        return self._begun(asked).claims()

    def read(self, asked: Asked, rows: Sequence[Int64], weights: Sequence[Float32]) -> ReadOut:
        """What the memories of this shard among `rows` read out, with their weights."""
        return self._ended(asked).read(rows, weights)

    def _begun(self, asked: Asked) -> Pass:
        """A pass, kept for the second question about it where there is room."""
        begun = self._made(asked)
        self._kept = begun if begun.scores.nbytes <= self.device.free_memory() // KEPT_SHARE else None
        return begun

    def _ended(self, asked: Asked) -> Pass:
        """The pass of which the first question was about this same object; else the pass once more, which is the same."""
        kept, self._kept = self._kept, None
        return kept if kept is not None and kept.asked is asked else self._made(asked)

    def _made(self, asked: Asked) -> Pass:
        put, model = self.device.put, None
        if asked.kind == "identity":
            scores = self._evidence.engine.identity(put(asked.queries))
        elif asked.kind == "visible":
            assert asked.visible is not None
            scores = visible_log_likelihood(self.X, put(asked.queries), put(asked.visible))
        else:
            budget = Budget(self.memory, self.device, "similarity")
            model = BySimilarity(self.memory, self.X, self.settings, budget, asked.beta).model(asked.queries, asked.visible)
            scores = model.scores_of(put(asked.state))
        return Pass(asked, scores, self.X, self.first, model if isinstance(model, LinearModel) else None)

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


def _filled(values: Any, length: int) -> Any:
    """The last axis as long as `length`: the last value repeated."""
    return np.pad(values, [(0, 0)] * (values.ndim - 1) + [(0, length - values.shape[-1])], "edge")


def _each(rows: Array) -> Array:
    return namespace(rows).arange(rows.shape[0], device=rows.device)[:, None]
