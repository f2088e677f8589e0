"""The registry of experiments. To add one, declare it in a file of its own and name it here, or `register` it."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.config import Config
from uhop_cli.experiments.grids.capacity_and_noise import CAPACITY, CORRUPTIONS, NOISE, NOISE_ADDED, NOISE_NORM, OTHER_FRAMES
from uhop_cli.experiments.grids.experiment import Experiment
from uhop_cli.experiments.grids.feature_dim import FEATURE_DIM
from uhop_cli.experiments.grids.stage_one import AVERAGE_AND_MAX, ITERATIONS_EXPERIMENT, LOSS_AND_ERROR
from uhop_cli.experiments.grids.stage_two import BETA_EXPERIMENT, METASTABLE, STEPS_EXPERIMENT
from uhop_cli.experiments.methods.registry import Method
from uhop_cli.experiments.methods.registry import select as select_methods

EXPERIMENTS: dict[str, Experiment] = {}


def register(*experiments: Experiment) -> None:
    """Adds experiments to the registry.

    Raises:
        SettingsError: a name is taken.
    """
    for experiment in experiments:
        if experiment.name in EXPERIMENTS:
            raise SettingsError(f"there is an experiment '{experiment.name}' already")
        EXPERIMENTS[experiment.name] = experiment


register(
    CAPACITY,
    NOISE,
    NOISE_ADDED,
    NOISE_NORM,
    CORRUPTIONS,
    OTHER_FRAMES,
    ITERATIONS_EXPERIMENT,
    LOSS_AND_ERROR,
    AVERAGE_AND_MAX,
    STEPS_EXPERIMENT,
    BETA_EXPERIMENT,
    FEATURE_DIM,
    METASTABLE,
)


def select(names: Sequence[str]) -> list[Experiment]:
    """Experiments by name; 'all' is every one.

    Raises:
        SettingsError: an unknown name.
    """
    if "all" in names:
        return list(EXPERIMENTS.values())
    for name in names:
        if name not in EXPERIMENTS:
            near = difflib.get_close_matches(name, EXPERIMENTS, n=1)
            raise SettingsError(
                f"unknown experiment '{name}'", f"did you mean {near[0]}?" if near else "uhop bench --list names them"
            )
    return [EXPERIMENTS[name] for name in dict.fromkeys(names)]


def methods_of(experiment: Experiment, config: Config) -> list[Method]:
    """The methods of an experiment: those asked for, else its own, else those of the protocol."""
    return select_methods(config.methods or experiment.methods, config.protocol)
