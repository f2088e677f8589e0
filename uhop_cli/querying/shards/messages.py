"""What goes to the shards of a memory and comes back: plain arrays, so that it may go to another process. Rows are the memory's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64, Int64, UInt8
from uhop_cli.evidence.statistics import Statistics


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Some memories by themselves, with all that the choice by evidence asks of them.

    Attributes:
        rows: (U,), rising.
        patterns: (U, H, W, C).
        statistics: of them.
        opacity: (U, H, W), or None.
    """

    rows: Int64
    patterns: UInt8
    statistics: Statistics
    opacity: UInt8 | None

    @classmethod
    def joined(cls, pools: Sequence[Pool]) -> Pool:
        """That of several shards, in their order."""
        first = pools[0].statistics
        parts = {
            field.name: np.concatenate([getattr(pool.statistics, field.name) for pool in pools])
            for field in fields(Statistics)
            if field.name != "variances" and getattr(first, field.name) is not None
        }
        opacity = [pool.opacity for pool in pools if pool.opacity is not None]
        return cls(
            rows=np.concatenate([pool.rows for pool in pools]),
            patterns=np.concatenate([pool.patterns for pool in pools]),
            statistics=Statistics(**parts, variances=first.variances),
            opacity=np.concatenate(opacity) if opacity else None,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        arrays = (self.rows, self.patterns, self.opacity, *(getattr(self.statistics, field.name) for field in fields(Statistics)))
        return sum(array.nbytes for array in arrays if array is not None)

    def places(self, rows: Int64) -> Int64:
        """Where in the pool memories are that are in it."""
        return np.searchsorted(self.rows, rows)


@dataclass(frozen=True, kw_only=True)
class Proposals:
    """The memories that the models propose for Q queries, each model its best, as `evidence.pixelwise.candidates` has it.

    Attributes:
        rows: (Q, S); a shorter one is filled up with repeats.
        scores: (K + 1, Q, S) log-likelihoods of these under every model but agreement, and their plain cosines.
        least: (K, Q) log-likelihood of the last that each model proposes: no memory of the shard that isn't proposed has more.
        others: (Q,) log sum exp of the identity model's log-likelihoods over the memories that are not proposed.
        examined: how many memories that is, with those proposed.
        named: (Q, N) those that are proposed whatever the models say (`evidence.shortlist.index`); -1 where there are fewer.
        pool: these memories, where they were asked for at once.
    """

    rows: Int64
    scores: Float32
    least: Float32
    others: Float64
    examined: int
    named: Int64
    pool: Pool | None = None


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A pass over all memories of a shard with scores that need nothing of the other shards.

    Attributes:
        kind: 'similarity', that of the settings; 'visible', the likelihood of the visible values; 'identity', the identity model
            for pictures that were read out.
        queries: (Q, d).
        visible: (Q, d), None: all.
        state: of the map, as its model has it; for 'identity' it is not used.
        beta: inverse temperature of 'similarity'.
        separation: as `Separation.parse` reads it.
    """

    kind: Literal["similarity", "visible", "identity"]
    queries: Float32
    visible: Bool | None = None
    state: Any = None
    beta: float = 1.0
    separation: str = "softmax"


@dataclass(frozen=True, kw_only=True)
class ReadOut:
    """What the memories of a shard read out, for those queries in which they count.

    Attributes:
        places: (q,) which of the Q queries.
        picture: (q, d) X^T p of these memories.
        target: (q, D) F^T p of them where the map goes by that (`LinearModel.target`); else None.
    """

    places: Int64
    picture: Float32
    target: Float32 | None

    def of(self, queries: Bool) -> ReadOut:
        """That of the queries that are marked, (Q,)."""
        kept = queries[self.places]
        target = None if self.target is None else self.target[kept]
        return ReadOut(places=self.places[kept], picture=self.picture[kept], target=target)


@dataclass(frozen=True, kw_only=True)
class Attended:
    """What a shard makes of a pass with softmax weights.

    Attributes:
        total: (Q,) log sum exp of the logits.
        energy: (Q,) log sum exp of the identity model's log-likelihoods, for 'identity'; else None.
        rows, scores: (Q, R) the memories of the largest scores.
        read: what is read out, where that was asked for at once.
    """

    total: Float64
    energy: Float64 | None
    rows: Int64
    scores: Float32
    read: ReadOut | None = None


@dataclass(frozen=True, kw_only=True)
class Claims:
    """The memories of a shard that may have a weight under a separation whose support is finite.

    Attributes:
        rows, scores: of each query those, rows rising.
    """

    rows: tuple[Int64, ...]
    scores: tuple[Float32, ...]
