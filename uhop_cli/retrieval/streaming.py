"""Separation functions over memories that come in chunks: exact, with a state that does not grow with the number of memories.

Logits are seen twice: `add` takes every chunk once, in order; then `weights` gives the weights of any chunk, equal to what the
whole row would have got. Three facts make one pass enough:

    softmax       sum exp(x) = sum over chunks, rescaled whenever the running maximum rises (online softmax); entmax        a
    logit 1 / (alpha - 1) or more below the maximum has weight 0, so one that falls that far below the running maximum can
                  be forgotten, and what is left decides the threshold; it is few logits unless the weights are spread over many;
    top-k         the k largest of the whole are among the k largest of each chunk.

The energy's conjugate Psi* (`energy`) comes out of the same state.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.energy import conjugate
from uhop_cli.retrieval.entmax import ARGMAX_ALPHA, SOFTMAX_ALPHA, Threshold, candidates, threshold
from uhop_cli.retrieval.separation import Separation, largest, polynomial_logits


class Stream(Protocol):
    """What `stream` returns. Logits are beta * scores, shape (..., m), for the memories start, start + 1, ..., start + m - 1."""

    def add(self, logits: Array, start: int) -> None:
        """Take the next chunk; every chunk once."""

    def weights(self, logits: Array, start: int) -> Array:
        """The weights of a chunk, after all chunks have been added: shape (..., m)."""


def stream(separation: Separation) -> Stream:
    """A fresh state for one batch of rows.

    Raises:
        SettingsError: a random or window support, which belongs to a whole row.
    """
    if separation.alpha is not None:
        return EntmaxStream(separation.alpha)
    if separation.kind == "argmax":
        return EntmaxStream(ARGMAX_ALPHA)
    if separation.kind == "top-k":
        return TopKStream(int(separation.parameter or 1))
    if separation.kind == "polynomial":
        return PolynomialStream(int(separation.parameter or 2))
    raise SettingsError(f"separation '{separation.label}' needs the scores of all memories at once")


class EntmaxStream:
    """The entmax family: softmax (alpha 1), entmax, sparsemax (alpha 2) and argmax (alpha infinite)."""

    def __init__(self, alpha: float) -> None:
        self.alpha = alpha
        self._kept: Array | None = None  # softmax, argmax: one value, the maximum; entmax: the candidates
        self._total: Array | None = None  # softmax, argmax: the sum of the weights relative to the maximum
        self._threshold: Threshold | None = None

    def add(self, logits: Array, start: int = 0) -> None:
        """Take the next chunk; `start` does not matter here."""
        xp = namespace(logits)
        self._threshold = None
        if SOFTMAX_ALPHA < self.alpha < ARGMAX_ALPHA:
            joined = logits if self._kept is None else xp.concat([self._kept, logits], axis=-1)
            self._kept = candidates(joined, self.alpha)
            return
        chunk = threshold(logits, self.alpha)
        if self._kept is None:
            self._kept, self._total = chunk.top, chunk.total
            return
        old, total, top = self._kept, self._total, xp.maximum(self._kept, chunk.top)
        ones = Threshold(self.alpha, top, xp.zeros_like(top), xp.ones_like(top))
        self._kept, self._total = top, total * ones.weights(old) + chunk.total * ones.weights(chunk.top)

    def threshold(self) -> Threshold:
        """The threshold of the rows seen so far."""
        if self._kept is None:
            raise SettingsError("no memory has been added")
        if self._threshold is None:
            if self._total is None:
                self._threshold = threshold(self._kept, self.alpha)
            else:
                self._threshold = Threshold(self.alpha, self._kept, namespace(self._kept).zeros_like(self._kept), self._total)
        return self._threshold

    def weights(self, logits: Array, start: int = 0) -> Array:
        """The weights of a chunk; `start` does not matter here."""
        return self.threshold().weights(logits)

    def conjugate(self, beta: float) -> Array:
        """Psi*_alpha(beta, z) of the rows seen so far, shape (...), the logits having been beta * z."""
        found = self.threshold()
        if self.alpha == SOFTMAX_ALPHA:
            return (namespace(found.total).log(found.total) + found.top)[..., 0] / beta
        kept: Array = self._kept
        return conjugate(kept / beta, beta, self.alpha)


class TopKStream:
    """Softmax over the k largest logits of the whole row; of equal ones those that come first."""

    def __init__(self, k: int) -> None:
        self.k = k
        self._values: Array | None = None
        self._places: Array | None = None

    def add(self, logits: Array, start: int) -> None:
        """Take the next chunk."""
        xp = namespace(logits)
        places = xp.broadcast_to(self._here(logits, start), logits.shape)
        if self._values is not None:
            logits = xp.concat([self._values, logits], axis=-1)
            places = xp.concat([self._places, places], axis=-1)
        inside = largest(logits, self.k)  # the same number in every row, so that the rows can be cut out as a block
        shape = (*logits.shape[:-1], min(self.k, int(logits.shape[-1])))
        self._values, self._places = xp.reshape(logits[inside], shape), xp.reshape(places[inside], shape)

    def weights(self, logits: Array, start: int) -> Array:
        """The weights of a chunk."""
        if self._values is None or self._places is None:
            raise SettingsError("no memory has been added")
        xp = namespace(logits)
        smallest = xp.min(self._values, axis=-1, keepdims=True)
        last = xp.max(xp.where(self._values == smallest, self._places, -1), axis=-1, keepdims=True)
        inside = (logits > smallest) | ((logits == smallest) & (self._here(logits, start) <= last))
        return xp.where(inside, threshold(self._values, SOFTMAX_ALPHA).weights(logits), 0)

    @staticmethod
    def _here(logits: Array, start: int) -> Array:
        return like(logits, np.arange(start, start + int(logits.shape[-1])))


class PolynomialStream:
    """[x]_+^(n - 1), normalised: softmax of the powers; equal weights where no logit of the row is positive."""

    def __init__(self, order: int) -> None:
        self.order = order
        self._softmax = EntmaxStream(SOFTMAX_ALPHA)
        self._count = 0

    def add(self, logits: Array, start: int = 0) -> None:
        """Take the next chunk; `start` does not matter here."""
        self._count += int(logits.shape[-1])
        self._softmax.add(polynomial_logits(logits, self.order))

    def weights(self, logits: Array, start: int = 0) -> Array:
        """The weights of a chunk; `start` does not matter here."""
        xp = namespace(logits)
        found = self._softmax.threshold()
        none = found.total == 0
        weights = replace(found, total=xp.where(none, 1, found.total)).weights(polynomial_logits(logits, self.order))
        return xp.where(none, 1 / self._count, weights)
