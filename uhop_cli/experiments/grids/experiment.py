"""What an experiment is: a grid of conditions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from uhop_cli.corruption.corruption import Corruption
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.data.datasets import Dataset


@dataclass(frozen=True)
class Condition:
    """What a row is about, beside the method and the repeat.

    Attributes:
        experiment: its name.
        x: the value on the axis of the experiment.
        memory_size: M.
        corruption: of the queries.
        iterations: N of Stage I.
        steps: T of Stage II; None leaves it to the method: a fixed point for the default answer, one step for the others.
        beta: None leaves it to the protocol.
        feature_dim: D; None is d.
        drawn: learning rate and iterations are drawn at random for each repeat.
        held_out: the queries are images that are not stored.
    """

    experiment: str
    x: float | int | str
    memory_size: int
    corruption: Corruption
    iterations: int
    steps: int | None = None
    beta: float | None = None
    feature_dim: int | None = None
    drawn: bool = False
    held_out: bool = False

    @property
    def training(self) -> tuple[int, int, bool, int]:
        """What Stage I depends on; conditions with equal ones share it. In the order in which they run."""
        return self.memory_size, self.feature_dim or 0, self.drawn, self.iterations


@dataclass(frozen=True)
class Experiment:
    """One experiment: a grid of conditions.

    Attributes:
        name: as `--experiment` takes it.
        figure: what it reproduces.
        question: what it asks, one line.
        axis: label of x.
        conditions: the grid.
        methods: those that it compares unless others are asked for; empty: those of the protocol.
        log: whether the axis is drawn logarithmically.
        measure: of the rows that the figure shows: 'sse', or 'margin' with the bounds of spherical codes.
    """

    name: str
    figure: str
    question: str
    axis: str
    conditions: Callable[[Config, Dataset], list[Condition]]
    methods: tuple[str, ...] = ()
    log: bool = False
    measure: Literal["sse", "margin"] = "sse"
