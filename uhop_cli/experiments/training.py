"""Stage I for the methods of a run: many repeats side by side, for growing numbers of iterations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from uhop_cli.experiments.grids.experiment import Condition
from uhop_cli.experiments.memory_sets import TUNING, MemorySets
from uhop_cli.experiments.methods.learners import Learner, at_rate, learn, start
from uhop_cli.experiments.methods.task import Task

LARGEST_DRAWN_STEPS = 200


class Training:
    """Stage I of some repeats of one memory size, for growing numbers of iterations.

    Args:
        sets: of the run.
        condition: its memory size, feature dimension and whether rates are drawn.
        repeats: of the run.
        learners: ways to learn.
    """

    def __init__(self, sets: MemorySets, condition: Condition, repeats: Sequence[int], learners: Sequence[Learner]) -> None:
        self.repeats, self.condition = repeats, condition
        self.memories = [sets.memories(condition.memory_size, repeat) for repeat in repeats]
        self._device = sets.device
        self.seconds: dict[Learner, float] = {}
        self.drawn = _drawn(sets.seed, repeats[0])
        self._reached: dict[Learner, int] = {}
        dim = sets.dataset.spec.dim
        rows = {learner: self._actual(learner).feature_dim or dim for learner in learners}
        first = {size: np.stack([start(sets.seed, r, size, dim) for r in repeats]) for size in set(rows.values())}
        self._start = {learner: first[size] for learner, size in rows.items()}
        self._weights = dict(self._start)

    def advance(self, iterations: int) -> None:
        """Takes every learner to N iterations; the memories get the new W."""
        for memories in self.memories:
            for key in [key for key in memories.cache if isinstance(key[1], Learner)]:
                del memories.cache[key]
        patterns = np.stack([memories.patterns for memories in self.memories])
        for learner, begin in self._start.items():
            began = time.perf_counter()
            actual = self._actual(learner)
            target = self.drawn[1] if self.condition.drawn else iterations
            before = self._reached.get(learner, 0) if actual.resumable else 0
            start = self._weights[learner] if before else begin
            self._weights[learner] = learn(patterns, start, actual, target - before, self._device)
            self._reached[learner] = target
            self.seconds[learner] = self.seconds.get(learner, 0.0) + time.perf_counter() - began
            for memories, weight in zip(self.memories, self._weights[learner], strict=True):
                memories.weights[learner] = weight

    def _actual(self, learner: Learner) -> Learner:
        """The learner with what the condition prescribes; the methods know it under its own name."""
        if self.condition.feature_dim is not None:
            learner = replace(learner, feature_dim=self.condition.feature_dim)
        return at_rate(learner, self.drawn[0]) if self.condition.drawn and learner.rate is not None else learner


class TuningTasks:
    """Makes the task that settings are tuned on; it keeps the memory set of the last one, with its W."""

    def __init__(self, sets: MemorySets, learners: Sequence[Learner]) -> None:
        self._sets, self._learners = sets, learners
        self._training: Training | None = None
        self._reached = -1
        self.condition: Condition | None = None

    def task(self, task: Task) -> Task:
        """A task like this one, on the memory set and the draws of the repeat `TUNING`."""
        assert self.condition is not None
        condition = replace(self.condition, drawn=False, held_out=False)
        if self._training is None or self._reached > condition.iterations:
            self._training, self._reached = Training(self._sets, condition, [TUNING], self._learners), -1
        if self._reached != condition.iterations:
            self._training.advance(condition.iterations)
            self._reached = condition.iterations
        return replace(self._sets.task(condition, self._training.memories[0], TUNING), steps=None, beta=None)


def _drawn(seed: int, repeat: int) -> tuple[float, int]:
    """A learning rate from N(0, 1), which may be negative, and a number of iterations from 1 to 200 (Figures 2 and 7)."""
    rng = np.random.default_rng([seed, repeat, 3])
    return float(rng.standard_normal()), int(rng.integers(1, LARGEST_DRAWN_STEPS + 1))
