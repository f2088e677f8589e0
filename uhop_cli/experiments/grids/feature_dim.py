"""How far apart memories get in D dimensions, against what any spherical code can reach (U-Hop+)."""

from __future__ import annotations

from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.capacity_and_noise import MASK
from uhop_cli.experiments.grids.experiment import Condition, Experiment

DIMENSIONS = (2, 3, 5, 8, 16, 32, 64, 128, 256)
ITERATIONS = 300


def _dimensions(config: Config, dataset: Dataset) -> list[Condition]:
    size, steps = config.fixed_size(dataset), config.iterations or ITERATIONS
    return [Condition("feature-dim", dim, size, MASK, steps, feature_dim=dim) for dim in DIMENSIONS if dim <= dataset.spec.dim]


FEATURE_DIM = Experiment(
    "feature-dim",
    "U-Hop+",
    "the smallest margin min(1 - cos) that learning reaches in D dimensions, against the bounds of spherical codes",
    "feature dimension D",
    _dimensions,
    ("khm-unit", "khm-average", "untrained", "mean-image", "ceiling"),
    log=True,
    measure="margin",
)
