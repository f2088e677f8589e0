"""What a run of the benchmark is told, and what one of its conditions is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.data.datasets import Dataset
from uhop_cli.experiments.methods.protocol import ProtocolName
from uhop_cli.version import __version__

SIZES = (10, 20, 30, 50, 100, 200, 500)  # Table 4 of the paper
LEVELS = (0.0, 0.01, 0.05, 0.1, 0.3, 0.5, 0.7, 1.0, 1.2, 1.4, 2.0)
REPEATS = {"paper": 20, "tuned": 5}
GREY_ITERATIONS, COLOUR_ITERATIONS = 100, 500  # N of Figure 3: 100 for MNIST, 500 for CIFAR-10
TUNED_ITERATIONS = 100
FIXED_SIZE = 100  # memories where the size is not what varies


@dataclass(frozen=True)
class Config:
    """The settings of a run, under the names of the options.

    Attributes:
        experiments: names, in the order in which they run.
        sizes: memory sizes; empty: those of the paper that the data set has.
        levels: of the noise; empty: those of the paper.
        methods: names; empty: those of the protocol, or of the experiment.
        repeats: None is 20 under the paper's protocol, 5 under the tuned one.
        iterations: N of Stage I by gradient; None is the paper's 100 for grey and 500 for coloured pictures.
        protocol: paper or tuned.
        seed: of everything random.
        device: where Stage I, the engine and similarities run; 'auto' takes a GPU where there is one and the grid is worth it.
    """

    experiments: tuple[str, ...] = ("capacity", "noise")
    sizes: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    methods: tuple[str, ...] = ()
    repeats: int | None = None
    iterations: int | None = None
    protocol: ProtocolName = "tuned"
    seed: int = 0
    device: str = "auto"

    def __post_init__(self) -> None:
        if any(size < 2 for size in self.sizes):
            raise SettingsError("a memory set needs at least two memories", "--sizes 10,20,50")
        if any(not 0 <= level <= 100 for level in self.levels):
            raise SettingsError("a noise level is a number from 0 to 100")
        if self.repeats is not None and self.repeats < 1:
            raise SettingsError("at least one repeat is needed")
        if self.iterations is not None and self.iterations < 0:
            raise SettingsError("the number of iterations cannot be negative")

    @property
    def count(self) -> int:
        """Repeats."""
        return REPEATS[self.protocol] if self.repeats is None else self.repeats

    def steps(self, dataset: Dataset) -> int:
        """N for this data set."""
        if self.iterations is not None:
            return self.iterations
        if self.protocol == "tuned":
            return TUNED_ITERATIONS
        return GREY_ITERATIONS if dataset.spec.channels == 1 else COLOUR_ITERATIONS

    def memory_sizes(self, dataset: Dataset) -> tuple[int, ...]:
        """The sizes that the data set has; of a small set also its own."""
        wanted = sorted(set(self.sizes or SIZES))
        fitting = [size for size in wanted if size <= len(dataset)]
        if not self.sizes and len(dataset) < max(SIZES) and len(dataset) not in fitting:
            fitting.append(len(dataset))
        if not fitting:
            raise SettingsError(f"{dataset.name} has {len(dataset)} images, too few for {wanted[0]} memories")
        return tuple(fitting)

    def fixed_size(self, dataset: Dataset) -> int:
        """The memory size of experiments that vary something else: 100, or the only one asked for."""
        return min(self.sizes[0] if len(self.sizes) == 1 else FIXED_SIZE, len(dataset))

    def to_json(self, dataset: Dataset) -> dict[str, Any]:
        """Everything that the rows depend on."""
        return {
            "dataset": dataset.name,
            "images": len(dataset),
            "shape": list(dataset.spec.shape),
            "digest": dataset.digest,
            "files": dataset.files,
            "settings": {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()},
            "repeats": self.count,
            "iterations": self.steps(dataset),
            "version": __version__,
        }
