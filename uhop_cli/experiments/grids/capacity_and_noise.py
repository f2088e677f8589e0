"""Retrieval error against memory size, noise and kind of damage: Figures 3 and 26 of U-Hop, the suite of corruptions, and frames.

Frames are done to the pictures at the size of the patterns, and the methods get what comes of it at that size again: the question
is how much of another frame a method withstands, not whether it looks for the frame.
"""

from __future__ import annotations

from uhop_cli.corruption.corruption import FRAMES, SUITE, Corruption
from uhop_cli.experiments.config import LEVELS, Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.experiment import Condition, Experiment

MASK = Corruption("mask", 0.5)


def _capacity(config: Config, dataset: Dataset) -> list[Condition]:
    return [Condition("capacity", size, size, MASK, config.steps(dataset)) for size in config.memory_sizes(dataset)]


def _noise(name: str, kind: str) -> Experiment:
    def conditions(config: Config, dataset: Dataset) -> list[Condition]:
        size, steps = config.fixed_size(dataset), config.steps(dataset)
        return [Condition(name, level, size, Corruption(kind, level), steps) for level in config.levels or LEVELS]

    question = {
        "noise-abs": "noise |x + n| clamped to [0, 1], deviation s a value: the published noise script",
        "noise": "Gaussian noise of deviation s a value, added and not clamped",
        "noise-norm": "noise of Euclidean norm s: the caption of Figure 3, the published max-loss script",
    }[kind]
    axis = "noise norm" if kind == "noise-norm" else "noise level (deviation per value)"
    return Experiment(name, "Fig 3, 26", question, axis, conditions)


def _corruptions(config: Config, dataset: Dataset) -> list[Condition]:
    size, steps = config.fixed_size(dataset), config.steps(dataset)
    return [Condition("corruptions", damage.label, size, damage, steps) for damage in SUITE]


def _frames(config: Config, dataset: Dataset) -> list[Condition]:
    size, steps = config.fixed_size(dataset), config.steps(dataset)
    return [Condition("frames", frame.label, size, frame, steps) for frame in FRAMES]


CAPACITY = Experiment("capacity", "Fig 3, 26", "how many memories can be restored from a 50% mask", "memories", _capacity, log=True)
NOISE = _noise("noise", "noise-abs")
NOISE_ADDED = _noise("noise-added", "noise")
NOISE_NORM = _noise("noise-norm", "noise-norm")
CORRUPTIONS = Experiment("corruptions", "-", "which kinds of damage can be undone", "corruption", _corruptions)
OTHER_FRAMES = Experiment("frames", "-", "which other frames (crops, borders, turns) are withstood", "frame", _frames)
