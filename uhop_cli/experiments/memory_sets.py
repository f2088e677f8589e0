"""Nested memory sets and the tasks on them, from the seed and the repeat alone.

The 10 memories of repeat 3 are the first of its 20, all methods share them, and a row does not depend on which other rows are
computed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.types import Int64
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.experiment import Condition
from uhop_cli.experiments.methods.task import MemorySet, Task

TUNING = 1_000_000  # the repeat that settings are tuned on; no result has it
HELD_OUT = 500  # queries that are not stored


@dataclass(frozen=True)
class MemorySets:
    """The memory sets of a run.

    Attributes:
        seed: of the run.
        dataset: the images that memories and held-out queries are drawn from.
        device: where methods run.
    """

    seed: int
    dataset: Dataset
    device: Device = CPU

    def task(self, condition: Condition, memories: MemorySet, repeat: int) -> Task:
        """The task of a condition on a memory set."""
        seed = self.seed * (TUNING + 1) + repeat
        settings: dict[str, Any] = {"steps": condition.steps, "beta": condition.beta}
        if not condition.held_out:
            return Task.damage(memories, condition.corruption, seed, **settings)
        order = self._order(repeat)[condition.memory_size :][:HELD_OUT]
        queries = self.dataset.vectors(order)
        return Task(memories, queries, None, condition.corruption, seed, held_out=True, **settings)

    def memories(self, size: int, repeat: int) -> MemorySet:
        """The memory set of a repeat."""
        return MemorySet(self.dataset.vectors(self._order(repeat)[:size]), self.dataset.spec, self.device)

    def _order(self, repeat: int) -> Int64:
        return np.random.default_rng([self.seed, repeat]).permutation(len(self.dataset))
