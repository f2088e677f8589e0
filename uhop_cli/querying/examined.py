"""What the choice by evidence makes of queries, before the steps that read pictures out: they are taken where the answer stands."""

from __future__ import annotations

from dataclasses import dataclass

from uhop_cli.arrays.library import Array, to_numpy
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.evidence.doubts import Doubt
from uhop_cli.evidence.model import EvidenceModel
from uhop_cli.querying.answer import Answer, answer_from
from uhop_cli.retrieval.dynamics import ReadsOut


@dataclass(frozen=True, kw_only=True)
class Examined:
    """Q queries, examined.

    Attributes:
        model: the retrieval model, in which the choice is made.
        memories: that pictures are read out of.
        confidence: (Q,) in the choice, or None where no calibration applies.
        rows: (Q, S) the memories that were examined; None: all.
    """

    model: EvidenceModel
    memories: ReadsOut
    confidence: Float32 | None
    rows: Int64 | None

    def answer(self, steps: int | None, *, trace: bool = False) -> Answer:
        """The answers, after T steps; None goes on to a fixed point."""
        queries, choice = self.model.queries, self.model.choice
        pictures: Array = queries.pictures
        return answer_from(
            self.model,
            self.memories,
            pictures,
            kernels=tuple(queries.models[int(index)] for index in to_numpy(choice.model)),
            confidence=self.confidence,
            steps=steps,
            trace=trace,
            rows=self.rows,
            why=self._why(choice.doubts),
        )

    def _why(self, doubts: tuple[Doubt, ...]) -> tuple[Doubt, ...]:
        if self.rows is None:
            return doubts
        return tuple(doubt.among(own) for doubt, own in zip(doubts, self.rows, strict=True))
