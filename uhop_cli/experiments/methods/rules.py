"""How methods score memories against a state: the similarities and kernels of the comparison. Larger = closer, always.

A rule may have options among which the `tuned` protocol chooses (the rho of the closed form); under the `paper` protocol the first
one holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Protocol

import numpy as np

from uhop_cli.arrays.types import Float32
from uhop_cli.experiments.methods.learners import Learner
from uhop_cli.experiments.methods.task import Task
from uhop_cli.kernel.closed_form import RHO_GRID
from uhop_cli.kernel.feature_map import normalise_rows
from uhop_cli.retrieval.fixed_size import FixedSizeMemory, LinearMemory, RandomFeatureMemory
from uhop_cli.retrieval.similarity import similarity

Option = Any

PAPER_RHO = 1e-2  # the middle of the range; the paper has no closed form


class Rule(Protocol):
    """The signature of a rule."""

    def options(self, tuned: bool) -> tuple[Option, ...]:
        """What tuning chooses among; a single one where there is nothing to choose."""

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """(Q, M) scores of states (Q, d); None stands for the queries."""


@dataclass(frozen=True)
class _Fixed:
    """A rule without options."""

    def options(self, tuned: bool) -> tuple[Option, ...]:
        """Nothing to choose."""
        return (None,)


@dataclass(frozen=True)
class BySimilarity(_Fixed):
    """A similarity of the engine: dot, cosine, l2, l2-squared, l1. `sign` -1 is the published sign error."""

    name: str
    sign: float = 1.0

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """sign * s(x, xi)."""
        scores = task.similarity(self.name, states)
        return scores if self.sign == 1 else np.asarray(self.sign * scores)


@dataclass(frozen=True)
class Kernel(_Fixed):
    """The kernel of a learned W.

    Attributes:
        learner: of W.
        scale: 'raw': <W x, W xi>; 'rows': the same with the rows of W normalised (Algorithm 1); 'unit': the cosine of features;
            'matched': raw, scaled so that the mean ||Phi(xi)||^2 is the mean ||xi||^2.
    """

    learner: Learner
    scale: Literal["raw", "rows", "unit", "matched"] = "rows"

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """K(xi, x)."""
        queries, memories = task.features(self.learner, states), task.memories.features(self.learner)
        if self.scale == "unit":
            return np.asarray(similarity("cosine")(queries, memories))
        if self.scale == "rows":
            queries = np.asarray(queries / np.square(task.memories.row_lengths(self.learner)), np.float32)
        products: Float32 = similarity("dot")(queries, memories)
        if self.scale == "matched":
            products *= mean_square(task.memories.patterns) / mean_square(memories)
        return products


@dataclass(frozen=True)
class ClosedForm:
    """The cosine of features of regularised whitening; the options are the rho."""

    def options(self, tuned: bool) -> tuple[Option, ...]:
        """The grid of rho."""
        return RHO_GRID if tuned else (PAPER_RHO,)

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """cos(Phi_rho(x), Phi_rho(xi))."""
        memories = task.memories
        gains = memories.kernel.gains[memories.kernel.rhos.index(option)]
        return np.asarray(similarity("cosine")(task.whitened(states) * gains, memories.whitened * gains))


def named(rule: Rule, option: Option) -> dict[str, float]:
    """What a rule's option sets, by name."""
    return {"rho": option} if isinstance(rule, ClosedForm) else {}


@dataclass(frozen=True)
class Linear(_Fixed):
    """The linear model (`retrieval.fixed_size`), which keeps only sums over the memories."""

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """Its weights."""
        return _shares(
            LinearMemory(task.memories.spec.dim), task.memories.patterns, task.queries if states is None else states, task
        )


@dataclass(frozen=True)
class RandomFeatures(_Fixed):
    """The model of d positive random features of exp(beta <x, xi>), for patterns of unit length and beta 1."""

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """Its weights."""
        queries = task.queries if states is None else states
        return _shares(
            _random_features(task.memories.spec.dim), normalise_rows(task.memories.patterns), normalise_rows(queries), task
        )


@lru_cache(maxsize=2)
def _random_features(dim: int) -> RandomFeatureMemory:
    """The same features for all memory sets; independent ones, as orthogonal ones of 3,072 values take seconds."""
    return RandomFeatureMemory(dim, features=dim, orthogonal=False)


def _shares(model: FixedSizeMemory, patterns: Float32, queries: Float32, task: Task) -> Float32:
    """What share each memory has in the picture that a model of fixed size reads out, (Q, M)."""
    key = ("lifted", type(model))
    if key not in task.memories.cache:
        task.memories.cache[key] = model.lift(patterns)
    return np.asarray(model.weights_of(queries, task.memories.cache[key]))


def mean_square(rows: Float32) -> np.float32:
    """Mean of ||row||^2."""
    return np.float32(np.einsum("md,md->", rows, rows, dtype=np.float64) / len(rows))
