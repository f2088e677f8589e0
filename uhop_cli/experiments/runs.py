"""Runs experiments: every method on the same memory sets and the same damaged queries, row by row into a journal.

Memory sets and random draws depend on the seed and the repeat alone: sets are nested (the 10 memories of repeat 3 are the first of
its 20), all methods share them, and a row does not depend on which other rows are computed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays import chunks
from uhop_cli.experiments.config import Condition, Config, Experiment
from uhop_cli.experiments.datasets import Dataset
from uhop_cli.experiments.journal import KEY, Journal, Row
from uhop_cli.experiments.learners import Learner, at_rate, learn, start
from uhop_cli.experiments.measures import measure
from uhop_cli.experiments.methods import Method
from uhop_cli.experiments.retrieve import Answer, Settings
from uhop_cli.experiments.task import Memories, Task
from uhop_cli.memory.settings import OnProgress, Progress

Float32 = NDArray[np.float32]

WEIGHT_BYTES = 1 << 30  # of learned W that are held at a time; it decides how many repeats go side by side
TUNING = 1_000_000  # the repeat that settings are tuned on; no result has it
LARGEST_DRAWN_STEPS = 200
HELD_OUT = 500  # queries that are not stored


@dataclass
class Bench:
    """One run.

    Attributes:
        config: what was asked for.
        dataset: the images.
        journal: takes the rows.
        progress: told after every cell (a condition and a repeat).
    """

    config: Config
    dataset: Dataset
    journal: Journal
    progress: OnProgress | None = None

    def run(self, experiment: Experiment, methods: Sequence[Method]) -> None:
        """All rows of an experiment that are not in the journal yet."""
        conditions = experiment.conditions(self.config, self.dataset)
        learners = list(dict.fromkeys(learner for method in methods for learner in method.needs(self.config.protocol)))
        size = self._group_size(learners, conditions)
        self._done, self._total = 0, len(conditions) * self.config.count
        by_set = sorted(conditions, key=lambda c: c.training)  # stable: within a set, as the experiment lists them
        for _, some in groupby(by_set, key=lambda c: (*c.training[:3], c.held_out)):
            same_set = list(some)
            tuning = _Tuning(self, learners)
            settings = Settings(self.config.protocol, tuning.task)
            for part in chunks(self.config.count, 1 if same_set[0].drawn else size):
                self._repeats(same_set, range(part.start, part.stop), methods, learners, settings, tuning)

    def _group_size(self, learners: list[Learner], conditions: list[Condition]) -> int:
        """Repeats that go side by side."""
        dim = self.dataset.spec.dim
        rows = max((condition.feature_dim or dim for condition in conditions), default=dim)
        return max(1, WEIGHT_BYTES // (4 * dim * rows * max(1, len(learners))))

    def _repeats(
        self,
        conditions: list[Condition],
        repeats: Sequence[int],
        methods: Sequence[Method],
        learners: list[Learner],
        settings: Settings,
        tuning: _Tuning,
    ) -> None:
        """The rows of some repeats, for conditions that share memory sets and differ in iterations, corruption, steps or beta."""
        missing = [[c for c in conditions if not self._complete(c, repeat, methods)] for repeat in repeats]
        self._report(len(conditions) * len(repeats) - sum(map(len, missing)))
        if not any(missing):
            return
        training = Training(self, conditions[0], repeats, learners)
        for iterations, some in groupby(conditions, key=lambda c: c.iterations):
            training.advance(iterations)
            for condition in some:
                tuning.condition = condition
                settings.context = (condition.training, condition.held_out)
                for place, repeat in enumerate(repeats):
                    if condition in missing[place]:
                        self._cell(condition, repeat, training.memories[place], methods, settings, training)

    def _cell(
        self,
        condition: Condition,
        repeat: int,
        memories: Memories,
        methods: Sequence[Method],
        settings: Settings,
        training: Training,
    ) -> None:
        """One condition and one repeat: a row for each method, all written together."""
        rows, seconds = [], []
        task = self.task(condition, memories, repeat)
        for method in methods:
            began = time.perf_counter()
            answer = method.answer(task, settings)
            needs = method.needs(settings.protocol)
            learned = sum(training.seconds.get(learner, 0.0) for learner in needs)
            seconds.append(time.perf_counter() - began + learned / len(training.repeats))
            rows.append(self._row(condition, repeat, method, task, answer, training))
        self.journal.append(rows, seconds)
        self._report(1)

    def _row(self, condition: Condition, repeat: int, method: Method, task: Task, answer: Answer, training: Training) -> Row:
        needs = method.needs(self.config.protocol)
        drawn = condition.drawn and bool(needs)
        return {
            "experiment": condition.experiment,
            "dataset": self.dataset.name,
            "method": method.name,
            "memory_size": condition.memory_size,
            "corruption": condition.corruption.label,
            "level": condition.corruption.level,
            "x": condition.x,
            "iterations": condition.iterations,
            "steps": condition.steps,
            "repeat": repeat,
            "seed": task.seed,
            "protocol": self.config.protocol,
            "feature_dim": condition.feature_dim,
            "rate": training.drawn[0] if drawn else None,
            "drawn_iterations": training.drawn[1] if drawn else None,
            **measure(task, answer, needs),
        }

    def task(self, condition: Condition, memories: Memories, repeat: int) -> Task:
        """The task of a condition on a memory set."""
        seed = self.config.seed * (TUNING + 1) + repeat
        settings: dict[str, Any] = {"steps": condition.steps, "beta": condition.beta}
        if not condition.held_out:
            return Task.damage(memories, condition.corruption, seed, **settings)
        order = self._order(repeat)[condition.memory_size :][:HELD_OUT]
        queries = self.dataset.vectors(order)
        return Task(memories, queries, None, condition.corruption, seed, held_out=True, **settings)

    def memories(self, size: int, repeat: int) -> Memories:
        """The memory set of a repeat."""
        return Memories(self.dataset.vectors(self._order(repeat)[:size]), self.dataset.spec)

    def _order(self, repeat: int) -> NDArray[np.int64]:
        return np.random.default_rng([self.config.seed, repeat]).permutation(len(self.dataset))

    def _complete(self, condition: Condition, repeat: int, methods: Sequence[Method]) -> bool:
        known = {"repeat": repeat, "corruption": condition.corruption.label}
        parts = [known[name] if name in known else getattr(condition, name) for name in KEY[:-1]]
        return all((*parts, method.name) in self.journal for method in methods)

    def _report(self, cells: int) -> None:
        self._done += cells
        if self.progress and cells:
            self.progress(Progress("bench", self._done, self._total))


class Training:
    """Stage I of some repeats of one memory size, for growing numbers of iterations.

    Args:
        bench: the run.
        condition: its memory size, feature dimension and whether rates are drawn.
        repeats: of the run.
        learners: ways to learn.
    """

    def __init__(self, bench: Bench, condition: Condition, repeats: Sequence[int], learners: Sequence[Learner]) -> None:
        self.repeats, self.condition = repeats, condition
        self.memories = [bench.memories(condition.memory_size, repeat) for repeat in repeats]
        self.seconds: dict[Learner, float] = {}
        self.drawn = _drawn(bench.config.seed, repeats[0])
        self._reached: dict[Learner, int] = {}
        dim = bench.dataset.spec.dim
        rows = {learner: self._actual(learner).feature_dim or dim for learner in learners}
        first = {size: np.stack([start(bench.config.seed, r, size, dim) for r in repeats]) for size in set(rows.values())}
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
            self._weights[learner] = learn(patterns, self._weights[learner] if before else begin, actual, target - before)
            self._reached[learner] = target
            self.seconds[learner] = self.seconds.get(learner, 0.0) + time.perf_counter() - began
            for memories, weight in zip(self.memories, self._weights[learner], strict=True):
                memories.weights[learner] = weight

    def _actual(self, learner: Learner) -> Learner:
        """The learner with what the condition prescribes; the methods know it under its own name."""
        if self.condition.feature_dim is not None:
            learner = replace(learner, feature_dim=self.condition.feature_dim)
        return at_rate(learner, self.drawn[0]) if self.condition.drawn and learner.rate is not None else learner


class _Tuning:
    """Makes the task that settings are tuned on; it keeps the memory set of the last one, with its W."""

    def __init__(self, bench: Bench, learners: Sequence[Learner]) -> None:
        self._bench, self._learners = bench, learners
        self._training: Training | None = None
        self._reached = -1
        self.condition: Condition | None = None

    def task(self, task: Task) -> Task:
        """A task like this one, on the memory set and the draws of the repeat `TUNING`."""
        assert self.condition is not None
        condition = replace(self.condition, drawn=False, held_out=False)
        if self._training is None or self._reached > condition.iterations:
            self._training, self._reached = Training(self._bench, condition, [TUNING], self._learners), -1
        if self._reached != condition.iterations:
            self._training.advance(condition.iterations)
            self._reached = condition.iterations
        return replace(self._bench.task(condition, self._training.memories[0], TUNING), steps=1, beta=None)


def _drawn(seed: int, repeat: int) -> tuple[float, int]:
    """A learning rate from N(0, 1), which may be negative, and a number of iterations from 1 to 200 (Figures 2 and 7)."""
    rng = np.random.default_rng([seed, repeat, 3])
    return float(rng.standard_normal()), int(rng.integers(1, LARGEST_DRAWN_STEPS + 1))


def pictures(bench: Bench, condition: Condition, methods: Sequence[Method], count: int) -> Iterator[tuple[Method, Task, Float32]]:
    """What each method answers to the first queries of repeat 0: (method, task, pictures (count, d))."""
    learners = list(dict.fromkeys(learner for method in methods for learner in method.needs(bench.config.protocol)))
    training = Training(bench, condition, [0], learners)
    training.advance(condition.iterations)
    tuning = _Tuning(bench, learners)
    tuning.condition = condition
    settings = Settings(bench.config.protocol, tuning.task)
    task = bench.task(condition, training.memories[0], 0)
    for method in methods:
        answer = method.answer(task, settings)
        if answer.pictures is not None:
            yield method, task, answer.pictures[:count]
        elif answer.weights is not None:
            yield method, task, np.asarray(answer.weights[:count] @ task.memories.patterns)
