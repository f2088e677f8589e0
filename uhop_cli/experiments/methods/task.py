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

from uhop_cli.api import learn
from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.library import Array, to_numpy
from uhop_cli.arrays.types import Bool, Float32, Float64
from uhop_cli.corruption.corruption import Corruption
from uhop_cli.experiments.methods.learners import Learner
from uhop_cli.images.patterns import PatternSpec, to_pixels
from uhop_cli.kernel.closed_form import decompose, whitening
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.memory.memory import Memory
from uhop_cli.retrieval.similarity import similarity

PUBLISHED_QUERIES = {"mask": "dropout", "values": "dropout"}  # what the published code makes of a mask of the same level


@dataclass(frozen=True, eq=False)
class MemorySet:
    """A memory set and what Stage I made of it.

    Attributes:
        patterns: X, (M, d) float32 in [0, 1].
        spec: of the patterns.
        device: where Stage I, the engine and similarities run.
        weights: W, (D, d), of each learner that a method asked for.
        cache: what has been computed from them.
    """

    patterns: Float32
    spec: PatternSpec
    device: Device = CPU
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
    def placed(self) -> Array:
        """X on the device."""
        return self.device.put(self.patterns)

    @cached_property
    def stored(self) -> Memory:
        """The memory that `uhop store` makes of the set, without its self-test: no answer by evidence hangs on that."""
        return learn(to_pixels(self.patterns, self.spec), self_test=False)

    @cached_property
    def kernel(self) -> KernelFamily:
        """The kernels in closed form, with all directions that the memories have."""
        return whitening(decompose(self.patterns))

    @cached_property
    def whitened(self) -> Float32:
        """Features of the memories by the chosen one of `kernel`, (M, r)."""
        return self.kernel.features(self.patterns)

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
        steps: T of Stage II; None leaves it to the method.
        beta: inverse temperature that the condition prescribes; None leaves it to the protocol.
        held_out: the queries are other images than the memories, so that there is no right answer.
        cache: what has been computed from the queries.
    """

    memories: MemorySet
    queries: Float32
    visible: Bool | None
    corruption: Corruption
    seed: int
    steps: int | None = None
    beta: float | None = None
    held_out: bool = False
    cache: dict[Any, Any] = field(default_factory=dict)

    @classmethod
    def damage(cls, memories: MemorySet, corruption: Corruption, seed: int, **settings: Any) -> Task:
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
                self.cache[key] = self._similarity(name, self.queries)
            return np.asarray(self.cache[key])
        return self._similarity(name, states)

    def _similarity(self, name: str, states: Float32) -> Float32:
        memories = self.memories
        return np.asarray(to_numpy(similarity(name)(memories.device.put(states), memories.placed)))

    def features(self, learner: Learner, states: Float32 | None = None) -> Float32:
        """Phi of the queries, or of other states, (Q, D), W as the learner left it."""
        if states is not None:
            return np.asarray(states @ self.memories.weights[learner].T)
        key = ("features", learner)
        if key not in self.cache:
            self.cache[key] = self.queries @ self.memories.weights[learner].T
        return np.asarray(self.cache[key])

    def whitened(self, states: Float32 | None = None) -> Float32:
        """Features of the queries, or of other states, by the chosen one of the kernels in closed form, (Q, r)."""
        if states is not None:
            return self.memories.kernel.features(states)
        if "whitened" not in self.cache:
            self.cache["whitened"] = self.memories.kernel.features(self.queries)
        return np.asarray(self.cache["whitened"])

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
