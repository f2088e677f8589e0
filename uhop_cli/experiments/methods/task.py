"""One retrieval task: a memory set and its damaged copies, with everything that several methods need computed once.

Every memory is a query, so Q = M, query i is a damaged copy of memory i, and a method is scored by the sum-of-squares error of
its picture against memory i, both clamped to [0, 1], and by whether its largest weight stands on memory i. A method that weighs
memories needs no picture for that: with r = p - e_i, ||X^T p - xi_i||^2 = r^T G r, G the Gram matrix of the memories less their
mean (r sums to 0), and a convex combination of pixels needs no clamping. That is M^3 work instead of M^2 d, without cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64
from uhop_cli.corruption.corruption import Corruption
from uhop_cli.experiments.methods.learners import Learner
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.kernel.closed_form import Spectrum, decompose
from uhop_cli.retrieval.similarity import similarity

PUBLISHED_QUERIES = {"mask": "dropout", "values": "dropout"}  # what the published code makes of a mask of the same level


@dataclass(frozen=True, eq=False)
class Memories:
    """A memory set and what Stage I made of it.

    Attributes:
        patterns: X, (M, d) float32 in [0, 1].
        spec: of the patterns.
        weights: W, (D, d), of each learner that a method asked for.
        cache: what has been computed from them.
    """

    patterns: Float32
    spec: PatternSpec
    weights: dict[Learner, Float32] = field(default_factory=dict)
    cache: dict[Any, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.patterns)

    @cached_property
    def mean(self) -> Float32:
        """The mean image, (d,)."""
        return np.asarray(self.patterns.mean(axis=0))

    @cached_property
    def gram(self) -> Float32:
        """G, (M, M): products of the memories less their mean."""
        centred = self.patterns - self.mean
        return np.asarray(centred @ centred.T)

    @cached_property
    def spectrum(self) -> Spectrum:
        """Singular values and basis of the memories, for the kernels in closed form."""
        return decompose(self.patterns)

    @cached_property
    def coordinates(self) -> Float32:
        """The memories in the basis of `spectrum`, (M, r)."""
        return np.asarray(self.patterns @ self.spectrum.basis.T)

    def features(self, learner: Learner) -> Float32:
        """Z = X W^T, (M, D), W as the learner left it."""
        key = ("features", learner)
        if key not in self.cache:
            self.cache[key] = self.patterns @ self.weights[learner].T
        return np.asarray(self.cache[key])

    def row_lengths(self, learner: Learner) -> Float32:
        """Lengths of the rows of W, (D,); dividing features by them is Algorithm 1's normalisation of W."""
        key = ("row lengths", learner)
        if key not in self.cache:
            lengths = np.sqrt(np.einsum("ij,ij->i", self.weights[learner], self.weights[learner]))
            self.cache[key] = np.where(lengths > 0, lengths, 1).astype(np.float32)
        return np.asarray(self.cache[key])


@dataclass(frozen=True, eq=False)
class Task:
    """Memories and queries.

    Attributes:
        memories: the set.
        queries: (Q, d) float32; query i belongs to memory i, unless `held_out`.
        visible: which values are known to be untouched, (Q, d), or None.
        corruption: what was done to the queries.
        seed: of the corruption, and of methods that draw at random.
        steps: T of Stage II.
        beta: inverse temperature that the condition prescribes; None leaves it to the protocol.
        held_out: the queries are other images than the memories, so that there is no right answer.
        cache: what has been computed from the queries.
    """

    memories: Memories
    queries: Float32
    visible: Bool | None
    corruption: Corruption
    seed: int
    steps: int = 1
    beta: float | None = None
    held_out: bool = False
    cache: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def damage(cls, memories: Memories, corruption: Corruption, seed: int, **settings: Any) -> Task:
        """The task of retrieving every memory from a damaged copy."""
        queries, visible = corruption(memories.patterns, memories.spec, seed)
        return cls(memories, queries, visible, corruption, seed, **settings)

    @cached_property
    def as_published(self) -> Task:
        """The same task with queries as the published code makes them: a mask doubles what it leaves (for F = 1/2)."""
        kind = PUBLISHED_QUERIES.get(self.corruption.kind)
        if kind is None or self.held_out:
            return self
        damaged = Corruption(kind, self.corruption.level)(self.memories.patterns, self.memories.spec, self.seed)
        return replace(self, queries=damaged.patterns, visible=damaged.visible, cache={})

    def similarity(self, name: str, states: Float32 | None = None) -> Float32:
        """Scores (Q, M) by a similarity of the engine, of the queries or of other states."""
        if states is None:
            key = ("similarity", name)
            if key not in self.cache:
                self.cache[key] = np.asarray(similarity(name)(self.queries, self.memories.patterns))
            return np.asarray(self.cache[key])
        return np.asarray(similarity(name)(states, self.memories.patterns))

    def features(self, learner: Learner, states: Float32 | None = None) -> Float32:
        """Phi of the queries, or of other states, (Q, D), W as the learner left it."""
        if states is not None:
            return np.asarray(states @ self.memories.weights[learner].T)
        key = ("features", learner)
        if key not in self.cache:
            self.cache[key] = self.queries @ self.memories.weights[learner].T
        return np.asarray(self.cache[key])

    def coordinates(self, states: Float32 | None = None) -> Float32:
        """The queries, or other states, in the basis of the memories' spectrum, (Q, r)."""
        if states is not None:
            return np.asarray(states @ self.memories.spectrum.basis.T)
        if "coordinates" not in self.cache:
            self.cache["coordinates"] = self.queries @ self.memories.spectrum.basis.T
        return np.asarray(self.cache["coordinates"])

    def error_of_weights(self, weights: Float32) -> Float64:
        """Sum-of-squares error of X^T p for weights p (Q, M) on the simplex: shape (Q,)."""
        rest = weights.astype(np.float32, copy=True)
        count = np.arange(len(rest))
        rest[count, count] -= 1
        return np.asarray(np.maximum(np.einsum("qm,qm->q", rest @ self.memories.gram, rest, dtype=np.float64), 0))

    def error_of_pictures(self, pictures: Float32) -> Float64:
        """Sum-of-squares error of pictures (Q, d), clamped to [0, 1]: shape (Q,)."""
        difference = np.clip(np.nan_to_num(pictures), 0, 1) - self.memories.patterns
        return np.asarray(np.einsum("qd,qd->q", difference, difference, dtype=np.float64))
