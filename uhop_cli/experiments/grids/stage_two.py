"""What Stage II's settings do: steps and inverse temperature; and the states that queries settle in (U-Hop+)."""

from __future__ import annotations

from uhop_cli.corruption.corruption import Corruption
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.experiment import Condition, Experiment

STEPS = (1, 2, 3, 5, 10)
BETAS = (0.1, 1.0, 10.0, 100.0, 1000.0, 10000.0)
STATE_BETAS = (0.1, 1.0, 10.0, 100.0)
STATE_STEPS = 5
STATE_MEMORIES = 1000
STATE_ITERATIONS = 50
DAMAGE = Corruption("noise-abs", 0.3)


def _steps(config: Config, dataset: Dataset) -> list[Condition]:
    size, iterations = config.fixed_size(dataset), config.steps(dataset)
    return [Condition("steps", steps, size, DAMAGE, iterations, steps=steps) for steps in STEPS]


def _betas(config: Config, dataset: Dataset) -> list[Condition]:
    size, iterations = config.fixed_size(dataset), config.steps(dataset)
    return [Condition("beta", beta, size, Corruption("mask", 0.5), iterations, beta=beta) for beta in BETAS]


def _states(config: Config, dataset: Dataset) -> list[Condition]:
    size = min(config.sizes[0] if config.sizes else STATE_MEMORIES, len(dataset) // 2)
    steps = config.iterations or STATE_ITERATIONS
    clean = Corruption("noise", 0.0)
    return [
        Condition("metastable", beta, size, clean, steps, steps=STATE_STEPS, beta=beta, feature_dim=200, held_out=True)
        for beta in STATE_BETAS
    ]


ALONE = ("uhop-kernel", "uhop-sparse", "uhop-entmax", "untrained", "mhn", "l2-squared", "cosine", "mean-image", "ceiling")

STEPS_EXPERIMENT = Experiment(
    "steps",
    "-",
    "does iterating Stage II help (from the second step on the state is the picture read out)",
    "steps T of Stage II",
    _steps,
    ALONE,
)
BETA_EXPERIMENT = Experiment(
    "beta",
    "-",
    "the inverse temperature, for kernels with unit features and without learning",
    "beta",
    _betas,
    ALONE,
    log=True,
)
METASTABLE = Experiment(
    "metastable",
    "U-Hop+ Table 1",
    "in how many memories images that are not stored settle after 5 steps; the effect of learning, and of scale alone",
    "beta",
    _states,
    ("mhn", "khm-untrained", "khm-raw", "khm-matched", "khm-unit", "cosine"),
    log=True,
)
