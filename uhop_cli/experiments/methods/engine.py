"""What `uhop query` runs, as a method of the comparison: the memory that `learn` makes, asked as `retrieve` asks it.

Nothing is set or tuned, under no protocol: the answer is chosen by evidence, or by the visible values where the mask is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uhop_cli.api import retrieve
from uhop_cli.arrays.types import Bool, Float32
from uhop_cli.experiments.methods.protocol import Prediction, Tuner
from uhop_cli.experiments.methods.task import MemorySet, Task
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.settings import RetrievalSettings


@dataclass(frozen=True)
class Engine:
    """The default answer, to a fixed point unless the condition prescribes T.

    Attributes:
        told: whether it is told which values are missing, where a corruption leaves some untouched.
    """

    told: bool = False

    def __call__(self, task: Task, tuner: Tuner) -> Prediction:
        """The weights of the answer; of pictures that are stored once, and here in several memories, each has its share."""
        visible = task.visible if self.told else None
        if visible is not None:
            visible = visible | ~visible.any(axis=1, keepdims=True)  # of which nothing is visible, that is taken at its word
        key = ("engine", visible is not None)  # told of nothing it is the answer of who is not told
        if key not in task.cache:
            task.cache[key] = _weights(_asked(task, visible), task.memories)
        return Prediction(task.cache[key], steps=task.steps)


def _asked(task: Task, visible: Bool | None) -> Answer:
    """What `uhop query` answers."""
    settings = RetrievalSettings(steps="auto" if task.steps is None else task.steps)
    memories = task.memories
    return retrieve(memories.stored, task.queries, visible=visible, settings=settings, device=memories.device.kind)


def _weights(answer: Answer, memories: MemorySet) -> Float32:
    """(Q, M) from the weights of the stored patterns, of which a large memory's answer names the shortlisted ones."""
    stored = memories.stored
    weights = answer.weights
    if answer.rows is not None:
        weights = np.zeros((len(answer.rows), len(stored)), np.float32)
        np.put_along_axis(weights, answer.rows, answer.weights, axis=1)
    rows = stored.entries.name_entry
    return np.asarray(weights[:, rows] / np.bincount(rows).astype(np.float32)[rows])
