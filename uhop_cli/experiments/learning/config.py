"""What a run of the learning experiments is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.results.family import ALL
from uhop_cli.version import __version__

CLASSIFY, EXPRESSIVENESS, MIL = "classify", "expressiveness", "mil"
SEEDS = {CLASSIFY: 5, EXPRESSIVENESS: 3, MIL: 5}
QUICK_SEEDS = {CLASSIFY: 3, EXPRESSIVENESS: 1, MIL: 2}
SIZES = {CLASSIFY: (10000,), EXPRESSIVENESS: (1000, 2000, 5000, 10000)}  # of Figures 4 and 6, those that two cores are enough for
QUICK_SIZES = {CLASSIFY: (5000,), EXPRESSIVENESS: (1000, 2000)}
EPOCHS, WIDTH = 15, 128


@dataclass(frozen=True)
class LearningConfig:
    """The settings of a run.

    Attributes:
        experiments: names, in the order in which they run.
        methods: names, or `ALL`; empty: those that an experiment begins with.
        sizes: training pictures; empty: 10,000 of `classify`, 1,000 to 10,000 of `expressiveness`.
        repeats: seeds, or repeats of the cross-validation of `mil`; None: 5, of `expressiveness` 3.
        epochs, width: of the nets of pictures.
        rate: of all nets of pictures; None: each method's own is chosen on held-out training pictures.
        seed: the first of the seeds.
        quick: fewer seeds and pictures.

    Raises:
        SettingsError: a value that makes no sense.
    """

    experiments: tuple[str, ...]
    methods: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    repeats: int | None = None
    epochs: int = EPOCHS
    width: int = WIDTH
    rate: float | None = None
    seed: int = 0
    quick: bool = False

    def __post_init__(self) -> None:
        if any(size < 10 for size in self.sizes):
            raise SettingsError("ten training pictures are the least", "--train-size 10000")
        if self.repeats is not None and self.repeats < 1:
            raise SettingsError("at least one repeat is needed")
        if self.epochs < 1 or self.width < 1 or not (self.rate is None or 0 < self.rate < 1):
            raise SettingsError("epochs and width are positive, a rate lies between 0 and 1", "--epochs 15 --width 128 --rate 1e-3")

    def seeds(self, experiment: str) -> range:
        """Of this experiment."""
        count = self.repeats or (QUICK_SEEDS if self.quick else SEEDS)[experiment]
        return range(self.seed, self.seed + count)

    def train_sizes(self, experiment: str) -> tuple[int, ...]:
        """Numbers of training pictures of this experiment, in rising order."""
        return tuple(sorted(set(self.sizes or (QUICK_SIZES if self.quick else SIZES)[experiment])))

    def wants(self, method: str, *, of_itself: bool) -> bool:
        """Whether a method is to run; `of_itself`: also where none is named."""
        return method in self.methods or ALL in self.methods or (not self.methods and of_itself)

    def to_json(self, data: dict[str, Any]) -> dict[str, Any]:
        """Everything that the rows depend on; `data` is what there is to say of the data."""
        settings = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {**data, "settings": settings, "version": __version__}
