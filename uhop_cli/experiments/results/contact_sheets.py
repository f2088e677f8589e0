"""Contact sheets: what the methods make of a few damaged pictures, beside the truth."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from uhop_cli.arrays.types import Float32, UInt8
from uhop_cli.experiments.grids.experiment import Condition, Experiment
from uhop_cli.experiments.methods.registry import Method
from uhop_cli.experiments.methods.task import Task
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.images.encode import contact_sheet, to_png
from uhop_cli.images.patterns import PatternSpec, to_pixels

PICTURES = 10
LEAST_SIDE = 64  # of a picture on the sheet, in pixels of the screen
HEADS = ("query", "retrieved", "truth")
COLUMN = 52  # pixels that the longest head needs
GAP, LINE = 2, 12  # pixels between the pictures, and of a line of text


def draw(
    folder: Path, spec: PatternSpec, experiment: Experiment, condition: Condition, answers: Iterable[tuple[Method, Task, Float32]]
) -> list[str]:
    """For each method's answers (pictures (n, d) in the task) at a condition, a sheet of rows query | retrieved | truth."""
    zoom = max(1, LEAST_SIDE // max(spec.width, spec.height))
    names = []
    for method, task, retrieved in answers:
        columns = (task.queries[:PICTURES], retrieved, task.memories.patterns[:PICTURES])
        pixels = [_widened(to_pixels(np.asarray(column, np.float32), spec), zoom) for column in columns]
        sheet = contact_sheet(list(zip(*pixels, strict=True)), zoom=zoom, gap=GAP)
        lines = [
            method.name,
            f"{condition.memory_size} memories, {condition.corruption.label}",
            f"{experiment.axis}: {condition.x}",
        ]
        name = name_of(experiment.name, method.name)
        with AtomicFile(folder / name) as file:
            file.write(to_png(_headed(sheet, lines, zoom * pixels[0].shape[2] + GAP)), 0)
            file.commit(durable=False)
        names.append(name)
    return names


def name_of(experiment: str, method: str) -> str:
    """The file of a sheet."""
    return f"{experiment}-{method.replace(':', '-')}.png"


def _widened(pixels: UInt8, zoom: int) -> UInt8:
    """Pictures (n, H, W, C) with white at their right, where they are narrower than what stands above them."""
    missing = max(0, -(-COLUMN // zoom) - pixels.shape[2])
    return np.pad(pixels, ((0, 0), (0, 0), (0, missing), (0, 0)), constant_values=255)


def _headed(sheet: UInt8, lines: Sequence[str], step: int) -> UInt8:
    """The sheet under lines of text and the heads of its columns, which are `step` pixels apart."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default()
    width = max(sheet.shape[1], *(int(font.getlength(line)) + 2 * GAP for line in lines))
    height = LINE * (len(lines) + 1) + 2 * GAP
    canvas = Image.new("RGB", (width, height + sheet.shape[0]), "white")
    canvas.paste(Image.fromarray(sheet), (0, height))
    pen = ImageDraw.Draw(canvas)
    for index, line in enumerate(lines):
        pen.text((GAP, GAP + LINE * index), line, fill="black", font=font)
    for index, head in enumerate(HEADS):
        pen.text((GAP + step * index, GAP + LINE * len(lines)), head, fill="black", font=font)
    return np.asarray(canvas)


def shown(conditions: Sequence[Condition]) -> Condition | None:
    """The condition that the sheets show: the one in the middle, if its queries are stored and nothing is drawn at random."""
    condition = conditions[len(conditions) // 2] if conditions else None
    return None if condition is None or condition.held_out or condition.drawn else condition
