"""Answers by evidence from a memory in shards: the shards propose, and the choice among all their proposals is by its own code.

Each shard sends the best of its memories under every model, with their scores. The best of all memories under a model are among
these; the shards that have them send their pixels and statistics, and every verdict, agreement's own candidates and all facts are
those of one file. What is left is the weight of the memories that are not among the best. None that nobody proposed has more
likelihood than the last that its shard did: where even all of them at that would weigh less than `NEGLIGIBLE` they are left out,
else the shards are asked what they weigh under the model that answers (`Shard.rest`).
From the second step on it is the identity model of what was read out, one pass a step (`Shard.attend`).

Where the shards have codes, the first pass is over their shortlists, and all memories are asked only where the answer does not
convince.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from uhop_cli.arrays.operations import logsumexp, unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.evidence.doubts import doubts_of_visible
from uhop_cli.evidence.model import EvidenceEngine, EvidenceModel
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.evidence.shortlist.index import shortlist_size
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.evidence.visible import visible_features, visible_unrelated
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer, answer_from, joined
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import POSTERIOR, VISIBLE_PIXELS, ByEvidence
from uhop_cli.querying.shards.asking import Shards
from uhop_cli.querying.shards.choosing import Chosen, Found, Preparation
from uhop_cli.querying.shards.messages import Asked
from uhop_cli.querying.shards.model import NEGLIGIBLE, Merged, ShardedModel, summed
from uhop_cli.retrieval.distances import ROUNDING
from uhop_cli.retrieval.models import Evaluation, FixedModel
from uhop_cli.retrieval.pattern_matrix import PatternMatrix

ALONG = 1 << 20  # bytes of patterns, about, up to which all that is proposed comes at once: one message less
LEAST_LISTED = 512  # memories of a shard that are looked at at least, in the first of two stages


def listed_of(memory: Memory) -> int:
    """How many memories of each shard of a memory are looked at in the first of two stages."""
    return max(LEAST_LISTED, shortlist_size(len(memory)) // len(memory.shards))


class ShardedByEvidence:
    """The choice by evidence on a memory in shards.

    Args:
        memory: what is stored.
        X: its patterns.
        shards: that are asked.
        budget: what may be taken of the memory there is, for one shard.
        steps: T; None goes on to a fixed point.
    """

    def __init__(self, memory: Memory, X: PatternMatrix, shards: Shards, budget: Budget, steps: int | None = None) -> None:
        self.memory, self.shards, self.budget, self.steps = memory, shards, budget, steps
        self._here = ByEvidence(memory, X, budget, steps)
        coded = all(shard.compact is not None for shard in memory.shards)
        self._listed = coded and budget.device.saves_products and self._here.certainty.calibrated

    def answer(self, queries: Float32, visible: Bool | None, *, trace: bool = False) -> Answer:
        """The answers to queries (Q, d), of which the values marked in `visible` (Q, d) are known; None: all may be damaged.

        `Answer.rows` says which memories the weights are of.
        """
        if visible is not None:
            return self._by_visible(queries, visible, trace)
        return self._in_two_stages(queries, trace) if self._listed else self.among_all(queries, trace=trace)

    def _in_two_stages(self, queries: Float32, trace: bool) -> Answer:
        found, engines, prepared = self._asked(queries, listed_of(self.memory))
        answers: dict[int, Answer] = {}
        for place, engine in enumerate(engines):
            one = slice(place, place + 1)
            examined = self._here.examine(engine, queries[one], found.rows(place)[None], prepared.part(one))
            if not len(self._here.open_places(examined.confidence, queries[one])):
                answers[place] = examined.answer(self.steps, trace=trace)
        doubtful = [place for place in range(len(queries)) if place not in answers]
        for part in chunks(len(doubtful), self.budget.batch):
            again = self.among_all(queries[doubtful[part]], trace=trace, named=found.named[doubtful[part]])
            for index, place in enumerate(doubtful[part]):
                answers[place] = again.part(slice(index, index + 1), len(found.rows(place)))
        least = min(answer.weights.shape[1] for answer in answers.values())
        return joined([answers[place].part(slice(None), least) for place in range(len(queries))])

    def among_all(self, queries: Float32, *, trace: bool = False, named: Int64 | None = None) -> Answer:
        """The answers to queries (Q, d), all memories examined; those `named` (Q, N) pixel by pixel (`EvidenceEngine.named`)."""
        self.budget.asked += len(queries)
        found, engines, prepared = self._asked(queries, None, named)
        chosen = [Chosen(found, place, engine, prepared) for place, engine in enumerate(engines)]
        model = EvidenceOfShards(self.shards, self.memory, queries, chosen)
        ranked = np.stack([one.ranked for one in chosen])
        answer = answer_from(
            model,
            model,
            queries,
            kernels=tuple(one.name for one in chosen),
            confidence=self._here.certainty.of_choice(queries, np.concatenate([one.choice.facts for one in chosen]), ranked),
            steps=self.steps,
            trace=trace,
            why=tuple(one.choice.doubts[0].among(one.rows) for one in chosen),
        )
        return replace(answer, rows=model.rows)

    def _asked(
        self, queries: Float32, listed: int | None, named: Int64 | None = None
    ) -> tuple[Found, list[EvidenceEngine], PreparedQueries]:
        """What the shards propose for queries (Q, d), each as the choice sees it; and all of them, prepared meanwhile."""
        expected = 5 * PROPOSALS * len(queries) * len(self.memory.shards) * self.memory.spec.dim
        prepared: list[PreparedQueries] = []
        asked = (queries, listed, expected <= ALONG, None, named)
        parts = self.shards.all("propose", *asked, meanwhile=lambda: prepared.append(self._prepare(queries)))
        found = Found(self.shards, parts)
        return found, found.engines(self._here), prepared[0]

    @cached_property
    def _prepare(self) -> Preparation:
        return Preparation(self._here, self.memory.shards)

    def _by_visible(self, queries: Float32, visible: Bool, trace: bool) -> Answer:
        asked = Asked(kind="visible", queries=queries, visible=visible)
        nothing = FixedModel(np.zeros((len(queries), 0), np.float32), POSTERIOR, 1.0, VISIBLE_PIXELS)
        model = ShardedModel(self.shards, asked, nothing)
        answer = answer_from(model, model, queries, steps=self.steps, clamp=(visible, queries), trace=trace)
        facts = visible_features(answer.scores, queries, visible)
        doubts = doubts_of_visible(answer.scores, visible_unrelated(queries, visible))
        return replace(
            answer,
            rows=model.rows,
            confidence=self._here.certainty.of_visible(facts),
            why=tuple(doubt.among(rows) for doubt, rows in zip(doubts, model.rows, strict=True)),
        )


class EvidenceOfShards:
    """The retrieval model of the choice by evidence on shards (`evidence.model`), and what its pictures are read out of."""

    name = EvidenceModel.name
    monotone = True

    def __init__(self, shards: Shards, memory: Memory, queries: Float32, chosen: Sequence[Chosen]) -> None:
        self._shards, self._memory, self._queries, self._chosen = shards, memory, queries, chosen
        self.rows: Int64 = np.zeros((0, 0), np.int64)
        self._picture: Float32 | None = None

    def start(self, queries: Float32) -> None:
        """None stands for the query itself."""
        return

    def evaluate(self, state: Float32 | None) -> Evaluation:
        """As `EvidenceModel.evaluate`, for the memories `rows`."""
        return self._of_query() if state is None else self._of_picture(state)

    def _of_query(self) -> Evaluation:
        longest = max(len(one.rows) for one in self._chosen)
        count = len(self._chosen)
        rows, scores = np.empty((count, longest), np.int64), np.full((count, longest), -np.inf, np.float32)
        for place, one in enumerate(self._chosen):
            rows[place] = np.pad(one.rows, (0, longest - len(one.rows)), "edge")
            scores[place, : len(one.rows)] = one.scores
        totals = logsumexp(scores.astype(np.float64))
        rests, beside = self._rests(totals, rows)
        whole = np.logaddexp(totals, rests)
        weights = np.exp(scores.astype(np.float64) - whole[:, None]).astype(np.float32)
        self.rows, self._picture = rows, np.exp(rests - whole)[:, None].astype(np.float32) * beside
        for place, one in enumerate(self._chosen):
            self._picture[place] += weights[place, : len(one.rows)] @ unit_rows(one.patterns)
        return Evaluation(weights, scores, -np.array([one.identity for one in self._chosen]))

    def _rests(self, totals: Float64, rows: Int64) -> tuple[Float64, Float32]:
        """The logarithm of what the memories beside `rows` weigh, (Q,), and the pictures that they read out, (Q, d)."""
        rests = np.full(len(totals), -np.inf)
        pictures = np.zeros_like(self._queries)
        asked = [i for i, one in enumerate(self._chosen) if one.rest - totals[i] > np.log(NEGLIGIBLE)]
        if asked:
            models = [self._chosen[place].model for place in asked]
            nulls = np.array([self._chosen[place].null for place in asked])
            least = totals[asked] + nulls + np.log(NEGLIGIBLE / len(self._memory.shards))
            parts = self._shards.all("rest", self._queries[asked], models, rows[asked], least)
            logs = np.stack([total for total, _ in parts])
            top = logsumexp(logs, axis=0)
            rests[asked] = top - nulls
            shares = np.exp(logs - np.where(np.isfinite(top), top, 0))
            pictures[asked], _ = summed([read for _, read in parts], shares)
        return rests, pictures

    def _of_picture(self, pictures: Float32) -> Evaluation:
        dim = pictures.shape[1]
        pairs = zip(self._chosen, pictures, strict=True)
        nearest = np.array([np.square(unit_rows(one.patterns) - picture).sum(axis=1).min() for one, picture in pairs], np.float64)
        known = -(dim / 2 + 1) * np.log(nearest / dim + ROUNDING)  # what one of the memories alone adds to the total
        merged = Merged(self._shards, Asked(kind="identity", queries=pictures), known)
        self.rows, self._picture = merged.rows, merged.picture
        logits = (1 + 2 / pictures.shape[1]) * merged.scores
        weights = np.exp(logits.astype(np.float64) - merged.total[:, None]).astype(np.float32)
        assert merged.energy is not None
        return Evaluation(weights, merged.scores, -merged.energy)

    def read_out(self, weights: Float32) -> Float32:
        """The picture that the last weights read out."""
        assert self._picture is not None
        return self._picture

    def advance(self, state: Any, weights: Float32, picture: Float32) -> Float32:
        """The picture."""
        return picture
