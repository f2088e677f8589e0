"""Experiments `classify` (Table 1) and `expressiveness` (Figures 4 and 6): each arm on the same pictures, seed by seed.

The learning rate of an arm is the one of `RATES` with the best accuracy on 5,000 held-out training pictures, after 5 epochs on
5,000 others, with a seed that no result has; then it is trained on pictures of each seed, and asked for all test pictures after its
last epoch.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uhop_cli.experiments.data.labelled import LabelledSet
from uhop_cli.experiments.learning.arms import ARMS, Arm
from uhop_cli.experiments.learning.config import EXPRESSIVENESS, LearningConfig
from uhop_cli.experiments.learning.pictures import PATCH, Pictures
from uhop_cli.experiments.results.family import Done
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.progress import Progress

if TYPE_CHECKING:
    from uhop_cli.nn.learning import Learned, NetSettings, Samples, SetClassifier, TrainingSettings

RATES = (3e-4, 1e-3, 3e-3)
CHOICE_EPOCHS = 5
WARM_UP = 300  # steps
CHOICE_SEED = 10_000  # and so on for a run whose seeds begin later: no run has so many seeds
KNOWN = ("method", "train_size", "seed", "rate")
METHODS = {name: arm.words for name, arm in ARMS.items()}

Row = dict[str, Any]


def wanted(config: LearningConfig, experiment: str) -> list[str]:
    """The arms that are to run."""
    of_itself = {name: arm.in_expressiveness if experiment == EXPRESSIVENESS else not arm.as_large_as for name, arm in ARMS.items()}
    return [name for name in ARMS if config.wants(name, of_itself=of_itself[name])]


def parts(config: LearningConfig, experiment: str) -> int:
    """Parts of `rows`: a choice of the rate an arm, where there is one, and a training for each arm, seed and size."""
    trainings = len(config.seeds(experiment)) * len(config.train_sizes(experiment))
    return len(wanted(config, experiment)) * (trainings + (config.rate is None))


def rows(
    data: LabelledSet, config: LearningConfig, done: Done, surroundings: Surroundings, *, experiment: str
) -> Iterator[list[tuple[Row, float]]]:
    """A row for each choice of a rate, whose seed is None, and for each training, with their seconds.

    Args:
        data: the pictures.
        config: what is asked for.
        done: what is left out, and the rates that are chosen, by `KNOWN`.
        surroundings: of the nets.
        experiment: the name.
    """
    study = Study(data, config, surroundings, experiment)
    rates = dict.fromkeys(wanted(config, experiment), config.rate)
    rates |= {method: rate for method, _, seed, rate in done if seed is None}
    if config.rate is None:
        for method in rates:
            chosen = [study.choice(method)] if rates[method] is None else []
            rates |= {row["method"]: row["rate"] for row, _ in chosen}
            yield chosen
    finished = {(method, size, seed) for method, size, seed, _ in done}
    for size in config.train_sizes(experiment):
        for seed in config.seeds(experiment):
            for method, rate in rates.items():
                if (method, size, seed) in finished:
                    yield []
                else:
                    yield [study.result(method, size, seed, rate)]
                    study.forget(method, size, seed)


def told(part: Sequence[Row]) -> str:
    """What the last training came to."""
    return "".join(
        f"{row['method']}: rate {row['rate']:g}"
        if row["seed"] is None
        else f"{row['method']}, seed {row['seed']}: test accuracy {row['metrics']['test_accuracy']:.3f}"
        for row in part
    )


@dataclass
class Study:
    """The trainings of an experiment."""

    data: LabelledSet
    config: LearningConfig
    surroundings: Surroundings
    experiment: str
    _tests: dict[int, Samples] = field(default_factory=dict)

    def choice(self, method: str) -> tuple[Row, float]:
        """The row that says which rate an arm takes, and its seconds."""
        began = time.perf_counter()
        training, held_out = self.pictures.choice(CHOICE_SEED + self.config.seed)
        samples, judge = (self.pictures.train(rows, self._side(method)) for rows in (training, held_out))
        seed, epochs = CHOICE_SEED + self.config.seed, min(CHOICE_EPOCHS, self.config.epochs)
        found = {}
        for rate in RATES:
            net = self._net(method, seed, samples)
            settings = self._training(method, rate, epochs)
            self._learn(net, samples, settings, seed, f"{method}, rate {rate:g}")
            found[rate] = self._accuracy(net, judge)
        best = max(found, key=lambda rate: found[rate])
        metrics = {f"held_out_at_{rate:g}": accuracy for rate, accuracy in found.items()}
        return self._row(method, len(training), None, best, metrics), time.perf_counter() - began

    def result(self, method: str, size: int, seed: int, rate: float) -> tuple[Row, float]:
        """The row of a training, and its seconds."""
        began = time.perf_counter()
        samples = self.pictures.train(self.pictures.subset(size, seed), self._side(method))
        net = self._net(method, seed, samples)
        settings = self._training(method, rate, self.config.epochs)
        learned = self._learn(net, samples, settings, seed, f"{method}, seed {seed}", self._file(method, size, seed))
        start, after, end = learned.separation or (None, None, None)
        metrics = {
            "test_accuracy": self._accuracy(net, self._test(self._side(method))),
            "train_accuracy": learned.accuracies[-1],
            "max_train_accuracy": max(learned.accuracies),
            "train_loss": learned.losses[-1],
            "separation_start": start,
            "separation_after_stage_one": after,
            "separation_end": end,
            "support": learned.support,
            "tokens": samples.tokens.shape[1],
            "parameters": sum(parameter.numel() for parameter in net.parameters()),
        }
        return self._row(method, size, seed, rate, metrics), time.perf_counter() - began

    def forget(self, method: str, size: int, seed: int) -> None:
        """Removes the state of a training whose row is kept."""
        file = self._file(method, size, seed)
        if file is not None:
            file.unlink(missing_ok=True)

    @cached_property
    def pictures(self) -> Pictures:
        """On the device."""
        size = max(self.config.train_sizes(self.experiment))
        pixels, width = self.data.train.pixels[0].size, self.config.width
        tokens = pixels / (3 * PATCH**2)
        flop = 6.0 * size * self.config.epochs * width * (pixels + 3 * tokens * width)  # embedding, W_K, W_V and Phi
        return Pictures(self.data, self.surroundings.torch_device(flop))

    def _side(self, method: str) -> int:
        return self.data.train.pixels.shape[1] if ARMS[method].one_token else PATCH

    def _test(self, side: int) -> Samples:
        if side not in self._tests:
            self._tests[side] = self.pictures.test(side)
        return self._tests[side]

    def _net(self, method: str, seed: int, samples: Samples) -> SetClassifier:
        from uhop_cli.nn.learning import SetClassifier
        from uhop_cli.nn.training import seeded

        settings = net_settings(ARMS[method], self.config.width, samples.tokens.shape[1:], self.data.classes)
        return seeded(seed, lambda: SetClassifier(settings)).to(self.pictures.device)

    def _training(self, method: str, rate: float, epochs: int) -> TrainingSettings:
        from uhop_cli.nn.learning import TrainingSettings

        arm = ARMS[method]
        return TrainingSettings(epochs=epochs, rate=rate, stage=arm.stage, loss=arm.loss, steps=WARM_UP)

    def _learn(
        self, net: SetClassifier, samples: Samples, settings: TrainingSettings, seed: int, words: str, file: Path | None = None
    ) -> Learned:
        from uhop_cli.nn.learning import learn

        progress = self.surroundings.progress

        def on_epoch(done: int, loss: str) -> None:
            if progress:
                progress(Progress("epoch", done, settings.epochs, f"{words}: {loss}"))

        about = {"data": self.data.digest, "net": asdict(net.settings), "size": len(samples)}
        return learn(net, samples, settings, seed=seed, checkpoint=file, about=about, on_epoch=on_epoch)

    def _accuracy(self, net: SetClassifier, samples: Samples) -> float:
        from uhop_cli.nn.learning import accuracy

        return accuracy(net, samples)

    def _file(self, method: str, size: int, seed: int) -> Path | None:
        return self.surroundings.net_file(f"{self.experiment}-{method.replace(':', '-')}-{size}-{seed}")

    def _row(self, method: str, size: int, seed: int | None, rate: float, metrics: Row) -> Row:
        head = {"experiment": self.experiment, "dataset": self.data.name, "method": method, "separation": ARMS[method].separation}
        return head | {"train_size": size, "seed": seed, "rate": rate, "metrics": metrics}


def net_settings(arm: Arm, width: int, tokens: Sequence[int], classes: int) -> NetSettings:
    """Sizes of the net of an arm for (T, P) tokens and a width of the run."""
    from uhop_cli.nn.learning import NetSettings

    settings = NetSettings(
        tokens=tokens[0],
        features=tokens[1],
        classes=classes,
        width=arm.width or width,
        heads=arm.heads,
        association=arm.association,
        separation=arm.separation,
        kernel=arm.kernel,
        values=arm.values,
        dropout=arm.dropout,
        start=arm.start,
    )
    if arm.as_large_as is not None:
        least = net_settings(ARMS[arm.as_large_as], width, tokens, classes).parameters
        while settings.parameters < least:
            settings = replace(settings, width=settings.width + arm.heads)
    return settings
