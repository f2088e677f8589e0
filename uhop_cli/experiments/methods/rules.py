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
from uhop_cli.evidence.agreement import agreement, value_density
from uhop_cli.evidence.choice import PROPOSALS
from uhop_cli.evidence.likelihoods import RHOS
from uhop_cli.experiments.methods.learners import Learner
from uhop_cli.experiments.methods.task import Task
from uhop_cli.kernel.closed_form import RHO_GRID

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
class Plain(_Fixed):
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
            return np.asarray(unit(queries) @ unit(memories).T)
        if self.scale == "rows":
            return np.asarray((queries / np.square(task.memories.row_lengths(self.learner))) @ memories.T)
        products = queries @ memories.T
        if self.scale == "matched":
            products *= mean_square(task.memories.patterns) / mean_square(memories)
        return np.asarray(products)


@dataclass(frozen=True)
class ClosedForm:
    """The cosine of features of regularised whitening; the options are the rho."""

    def options(self, tuned: bool) -> tuple[Option, ...]:
        """The grid of rho."""
        return RHO_GRID if tuned else (PAPER_RHO,)

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """cos(Phi_rho(x), Phi_rho(xi))."""
        spectrum = task.memories.spectrum
        gains = spectrum.singular / (np.square(spectrum.singular) + option * 10 * spectrum.mean_eigenvalue)
        gains = gains.astype(np.float32)
        return np.asarray(unit(task.coordinates(states) * gains) @ unit(task.memories.coordinates * gains).T)


@dataclass(frozen=True)
class Visible:
    """Another rule proposes `proposals` memories, and the visible values decide among them: -||v (x - xi)||^2.

    Where nothing is known of missing values it is the other rule.
    """

    rule: Rule
    proposals: int = 64

    def options(self, tuned: bool) -> tuple[Option, ...]:
        """Those of the other rule."""
        return self.rule.options(tuned)

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """The squared distance over visible values, below that of all proposals for the others."""
        scores = self.rule.scores(task, states, option)
        if task.visible is None or states is not None:
            return scores
        count = min(self.proposals, scores.shape[1])
        chosen = np.argpartition(-scores, count - 1, axis=1)[:, :count]
        result = np.empty_like(scores)
        for query, rows in enumerate(chosen):
            difference = (task.memories.patterns[rows] - task.queries[query]) * task.visible[query]
            near = -np.einsum("md,md->m", difference, difference)
            result[query] = near.min() + scores[query] - scores[query, rows].max()
            result[query, rows] = near
        return result


@dataclass(frozen=True)
class Kept:
    """The kernels of the closed form propose, agreement decides: each value is kept or replaced, and nobody says which.

    Options are how exactly kept values are kept (`sharpness`), which corruptions differ in.
    """

    proposals: int = PROPOSALS

    def options(self, tuned: bool) -> tuple[Option, ...]:
        """Up to 14, 5 and 1.5 grey levels off, thirds of that and ninths."""
        return (1.0, 3.0, 9.0) if tuned else (1.0,)

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """Lambda of the memories that were proposed, below that in the order of the last kernel for the others."""
        pictures = task.queries if states is None else states
        found = [ClosedForm().scores(task, states, rho) for rho in RHOS]
        count = min(self.proposals, len(task.memories))
        chosen = np.concatenate([np.argpartition(-scores, count - 1, axis=1)[:, :count] for scores in found], axis=1)
        result = np.empty_like(found[-1])
        for query, (picture, density) in enumerate(zip(pictures, value_density(pictures), strict=True)):
            rows = np.unique(chosen[query])
            agreed, _ = agreement(density, np.square(task.memories.patterns[rows] - picture), option)
            result[query] = agreed.min() + found[-1][query] - found[-1][query].max()
            result[query, rows] = agreed
        return result


@dataclass(frozen=True)
class Either:
    """Whichever of some rules suits the damage: the options are those of all of them, each with its rule."""

    rules: tuple[Rule, ...]

    def options(self, tuned: bool) -> tuple[Option, ...]:
        """Pairs of a rule and its option; those of the first rule alone where nothing is tuned."""
        return tuple((rule, option) for rule in (self.rules if tuned else self.rules[:1]) for option in rule.options(tuned))

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """Those of the rule."""
        rule, its_option = option
        return np.asarray(rule.scores(task, states, its_option))


def named(rule: Rule, option: Option) -> dict[str, float]:
    """What a rule's option sets, by name."""
    if isinstance(rule, Either):
        return named(*option)
    if isinstance(rule, Visible):
        return named(rule.rule, option)
    names = {ClosedForm: "rho", Kept: "sharpness"}
    return {names[type(rule)]: option} if type(rule) in names else {}


@dataclass(frozen=True)
class Linear(_Fixed):
    """<psi(x), psi(xi)>, psi = elu + 1: the weights of the linear model, which keeps only sums over the memories."""

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """All positive."""
        queries = task.queries if states is None else states
        return np.asarray(lift(queries) @ (task.memories.patterns + 1).T)


@dataclass(frozen=True)
class RandomFeatures(_Fixed):
    """<psi(x), psi(xi)> of d positive random features of exp(beta <x, xi>), for patterns of unit length and beta 1."""

    beta: float = 1.0

    def scores(self, task: Task, states: Float32 | None, option: Option) -> Float32:
        """All positive, each query's scaled by its own factor."""
        omegas = random_directions(task.memories.patterns.shape[1])
        key = ("random features", self.beta)
        if key not in task.memories.cache:
            stored = self._exponents(task.memories.patterns, omegas)
            shift = stored.max(axis=0)
            task.memories.cache[key] = shift, np.exp(stored - shift)
        shift, lifted = task.memories.cache[key]
        asked = self._exponents(task.queries if states is None else states, omegas) + shift
        return np.asarray(np.exp(asked - asked.max(axis=1, keepdims=True)) @ lifted.T)

    def _exponents(self, rows: Float32, omegas: Float32) -> Float32:
        """ln psi(u) + ln(D)/2 = <omega_j, u> - ||u||^2 / 2, u = sqrt(beta) x / ||x||."""
        return np.asarray(np.float32(self.beta**0.5) * (unit(rows) @ omegas.T) - np.float32(self.beta / 2))


@lru_cache(maxsize=2)
def random_directions(dim: int) -> Float32:
    """d directions from N(0, I_d), the same for all memory sets."""
    return np.random.default_rng(0).standard_normal((dim, dim), dtype=np.float32)


def lift(rows: Float32) -> Float32:
    """elu(x) + 1, value by value: x + 1 for x > 0, exp(x) below."""
    return np.asarray(np.where(rows > 0, rows + 1, np.exp(np.minimum(rows, 0))))


def unit(rows: Float32) -> Float32:
    """Rows of length 1; rows of zeros stay as they are."""
    lengths = np.sqrt(np.einsum("md,md->m", rows, rows))
    return np.asarray(rows / np.where(lengths > 0, lengths, 1)[:, None])


def mean_square(rows: Float32) -> np.float32:
    """Mean of ||row||^2."""
    return np.float32(np.einsum("md,md->", rows, rows, dtype=np.float64) / len(rows))
