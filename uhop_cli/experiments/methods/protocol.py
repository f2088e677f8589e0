"""Stage II for the comparison: weights from a rule and a separation, T steps, and the settings that the protocols give them.

`paper`: beta = 1 and the rule's first option, for every method. `tuned`: beta and option are those with the smallest error on a
task that is not part of the results (another memory set, other random draws) with the same size and corruption, for every method
that has a beta; so no method, learned or not, is compared at a beta that does not suit it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from uhop_cli.arrays.types import Float32
from uhop_cli.experiments.methods.rules import Option, Rule, named
from uhop_cli.experiments.methods.task import Task
from uhop_cli.retrieval.dynamics import run
from uhop_cli.retrieval.models import Evaluation
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.retrieval.separation import Separation, random_mask, top_k

ProtocolName = Literal["paper", "tuned"]

PAPER_BETA = 1.0
BETAS = (1.0, 3.0, 10.0, 30.0, 100.0, 1e3, 1e5)  # logits between the best memory and the median one
EQUAL = 3  # decimals in which errors have to differ
Separate = Callable[[Float32, Task], Float32]


class Setting(NamedTuple):
    """What a protocol gives a rule: its option and the inverse temperature."""

    option: Option
    beta: float


class Prediction(NamedTuple):
    """What a method answers: weights (Q, M) on the simplex, or pictures (Q, d); and settings that it used: beta, those of
    `rules.named`, and T, None where it goes on to a fixed point or takes no steps."""

    weights: Float32 | None
    pictures: Float32 | None = None
    beta: float | None = None
    options: Mapping[str, float] = {}
    steps: int | None = None


class Tuner(Protocol):
    """Gives a rule its setting; the one object that knows the protocol and the tuning task."""

    protocol: ProtocolName

    def setting(self, rule: Rule, separation: str, task: Task) -> Setting:
        """The setting of `rule` with a separation for tasks like this one."""


@dataclass(frozen=True)
class Retrieval:
    """Sep(beta * scores), T times; from the second step on the state is the picture read out.

    Attributes:
        rule: the scores.
        separation: as `separate` reads it.
    """

    rule: Rule
    separation: str = "softmax"

    def __call__(self, task: Task, tuner: Tuner) -> Prediction:
        """The weights of the last step."""
        option, beta = tuner.setting(self.rule, self.separation, task)
        model, steps = RuleModel(self.rule, self.separation, task, option, beta), task.steps or 1
        if steps == 1:  # no picture has to be read out
            weights = model.evaluate(model.start(task.queries)).weights
        else:
            weights = run(model, pattern_matrix(task.memories.patterns), task.queries, steps=steps).weights
        return Prediction(weights, beta=beta, options=named(self.rule, option), steps=steps)


@dataclass
class RuleModel:
    """A rule as a retrieval model (`retrieval.models`): its state is the query, for which None stands, then the picture."""

    rule: Rule
    separation: str
    task: Task
    option: Option
    beta: float
    name: str = "rule"
    monotone: bool = False

    def start(self, queries: Float32) -> Float32 | None:
        """The query."""
        return None

    def evaluate(self, state: Float32 | None) -> Evaluation:
        """p = Sep(beta * scores); a rule in general has no energy."""
        scores = self.rule.scores(self.task, state, self.option)
        return Evaluation(separate(self.separation)(np.float32(self.beta) * scores, self.task), scores, None)

    def advance(self, state: Float32 | None, weights: Float32, picture: Float32) -> Float32:
        """The picture."""
        return picture


def separate(name: str) -> Separate:
    """The separation of that name; beside those of the engine 'top-k:20%', 'random:50%' and 'none', for scores that are weights."""
    if name == "none":
        return lambda logits, task: logits
    kind, _, parameter = name.partition(":")
    if parameter.endswith("%"):
        share = float(parameter[:-1]) / 100
        if kind == "top-k":
            return lambda logits, task: np.asarray(top_k(logits, math.ceil(share * logits.shape[1])))
        return lambda logits, task: np.asarray(random_mask(logits, share, task.seed))
    separation = Separation.parse(name)
    return lambda logits, task: np.asarray(separation(logits))


def has_beta(separation: str) -> bool:
    """Whether the weights depend on beta at all."""
    return separation not in ("none", "argmax") and not separation.startswith("polynomial")


def tune(rule: Rule, separation: str, task: Task) -> Setting:
    """The option and the beta with the smallest error on `task`; of equal ones that with the largest margin, then the first."""
    best, least = Setting(None, 1.0), (math.inf, 0.0)
    apply = separate(separation)
    right = np.arange(len(task.memories))
    for option in rule.options(True):
        scores = rule.scores(task, None, option)
        spread = float(np.mean(scores.max(axis=1) - np.median(scores, axis=1))) or 1.0
        others = scores.copy()
        others[right, right] = -math.inf
        margin = float(np.min(scores[right, right] - others.max(axis=1))) / spread
        for factor in BETAS if has_beta(separation) else (spread,):
            beta = factor / spread
            error = float(task.error_of_weights(apply(np.float32(beta) * scores, task)).mean())
            if (round(error, EQUAL), -margin) < least:
                best, least = Setting(option, beta), (round(error, EQUAL), -margin)
    return best


@dataclass
class Tuning:
    """The settings of one protocol.

    Attributes:
        protocol: paper or tuned.
        tuning_task: the task to tune on that is like the one given: same memory size, corruption and Stage I.
        context: what else the tasks at hand have in common; settings are found once for each.
    """

    protocol: ProtocolName
    tuning_task: Callable[[Task], Task]
    context: Any = None

    def __post_init__(self) -> None:
        self._found: dict[Any, Setting] = {}

    def setting(self, rule: Rule, separation: str, task: Task) -> Setting:
        """See `Tuner.setting`. A beta that the condition prescribes goes before the protocol's."""
        options = rule.options(self.protocol == "tuned")
        if self.protocol == "paper" or (task.beta is not None and len(options) == 1):
            found = Setting(options[0], PAPER_BETA)
        else:
            key = (self.context, rule, separation, len(task.memories), task.corruption)
            if key not in self._found:
                self._found[key] = tune(rule, separation, self.tuning_task(task))
            found = self._found[key]
        return found if task.beta is None else Setting(found.option, task.beta)
