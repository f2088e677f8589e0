"""Experiment `mil`: which bags hold an instance of a kind, by cross-validation of ten folds, repeated.

Folds have equal shares of both classes; instances are standardised by those of the training bags of a fold; the score is the AUC of
the held-out bags, the mean of the folds. Sizes and training are one for all arms.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.experiments.data.bags import Bags
from uhop_cli.experiments.learning.bag_arms import BAG_ARMS, HEADS, WIDTH
from uhop_cli.experiments.learning.config import MIL, LearningConfig
from uhop_cli.experiments.learning.ridge import bag_vectors, ridge_scores
from uhop_cli.experiments.results.family import Done
from uhop_cli.experiments.results.statistics import auc
from uhop_cli.experiments.surroundings import Surroundings

FOLDS = 10
TRAINING = {"epochs": 20, "batch": 60, "rate": 1e-3, "decay": 1e-2, "steps": 60}
FLOP = 1e9  # of a training, about
KNOWN = ("method", "seed")
METHODS = {name: arm.words for name, arm in BAG_ARMS.items()}

Row = dict[str, Any]


def wanted(config: LearningConfig) -> list[str]:
    """The arms that are to run."""
    return [name for name in BAG_ARMS if config.wants(name, of_itself=True)]


def parts(config: LearningConfig) -> int:
    """Parts of `rows`: one an arm and repeat."""
    return len(wanted(config)) * len(config.seeds(MIL))


def rows(bags: Bags, config: LearningConfig, done: Done, surroundings: Surroundings) -> Iterator[list[tuple[Row, float]]]:
    """A row for each arm and repeat of the cross-validation, with its seconds; those in `done`, by `KNOWN`, are left out."""
    padded = Padded(bags, surroundings.torch_device(FLOP))
    for seed in config.seeds(MIL):
        folds = drawn_folds(bags.labels, seed)
        for method in wanted(config):
            if (method, seed) in done:
                yield []
                continue
            began = time.perf_counter()
            scores = [_scores(padded, method, folds != fold, FOLDS * seed + fold) for fold in range(FOLDS)]
            aucs = [auc(found, bags.labels[folds == fold]) for fold, found in enumerate(scores)]
            head = {"experiment": MIL, "dataset": bags.name, "method": method, "separation": BAG_ARMS[method].separation}
            row = head | {"train_size": len(bags), "seed": seed, "metrics": {"auc": float(np.mean(aucs))}, "folds": aucs}
            yield [(row, time.perf_counter() - began)]


def told(part: Sequence[Row]) -> str:
    """What the last arm came to."""
    return "".join(f"{row['method']}, repeat {row['seed']}: AUC {row['metrics']['auc']:.3f}" for row in part)


def drawn_folds(labels: Int64, seed: int) -> Int64:
    """The fold of each bag, 0 to 9, as many of each class in all of them as possible."""
    generator = np.random.default_rng([seed, 6])
    folds = np.empty(len(labels), np.int64)
    for label in (0, 1):
        members = generator.permutation(np.flatnonzero(labels == label))
        folds[members] = np.arange(len(members)) % FOLDS
    return folds


@dataclass(frozen=True, eq=False)
class Padded:
    """Bags on their way into nets: all with as many places for instances as the largest has.

    Attributes:
        bags: the bags.
        device: of the tokens, as torch calls it.
    """

    bags: Bags
    device: str

    @cached_property
    def mask(self) -> Bool:
        """(N, T) which places hold an instance."""
        counts = np.bincount(self.bags.bag, minlength=len(self.bags))
        return np.asarray(np.arange(counts.max()) < counts[:, None])

    @cached_property
    def tokens(self) -> Float32:
        """(N, T, d), instances in the order in which they come; 0 where there is none."""
        found = np.zeros((*self.mask.shape, self.bags.instances.shape[1]), np.float32)
        found[self.mask] = self.bags.instances[np.argsort(self.bags.bag, kind="stable")]
        return found

    def scale(self, train: Bool) -> tuple[Float64, Float64]:
        """Mean and deviation, (d,), of the instances of training bags; a deviation of 0 counts as 1."""
        instances = self.bags.instances[train[self.bags.bag]]
        deviation = instances.std(axis=0)
        return instances.mean(axis=0), np.where(deviation > 0, deviation, 1)


def _scores(padded: Padded, method: str, train: Bool, seed: int) -> Float64:
    """Scores of the bags that are not in `train`."""
    arm, bags = BAG_ARMS[method], padded.bags
    shift, scale = padded.scale(train)
    if arm.ridge is not None:
        return ridge_scores(bag_vectors((bags.instances - shift) / scale, bags.bag, arm.ridge), bags.labels, train)
    from uhop_cli.nn.learning import NetSettings, Samples, SetClassifier, TrainingSettings, learn, scores
    from uhop_cli.nn.training import seeded

    settings = NetSettings(
        features=padded.tokens.shape[2],
        tokens=padded.tokens.shape[1],
        classes=2,
        width=WIDTH,
        heads=HEADS,
        association=arm.association,
        separation=arm.separation,
        kernel=arm.kernel,
    )
    net = seeded(seed, lambda: SetClassifier(settings)).to(padded.device)

    def samples(which: Bool) -> Samples:
        arrays = (padded.tokens[which], bags.labels[which], padded.mask[which])
        return Samples.of(*arrays, shift=shift.astype(np.float32), scale=scale.astype(np.float32), device=padded.device)

    learn(net, samples(train), TrainingSettings(**TRAINING, stage=arm.stage, loss=arm.loss), seed=seed)  # type: ignore[arg-type]
    return scores(net, samples(~train))
