"""A retrieval model whose memories lie in shards: every evaluation is a pass over the shards, whose parts become one.

With softmax weights a shard s sends its logarithmic total t_s and its best scores (`Shard.attend`), and

    p = exp(t_s - t) p_s,     t = ln sum_s exp(t_s),     x = sum_s exp(t_s - t) x_s.

Then those shards that have a share in a query send what their own weights read out, x_s (`Shard.gather`); mostly that is one. What
all others would add is less than `NEGLIGIBLE`. Where it is known what t is at least, they send it at once.

Under a separation with finite support the shards send the memories that may be in it (`Shard.claim`), the weights are those of the
separation on all of these together, and the shards that have some of them read them out (`Shard.read`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from uhop_cli.arrays.library import Array
from uhop_cli.arrays.operations import logsumexp
from uhop_cli.arrays.types import Float32, Float64, Int64
from uhop_cli.querying.shards.asking import Shards
from uhop_cli.querying.shards.messages import Asked, Attended, Claims, ReadOut
from uhop_cli.querying.shards.one_pass import window
from uhop_cli.retrieval.entmax import SOFTMAX_ALPHA
from uhop_cli.retrieval.models import Evaluation, separated
from uhop_cli.retrieval.separation import Separation

NEGLIGIBLE = 2.0**-24  # of the weight: below the rounding of what is read out
UNSURE = 128.0  # what a shard's logarithmic total may be below the one that is known and still be looked at: both are rounded


class Inner(Protocol):
    """What a model does without its memories."""

    name: str
    monotone: bool

    def start(self, queries: Array) -> Any:
        """The state of queries (Q, d)."""
        ...

    def energy(self, state: Any, potential: Array) -> Array:
        """E of a state, (Q,), from Psi* of its scores."""
        ...

    def moved(self, state: Any, target: Array) -> Any:
        """The state that a target leads to."""
        ...


class ShardedModel:
    """See the head of this file; `retrieval.dynamics.run` reads its pictures out of it too.

    Args:
        shards: that are asked.
        asked: what the first pass asks for.
        inner: the same model of any memories: where a query starts, how its state moves, and the energy.
    """

    def __init__(self, shards: Shards, asked: Asked, inner: Inner) -> None:
        self._shards, self._asked, self._inner = shards, asked, inner
        self._separation = Separation.parse(asked.separation)
        self.name, self.monotone = inner.name, inner.monotone
        self.rows: Int64 = np.zeros((0, 0), np.int64)  # of the last weights
        self._picture: Float32 | None = None
        self._target: Float32 | None = None
        self._last: tuple[Any, Evaluation] | None = None

    def start(self, queries: Float32) -> Any:
        """That of the model."""
        return self._inner.start(queries)

    def evaluate(self, state: Any) -> Evaluation:
        """Weights and scores of the memories `rows`, and the energy; of a state that has not moved those of the last time."""
        if self._last is None or not np.array_equal(state, self._last[0]):
            self._last = state, self._passed(replace(self._asked, state=state))
        return self._last[1]

    def _passed(self, asked: Asked) -> Evaluation:
        potential: Float64 | None
        if self._separation.alpha == SOFTMAX_ALPHA:
            merged = Merged(self._shards, asked)
            self.rows, self._picture, self._target = merged.rows, merged.picture, merged.target
            logits = merged.scores if asked.kind == "visible" else asked.beta * merged.scores
            weights = np.exp(logits.astype(np.float64) - merged.total[:, None]).astype(np.float32)
            scores, potential = merged.scores, merged.total / asked.beta
        else:
            weights, scores, potential = self._claimed(asked)
        return Evaluation(weights, scores, None if potential is None else self._inner.energy(asked.state, potential))

    def _claimed(self, asked: Asked) -> tuple[Float32, Float32, Float64 | None]:
        claims: list[Claims] = self._shards.all("claim", asked)
        count = len(asked.queries)
        rows = [np.concatenate([part.rows[place] for part in claims]) for place in range(count)]
        values = [np.concatenate([part.scores[place] for part in claims]) for place in range(count)]
        alpha = self._separation.alpha
        beyond = -np.inf if alpha is None else -2 * window(self._separation) / asked.beta  # what only fills up has no weight
        longest = max(map(len, rows))
        scores = np.stack([_filled(line, longest, line.max() + beyond) for line in values])
        weights, potential = separated(self._separation, scores, asked.beta)
        self.rows = np.stack([_filled(line, longest, line[-1]) for line in rows])
        shares = [line[: len(own)] for line, own in zip(weights, rows, strict=True)]
        read = self._shards.all("read", asked, rows, shares)
        self._picture, self._target = summed(read, np.ones((len(read), count)))
        return weights, scores, potential

    def read_out(self, weights: Float32) -> Float32:
        """The picture that the last weights read out."""
        assert self._picture is not None
        return self._picture

    def advance(self, state: Any, weights: Float32, picture: Float32) -> Any:
        """The next state."""
        return self._inner.moved(state, picture if self._target is None else self._target)


class Merged:
    """A pass over all shards with softmax weights.

    Args:
        shards: that are asked.
        asked: what for.
        known: (Q,) what the total is not much below, as far as anybody knows: with it the shards that have a share answer at once,
            in the one message.

    Attributes:
        total: ln sum_s exp(t_s), (Q,);  energy: likewise, or None.
        picture: (Q, d);  target: (Q, D), or None (`ReadOut`).
        rows, scores: of the memories of the largest scores, (Q, S).
    """

    def __init__(self, shards: Shards, asked: Asked, known: Float64 | None = None) -> None:
        parts: list[Attended] = shards.all("attend", asked, *(() if known is None else (known - UNSURE,)))
        totals = np.stack([part.total for part in parts])  # (shards, Q)
        self.total: Float64 = logsumexp(totals, axis=0)
        energies = [part.energy for part in parts if part.energy is not None]
        self.energy: Float64 | None = logsumexp(np.stack(energies), axis=0) if energies else None
        self.rows: Int64 = np.concatenate([part.rows for part in parts], axis=1)
        self.scores: Float32 = np.concatenate([part.scores for part in parts], axis=1)
        least = self.total + np.log(NEGLIGIBLE / len(parts))
        counts = totals >= least
        read = [part.read.of(own) for part, own in zip(parts, counts, strict=True) if part.read is not None]
        if not read or sum(len(part.places) for part in read) < counts.sum():
            read = shards.all("gather", asked, least)
        self.picture, self.target = summed(read, np.exp(totals - self.total))


def summed(parts: Sequence[ReadOut], shares: Float64) -> tuple[Float32, Float32 | None]:
    """What all shards read out, in their order: pictures (Q, d), and targets (Q, D) or None.

    Args:
        parts: of every shard.
        shares: (shards, Q) what each is multiplied by.
    """

    def whole(name: str) -> Any:
        first = getattr(parts[0], name)
        if first is None:
            return None
        result = np.zeros((shares.shape[1], first.shape[1]), np.float32)
        for part, share in zip(parts, shares.astype(np.float32), strict=True):
            result[part.places] += share[part.places, None] * getattr(part, name)
        return result

    return whole("picture"), whole("target")


def _filled(line: Any, length: int, value: Any) -> Any:
    return np.concatenate([line, np.full(length - len(line), value, line.dtype)])
