"""Stage II on a stored memory: the settings, the strategy that they ask for, and how many queries are answered at a time.

By default (`similarity` auto) the answer is chosen by evidence (`by_evidence`). Any other similarity is the plain model of the
papers with that similarity alone (`by_similarity`), and so is 'auto' on a memory made by the paper's protocol.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.errors import MemoryFileError
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.by_similarity import BySimilarity
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.retrieval.separation import Separation

if TYPE_CHECKING:
    from uhop_cli.querying.shards.asking import Asker, Shards


class Strategy(Protocol):
    """How queries are answered."""

    budget: Budget

    def answer(self, queries: Float32, visible: Bool | None, *, trace: bool = False) -> Answer:
        """The answers to queries (Q, d), of which the values marked in `visible` (Q, d) are known; None: all may be damaged."""
        ...


class Retriever:
    """Stage II on a memory.

    Args:
        memory: what is stored.
        settings: how to retrieve.
        device: where.
        features_expected: queries that are to come in all, where somebody knows: for many of them the memories' features are made
            before the first.
        asker: asks the shards of a memory in shards; by default one after the other.
    """

    def __init__(
        self,
        memory: Memory,
        settings: RetrievalSettings | None = None,
        device: Device = CPU,
        *,
        features_expected: int = 0,
        asker: Asker | None = None,
    ) -> None:
        self.memory, self.device = memory, device
        self.settings = settings or RetrievalSettings()
        self.separation = Separation.parse(self.settings.separation)
        # Of a memory in shards, which have theirs where they are asked, this is what is looked up here.
        self.X = pattern_matrix(memory.patterns, CPU if memory.shards else device)
        self.shards: Shards | None = None
        self.strategy = self._in_shards(asker) if memory.shards else self._in_one(features_expected)

    def _in_one(self, expected: int) -> Strategy:
        memory, device, settings = self.memory, self.device, self.settings
        if self._by_evidence:
            return ByEvidence(memory, self.X, Budget(memory, device, "evidence", expected), settings.limit)
        return BySimilarity(memory, self.X, settings, Budget(memory, device, "similarity", expected))

    def _in_shards(self, asker: Asker | None) -> Strategy:
        from uhop_cli.querying.shards.asking import InTurn
        from uhop_cli.querying.shards.by_evidence import ShardedByEvidence
        from uhop_cli.querying.shards.by_similarity import ShardedBySimilarity

        memory, device, settings = self.memory, self.device, self.settings
        shards, largest = (asker or InTurn)(memory, settings, device), max(memory.shards, key=len)
        self.shards = shards
        if self._by_evidence:
            return ShardedByEvidence(memory, self.X, shards, Budget(largest, device, "evidence"), settings.limit)
        return ShardedBySimilarity(memory, self.X, shards, settings, Budget(largest, device, "similarity"))

    @property
    def _by_evidence(self) -> bool:
        return self.settings.similarity == "auto" and not self.memory.raw_features

    @property
    def batch(self) -> int:
        """How many queries to answer at a time, so that their scores fit into a quarter of the memory there is."""
        return self.strategy.budget.batch

    def make_ready(self) -> None:
        """Makes what all answers need, for instance while queries are being read; else it is made for the first of them."""
        if isinstance(self.strategy, ByEvidence):
            with np.errstate(all="ignore"), self.device.computing():
                self.strategy.make_ready()

    def retrieve(self, queries: Float32, visible: Bool | None = None, *, trace: bool = False) -> Answer:
        """Answer queries (Q, d); `visible` (Q, d) says which values are known, None: nothing is known to be missing.

        All queries are answered at once; `batch` says how many at most that should be. In two stages `rows` says which memories
        the weights are of.

        Raises:
            MemoryFileError: the numbers of the memory, which are somebody's claim, lead to none that are finite.
        """
        with np.errstate(all="ignore"), self.device.computing():
            answer = self.strategy.answer(queries, visible, trace=trace)
        if not (np.isfinite(answer.weights.sum(axis=-1)).all() and np.isfinite(answer.pictures).all()):
            raise MemoryFileError(
                "no answer can be computed, as the memory has numbers out of range", "`uhop info --verify` looks for damage"
            )
        return answer

    def batches(self, queries: Float32, visible: Bool | None = None, *, trace: bool = False) -> Iterator[tuple[slice, Answer]]:
        """The answers to queries (Q, d), `batch` at a time, each with the rows that it answers.

        Where the place in a batch decides which memories take part, all are one batch.
        """
        # Asked once: what fits changes from one moment to the next.
        for part in chunks(len(queries), len(queries) if self.separation.by_place else self.batch):
            yield part, self.retrieve(queries[part], None if visible is None else visible[part], trace=trace)
