"""Answers by the plain model of the papers from a memory in shards."""

from __future__ import annotations

from dataclasses import replace

from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.errors import SettingsError
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer, answer_from
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_similarity import BySimilarity
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.asking import Shards
from uhop_cli.querying.shards.messages import Asked
from uhop_cli.querying.shards.model import ShardedModel
from uhop_cli.retrieval.pattern_matrix import PatternMatrix, pattern_matrix
from uhop_cli.retrieval.separation import Separation


class ShardedBySimilarity:
    """Retrieval with one similarity from a memory in shards.

    Args:
        memory: what is stored.
        X: its patterns.
        shards: that are asked.
        settings: as for `BySimilarity`.
        budget: what may be taken of the memory there is, for one shard.

    Raises:
        SettingsError: the separation has to see all memories at once.
    """

    def __init__(self, memory: Memory, X: PatternMatrix, shards: Shards, settings: RetrievalSettings, budget: Budget) -> None:
        self.shards, self.settings, self.budget = shards, settings, budget
        separation = Separation.parse(settings.separation)
        if separation.alpha is None and separation.kind not in ("top-k", "argmax"):
            raise SettingsError(
                f"separation '{separation.label}' has to see all memories at once, and these are in shards",
                "use softmax, sparsemax, entmax:A, top-k:K or argmax",
            )
        self.beta = BySimilarity(memory, X, settings, budget).beta
        # A query starts, and its state moves, as with any memories; so one of them will do.
        one = replace(memory, patterns=memory.patterns[:1], norms=memory.norms[:1], shards=())
        self._of_one = BySimilarity(
            one, pattern_matrix(one.patterns), settings, Budget(one, budget.device, "similarity"), self.beta
        )

    def answer(self, queries: Float32, visible: Bool | None, *, trace: bool = False) -> Answer:
        """The answers to queries (Q, d), of which the values marked in `visible` (Q, d) are known; None: all may be damaged."""
        # Scores that are linear in the state need no more of the queries than how many there are; a kernel's are so under any mask.
        name = self.settings.similarity
        by_state = name in ("auto", "kernel") or (visible is None and name not in ("l1", "l2"))
        asked = Asked(
            kind="similarity",
            queries=queries[:, :0] if by_state else queries,
            visible=None if by_state else visible,
            beta=self.beta,
            separation=self.settings.separation,
        )
        model = ShardedModel(self.shards, asked, self._of_one.model(queries, visible))
        clamp = None if visible is None else (visible, queries)
        answer = answer_from(model, model, queries, steps=self.settings.limit, clamp=clamp, trace=trace)
        return replace(answer, rows=model.rows)
