"""Contact sheets: what the methods make of a few damaged pictures, beside the truth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from uhop_cli.experiments.config import Condition, Experiment
from uhop_cli.experiments.methods import Method
from uhop_cli.experiments.runs import Bench, pictures
from uhop_cli.images.encode import contact_sheet, to_png
from uhop_cli.images.patterns import to_pixels
from uhop_cli.memory.atomic import AtomicFile

PICTURES = 10
LEAST_SIDE = 64  # of a picture on the sheet, in pixels of the screen


def draw(folder: Path, bench: Bench, experiment: Experiment, methods: Sequence[Method]) -> list[str]:
    """For each method a sheet of rows query | retrieved | truth, at the condition in the middle of the experiment."""
    conditions = experiment.conditions(bench.config, bench.dataset)
    condition = middle(conditions)
    if condition is None or condition.held_out or condition.drawn:
        return []
    spec = bench.dataset.spec
    names = []
    for method, task, retrieved in pictures(bench, condition, methods, PICTURES):
        columns = (task.queries[:PICTURES], retrieved, task.memories.patterns[:PICTURES])
        pixels = [to_pixels(np.asarray(column, np.float32), spec) for column in columns]
        zoom = max(1, LEAST_SIDE // max(spec.width, spec.height))
        name = f"{experiment.name}-{method.name.replace(':', '-')}.png"
        with AtomicFile(folder / name) as file:
            file.write(to_png(contact_sheet(list(zip(*pixels, strict=True)), zoom=zoom)), 0)
            file.commit(durable=False)
        names.append(name)
    return names


def middle(conditions: Sequence[Condition]) -> Condition | None:
    """The condition in the middle of the list."""
    return conditions[len(conditions) // 2] if conditions else None
