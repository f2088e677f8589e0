"""Queries and their answers, with what takes less time for all of them together than for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.images.patterns import PatternSpec, to_pixels
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.restoration import Query
from uhop_cli.retrieval.states import settled


@dataclass(frozen=True)
class Answered:
    """Some of the queries of a run.

    Attributes:
        queries: Q of them, prepared.
        answer: to all of them, in their order.
        spec: of the patterns.
        above: `size_threshold` of the separation function.
    """

    queries: Sequence[Query]
    answer: Answer
    spec: PatternSpec
    above: float

    @cached_property
    def settled(self) -> tuple[NDArray[np.str_], Int64]:
        """Kinds and sizes of the states, (Q,) each."""
        return settled(self.answer.weights, self.above)

    @cached_property
    def states(self) -> UInt8:
        """What the last steps read out, (Q, H, W, C)."""
        return to_pixels(self.answer.pictures[-1], self.spec)

    @cached_property
    def damaged(self) -> UInt8:
        """The queries, (Q, H, W, C)."""
        return to_pixels(np.stack([query.pattern for query in self.queries]), self.spec)
