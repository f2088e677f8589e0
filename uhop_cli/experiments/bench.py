"""Runs experiments: every method on the same memory sets and the same damaged queries, row by row into a journal."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np

from uhop_cli.arrays.device import CPU, Device, resolve_device
from uhop_cli.arrays.threads import chunks, one_blas_thread
from uhop_cli.arrays.types import Float32
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.experiment import Condition, Experiment
from uhop_cli.experiments.memory_sets import MemorySets
from uhop_cli.experiments.methods.learners import Learner
from uhop_cli.experiments.methods.protocol import Prediction, Tuning
from uhop_cli.experiments.methods.registry import Method
from uhop_cli.experiments.methods.task import MemorySet, Task
from uhop_cli.experiments.results.journal import KEY, Journal, Key, Row
from uhop_cli.experiments.results.measures import measure
from uhop_cli.experiments.training import Training, TuningTasks
from uhop_cli.progress import OnProgress, Progress

WEIGHT_BYTES = 1 << 30  # of learned W that are held at a time; it decides how many repeats go side by side


@dataclass(frozen=True)
class Part:
    """Rows that are made together: some repeats of conditions that share memory sets."""

    conditions: tuple[Condition, ...]
    repeats: range


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
    device: Device = field(default=CPU, init=False)
    _done: int = field(default=0, init=False)
    _total: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self.device = resolve_device(self.config.device)

    @property
    def sets(self) -> MemorySets:
        """The memory sets of the run."""
        return MemorySets(self.config.seed, self.dataset, self.device)

    def run(self, experiment: Experiment, methods: Sequence[Method]) -> None:
        """All rows of an experiment that are not in the journal yet."""
        parts = self.parts(experiment, methods)
        self.begin(sum(len(part.conditions) * len(part.repeats) for part in parts))
        self.run_parts(parts, methods)

    def parts(self, experiment: Experiment, methods: Sequence[Method]) -> list[Part]:
        """The experiment in parts, in their order, none of which needs anything of another."""
        conditions = experiment.conditions(self.config, self.dataset)
        learners = self._learners(methods)
        self.device = resolve_device(self.config.device, self._flop(conditions, len(methods), len(learners)))
        size = self._group_size(learners, conditions)
        by_set = sorted(conditions, key=lambda c: c.training)  # stable: within a set, as the experiment lists them
        return [
            Part(tuple(same_set), range(part.start, part.stop))
            for same_set in (list(some) for _, some in groupby(by_set, key=lambda c: (*c.training[:3], c.held_out)))
            for part in chunks(self.config.count, 1 if same_set[0].drawn else size)
        ]

    def run_parts(self, parts: Sequence[Part], methods: Sequence[Method]) -> None:
        """The rows of some parts; those of the same conditions share what settings are tuned on.

        With one BLAS thread, so that rows are the same whatever the number of cores, and on workers: how many share a product
        decides how its sums are rounded, and hundreds of steps of Stage I make that visible.
        """
        learners = self._learners(methods)
        with one_blas_thread():
            for conditions, some in groupby(parts, key=lambda part: part.conditions):
                tuning = TuningTasks(self.sets, learners)
                settings = Tuning(self.config.protocol, tuning.task)
                for part in some:
                    self._repeats(list(conditions), part.repeats, methods, learners, settings, tuning)

    def keys(self, part: Part, methods: Sequence[Method]) -> list[Key]:
        """What identifies the rows of a part."""
        return [self._key(c, repeat, method) for repeat in part.repeats for c in part.conditions for method in methods]

    def begin(self, cells: int) -> None:
        """Sets how many cells there are to do."""
        self._done, self._total = 0, cells

    def _learners(self, methods: Sequence[Method]) -> list[Learner]:
        return list(dict.fromkeys(learner for method in methods for learner in method.needs(self.config.protocol)))

    def _flop(self, conditions: Sequence[Condition], methods: int, learners: int) -> float:
        """About how much work an experiment is: Stage I once a memory set, and each method's products, the engine's ten of them."""
        dim = self.dataset.spec.dim
        steps = sum(iterations * min(size, dim) ** 3 for size, _, _, iterations in {c.training for c in conditions})
        pairs = sum(c.memory_size**2 * dim * (c.steps or 1) for c in conditions)
        return 2.0 * self.config.count * (3 * learners * steps + (methods + 10) * pairs)

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
        settings: Tuning,
        tuning: TuningTasks,
    ) -> None:
        """The rows of some repeats, for conditions that share memory sets and differ in iterations, corruption, steps or beta."""
        missing = [[c for c in conditions if not self._complete(c, repeat, methods)] for repeat in repeats]
        self.report(len(conditions) * len(repeats) - sum(map(len, missing)))
        if not any(missing):
            return
        training = Training(self.sets, conditions[0], repeats, learners)
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
        memories: MemorySet,
        methods: Sequence[Method],
        settings: Tuning,
        training: Training,
    ) -> None:
        """One condition and one repeat: a row for each method, all written together."""
        rows, seconds = [], []
        task = self.sets.task(condition, memories, repeat)
        for method in methods:
            began = time.perf_counter()
            answer = method.answer(task, settings)
            needs = method.needs(settings.protocol)
            learned = sum(training.seconds.get(learner, 0.0) for learner in needs)
            seconds.append(time.perf_counter() - began + learned / len(training.repeats))
            rows.append(self._row(condition, repeat, method, task, answer, training))
        self.journal.append(rows, seconds)
        self.report(1)

    def _row(self, condition: Condition, repeat: int, method: Method, task: Task, answer: Prediction, training: Training) -> Row:
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
            "repeat": repeat,
            "seed": task.seed,
            "protocol": self.config.protocol,
            "feature_dim": condition.feature_dim,
            "rate": training.drawn[0] if drawn else None,
            "drawn_iterations": training.drawn[1] if drawn else None,
            **measure(task, answer, needs),
        }

    def _complete(self, condition: Condition, repeat: int, methods: Sequence[Method]) -> bool:
        return all(self._key(condition, repeat, method) in self.journal for method in methods)

    def _key(self, condition: Condition, repeat: int, method: Method) -> Key:
        known = {"repeat": repeat, "corruption": condition.corruption.label, "method": method.name}
        return tuple(known[name] if name in known else getattr(condition, name) for name in KEY)

    def report(self, cells: int) -> None:
        """Tells that so many more cells are done."""
        self._done += cells
        if self.progress and cells:
            self.progress(Progress("bench", self._done, self._total))


def pictures(bench: Bench, condition: Condition, methods: Sequence[Method], count: int) -> Iterator[tuple[Method, Task, Float32]]:
    """What each method answers to the first queries of repeat 0: (method, task, pictures (count, d))."""
    learners = list(dict.fromkeys(learner for method in methods for learner in method.needs(bench.config.protocol)))
    training = Training(bench.sets, condition, [0], learners)
    training.advance(condition.iterations)
    tuning = TuningTasks(bench.sets, learners)
    tuning.condition = condition
    settings = Tuning(bench.config.protocol, tuning.task)
    task = bench.sets.task(condition, training.memories[0], 0)
    for method in methods:
        answer = method.answer(task, settings)
        if answer.pictures is not None:
            yield method, task, answer.pictures[:count]
        elif answer.weights is not None:
            yield method, task, np.asarray(answer.weights[:count] @ task.memories.patterns)
