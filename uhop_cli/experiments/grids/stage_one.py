"""What Stage I brings, and how long it takes: Figures 2, 5, 7 and 8 to 25 of U-Hop."""

from __future__ import annotations

from dataclasses import replace

from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.grids.capacity_and_noise import MASK
from uhop_cli.experiments.grids.experiment import Condition, Experiment

ITERATIONS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
LOSS_ITERATIONS = (10, 20, 30, 50, 100, 200, 250, 500)
LOSS_SIZES = (10, 50, 100, 200)


def _iterations(config: Config, dataset: Dataset) -> list[Condition]:
    size = config.fixed_size(dataset)
    return [Condition("iterations", steps, size, MASK, steps) for steps in _up_to(config.iterations, ITERATIONS)]


def _loss_and_error(config: Config, dataset: Dataset) -> list[Condition]:
    return [Condition("loss-vs-error", "run", config.fixed_size(dataset), MASK, 0, drawn=True)]


def _average_and_max(config: Config, dataset: Dataset) -> list[Condition]:
    sizes = replace(config, sizes=config.sizes or LOSS_SIZES).memory_sizes(dataset) if len(dataset) >= min(LOSS_SIZES) else ()
    return [
        Condition("average-vs-max", f"M={size} N={steps}", size, MASK, steps)
        for size in sizes
        for steps in _up_to(config.iterations, LOSS_ITERATIONS)
    ]


def _up_to(last: int | None, steps: tuple[int, ...]) -> tuple[int, ...]:
    """Those of the steps that are not beyond the last one asked for, and at least that one."""
    return steps if last is None else tuple(step for step in steps if step <= last) or (last,)


LEARNED = ("uhop-average-1", "uhop-average-10", "uhop-average-100")
LOSSES = ("uhop-average-1", "uhop-average-10", "uhop-max-1", "uhop-max-10")
BOUNDS = ("untrained", "mean-image", "ceiling")

ITERATIONS_EXPERIMENT = Experiment(
    "iterations",
    "Fig 5",
    "how fast the error falls with the iterations of Stage I, at three learning rates",
    "iterations of Stage I",
    _iterations,
    (*LEARNED, "untrained", "mean-image", "l2-squared", "cosine-matched", "ceiling"),
    log=True,
)
LOSS_AND_ERROR = Experiment(
    "loss-vs-error",
    "Fig 2, 7",
    "does a lower separation loss mean a lower error; learning rate and iterations drawn at random",
    "separation loss",
    _loss_and_error,
    ("uhop-average-1",),
)
AVERAGE_AND_MAX = Experiment(
    "average-vs-max",
    "Fig 8 to 25",
    "average against max loss, each at both learning rates that the published scripts use for one of them",
    "memories and iterations",
    _average_and_max,
    (*LOSSES, *BOUNDS),
)
