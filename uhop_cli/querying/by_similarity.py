"""Answers by the plain model of the papers, with one similarity: x <- X^T Sep(beta sim(x, X))."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import inverse, unit_rows
from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer, answer_from
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.retrieval.inverse_temperature import auto_beta
from uhop_cli.retrieval.models import ClampedModel, FixedModel, LinearModel
from uhop_cli.retrieval.pattern_matrix import PatternMatrix
from uhop_cli.retrieval.separation import Separation
from uhop_cli.retrieval.similarity import similarity

BETA_SAMPLE = 64  # memories whose margins give beta where no self-test has found it


class BySimilarity:
    """Retrieval with one similarity. None of its answers has a confidence: the calibration is that of the choice by evidence.

    Args:
        memory: what is stored.
        X: its patterns.
        settings: similarity, beta, separation and steps; the similarity 'auto' stands for the raw kernel <W x, W xi>, that of
            memories made by the paper's protocol.
        budget: what may be taken of the memory there is.
        beta: inverse temperature, where these are a part of the memories that it is found from.
    """

    def __init__(
        self, memory: Memory, X: PatternMatrix, settings: RetrievalSettings, budget: Budget, beta: float | None = None
    ) -> None:
        self.memory, self.X, self.settings, self.budget = memory, X, settings, budget
        self._known_beta = beta
        self.separation = Separation.parse(settings.separation)
        self.features: Float32 | None = None  # (D, M), once they pay

    def answer(self, queries: Float32, visible: Bool | None, *, trace: bool = False) -> Answer:
        """The answers to queries (Q, d), of which the values marked in `visible` (Q, d) are known; None: all may be damaged."""
        put, model = self.X.device.put, self.model(queries, visible)
        clamp = None if visible is None else (put(visible), put(queries))
        return answer_from(model, self.X, put(queries), steps=self.settings.limit, clamp=clamp, trace=trace)

    def model(self, queries: Float32, visible: Bool | None) -> LinearModel | FixedModel:
        """The map for queries (Q, d), of which the values marked in `visible` (Q, d) are known."""
        name, put = self.settings.similarity, self.X.device.put
        if name in ("auto", "kernel"):
            return self._kernel(len(queries), visible)
        if visible is not None or name in ("l1", "l2"):
            rows = put(unit_rows(self.memory.patterns))
            seen = None if visible is None else put(visible)
            return FixedModel(similarity(name)(put(queries), rows, visible=seen), self.separation, self.beta, name)
        if name == "l2-squared":
            squares = self.lengths**2
            return LinearModel(self.X, self.separation, self.beta, bias=-squares, scale=2.0, name=name)
        return LinearModel(self.X, self.separation, self.beta, norms=self.lengths if name == "cosine" else None, name=name)

    def _kernel(self, queries: int, visible: Bool | None) -> LinearModel:
        """The learned kernel, with features of unit length unless it is the raw one."""
        kernel, put = self.memory.kernel, self.X.device.put
        raw = self.settings.similarity == "auto"
        self.budget.asked += queries
        arguments = {
            "weight": put(kernel.weight),
            "norms": None if raw else put(self.memory.norms[:, kernel.chosen]),
            "features": self._features(),
            "name": "raw kernel" if raw else "kernel",
        }
        if visible is not None:
            return ClampedModel(self.X, self.separation, self.beta, **arguments, known=put(visible))
        return LinearModel(self.X, self.separation, self.beta, **arguments)

    def _features(self) -> Float32 | None:
        """W xi of all memories, (D, M), of unit length unless the kernel is the raw one; None as long as they don't pay."""
        products = self.settings.limit or 2  # a fixed point takes two steps or more
        if self.features is None and self.budget.features_pay(products):
            kernel = self.memory.kernel
            scale = None if self.settings.similarity == "auto" else inverse(self.memory.norms[:, kernel.chosen])
            self.features = np.asarray(self.X.products(kernel.weight, scale))
        return self.features

    @cached_property
    def lengths(self) -> Array:
        """||xi_mu||, shape (M,)."""
        return pattern_lengths(self.X)

    @cached_property
    def beta(self) -> float:
        """As asked for; else the stored one for the kernel, and for the others one from the margins of a sample, undamaged."""
        if self._known_beta is not None:
            return self._known_beta
        if self.settings.beta != "auto":
            return self.settings.beta
        if self.settings.similarity in ("auto", "kernel"):
            return self.memory.beta
        count = len(self.memory)
        rows = np.sort(np.random.default_rng(0).choice(count, min(count, BETA_SAMPLE), replace=False))
        patterns = unit_rows(self.memory.patterns)
        scores = similarity(self.settings.similarity)(patterns[rows], patterns)
        own = scores[np.arange(len(rows)), rows].copy()
        scores[np.arange(len(rows)), rows] = -np.inf
        return auto_beta(own - scores.max(axis=1), count)


def pattern_lengths(X: PatternMatrix) -> Array:
    """||xi_mu|| of all memories, shape (M,)."""
    ones = X.device.put(np.ones((1, X.dim), np.float32))
    return namespace(ones).sqrt(X.products(ones, squared=True)[0])
