"""The choice by evidence among what all shards propose, by the code that chooses among the memories of one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from uhop_cli.arrays.device import CPU
from uhop_cli.arrays.operations import logsumexp, topk
from uhop_cli.arrays.types import Float32, Float64, Int64
from uhop_cli.evidence.backgrounds.opacity import see_through
from uhop_cli.evidence.choice import Choice
from uhop_cli.evidence.likelihoods import unrelated
from uhop_cli.evidence.model import EvidenceEngine, EvidenceModel
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import RIVALS, ByEvidence
from uhop_cli.querying.shards.asking import Shards
from uhop_cli.querying.shards.messages import Pool, Proposals
from uhop_cli.retrieval.pattern_matrix import pattern_matrix


class Found:
    """The best of what all shards propose.

    Args:
        shards: have more of these memories to send.
        parts: what each shard proposes.
        most: how many are kept for every model; None: `PROPOSALS`.

    Attributes:
        named: (Q, N) memories that the choice looks at pixel by pixel whatever the models propose; -1 where there are fewer.
        pool: with all that the choice needs, from the shards that have them; and others.
    """

    def __init__(self, shards: Shards, parts: Sequence[Proposals], most: int | None = None) -> None:
        self.parts, self._most = parts, most or PROPOSALS
        self.examined = sum(part.examined for part in parts)
        self.named: Int64 = np.concatenate([part.named for part in parts], axis=1)
        self._best = [self._of_query(place) for place in range(len(parts[0].rows))]
        wanted = np.unique(np.concatenate([rows for rows, _ in self._best]))
        along = [part.pool for part in parts if part.pool is not None]
        self.pool = Pool.joined(along if len(along) == len(parts) else shards.all("pool", wanted))

    def _of_query(self, place: int) -> tuple[Int64, Float64]:
        """The best memories of all, rising; and of those that are not among them the log sum exp of their scores, (K + 1,)."""
        rows, first = np.unique(np.concatenate([part.rows[place] for part in self.parts]), return_index=True)
        scores = np.concatenate([part.scores[:, place] for part in self.parts], axis=1)[:, first]
        kept = np.zeros(len(rows), np.bool_)
        kept[topk(scores, self._most)[1]] = True
        kept |= np.isin(rows, self.named[place])
        dropped = logsumexp(scores[:, ~kept].astype(np.float64)) if not kept.all() else np.full(len(scores), -np.inf)
        return rows[kept], dropped

    def rows(self, place: int) -> Int64:
        """The best memories for a query, each once."""
        return self._best[place][0]

    def engines(self, here: ByEvidence) -> list[EvidenceEngine]:
        """For each of the queries its best memories alone as the choice by evidence sees them."""
        return [self._engine(here, place) for place in range(len(self._best))]

    def _engine(self, here: ByEvidence, place: int) -> EvidenceEngine:
        pool, rows, named = self.pool, self.rows(place), self.named[[place]]
        own = pool.places(rows)
        opacity = None if pool.opacity is None else pool.opacity[own]
        engine = here.engine_from(pattern_matrix(pool.patterns[own]), pool.statistics.select(own), opacity)
        return replace(engine, named=np.where(named < 0, -1, np.searchsorted(rows, named)))

    def identity(self, place: int) -> float:
        """Log sum exp of the identity model's log-likelihoods of all other memories."""
        others = [part.others[place] for part in self.parts]
        return float(logsumexp(np.array([self._best[place][1][0], *others])))

    def most(self, place: int, model: int) -> float:
        """What all other memories weigh at most under a model: log sum exp of their log-likelihoods."""
        left = [part.examined - len(np.unique(part.rows[place])) for part in self.parts]
        bounds = [part.least[model, place] + np.log(count) for part, count in zip(self.parts, left, strict=True) if count]
        return float(logsumexp(np.array([self._best[place][1][model], *bounds])))


class Preparation:
    """What makes queries ready for the choice among memories of any of the shards: once for all of these, as nothing in that is of
    the memories but what all have in common, and whether a background is seen through one of them.

    Args:
        here: who chooses.
        shards: of its memory.
    """

    def __init__(self, here: ByEvidence, shards: Sequence[Memory]) -> None:
        first = shards[0]
        kept = ByEvidence(first, pattern_matrix(first.patterns), Budget(first, CPU, "evidence")).statistics
        self._of_none = here.engine_from(pattern_matrix(first.patterns[:0]), kept.select(slice(0, 0)), None)
        self._opacity = any(map(_is_seen_through, shards))

    def __call__(self, queries: Float32) -> PreparedQueries:
        """Queries (Q, d), prepared."""
        return self._of_none.prepare(queries, self._opacity)


def _is_seen_through(shard: Memory) -> bool:
    kept = None if shard.statistics is None else shard.statistics.opacity
    return shard.opacity is not None and (kept is None or len(see_through(shard.spec.shape, kept)) > 0)


class Chosen:
    """The choice for one query.

    Attributes:
        rows: the best memories, (S,).
        ranked: the best of these, the answer first, (RIVALS,); where there are fewer, the last again.
        scores: their log-likelihood ratios under the model that answers, (S,).
        model, name: that one.
        null: its log-likelihood of "unrelated".
        identity: log sum exp of the identity model's log-likelihoods over all memories.
        rest: what the others weigh at most, as a log-likelihood ratio; of agreement exactly.
        patterns: their pixels.
    """

    def __init__(self, found: Found, place: int, engine: EvidenceEngine, prepared: PreparedQueries) -> None:
        model = EvidenceModel(engine, prepared.part(slice(place, place + 1)))
        self.choice: Choice = model.choice
        self.rows, self.scores = found.rows(place), self.choice.scores[0]
        first = self.rows[topk(self.scores, RIVALS)[1]]
        self.ranked = np.pad(first, (0, RIVALS - len(first)), "edge")
        self.patterns = found.pool.patterns[found.pool.places(self.rows)]
        self.model = int(self.choice.model[0])
        self.name = model.queries.models[self.model]
        energy = model.evaluate(None).energy
        assert energy is not None
        self.identity = float(np.logaddexp(-energy[0], found.identity(place)))
        nulls = unrelated(model.queries)[:, 0]
        self.is_agreement = self.model == len(nulls)
        self.null = 0.0 if self.is_agreement else float(nulls[self.model])
        left = found.examined - len(self.rows)
        if self.is_agreement:  # it takes all others for unrelated
            self.rest = float(np.log(left)) if left else -np.inf
        else:
            self.rest = found.most(place, self.model) - self.null
