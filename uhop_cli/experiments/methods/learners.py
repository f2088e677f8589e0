"""Stage I as the methods of the benchmark use it: a `Learner` names one way to get W, and `learn` runs it on many memory sets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.arrays.types import Float32
from uhop_cli.kernel.feature_map import initial_weight
from uhop_cli.kernel.gradient import GradientSettings, descend
from uhop_cli.kernel.losses import AverageLoss, MaxLoss, SeparationLoss, TemperatureLoss

T = 2.0  # of the separation loss, in all experiments of the paper
PUBLISHED_STEPS = 40  # 1/sqrt(40!) is 1e-24: no later step of the published schedule changes a float32


@dataclass(frozen=True)
class Learner:
    """One way to learn W from W0 of independent standard normals, D x d.

    Attributes:
        loss: of the separation.
        rate: the learning rate, 'auto' (backtracking), or None: W stays W0.
        schedule: 'published' divides the rate by sqrt(k!) at step k.
        half: only the first half of the memories is learned from.
        feature_dim: D; None is d.
        iterations: N; None is what the condition says.
    """

    loss: Literal["average", "max", "temperature"] = "average"
    rate: float | Literal["auto"] | None = 1.0
    schedule: Literal["constant", "published"] = "constant"
    half: bool = False
    feature_dim: int | None = None
    iterations: int | None = None

    @property
    def separation_loss(self) -> SeparationLoss:
        """The loss, with the paper's t."""
        if self.loss == "temperature":
            return TemperatureLoss(tau=0.01, start=1.0)
        return AverageLoss(T) if self.loss == "average" else MaxLoss(T)

    @property
    def resumable(self) -> bool:
        """Whether N steps followed by N' steps are N + N' steps."""
        return isinstance(self.rate, float) and self.schedule == "constant"


@lru_cache(maxsize=32)
def start(seed: int, repeat: int, feature_dim: int, dim: int) -> Float32:
    """W0 of a repeat, (D, d): the same for every method and memory size, so the last ones are kept."""
    rng = np.random.default_rng([seed, repeat, 1])
    return np.asarray(initial_weight("gaussian", feature_dim, dim, rng), np.float32)


def learn(patterns: Float32, weights: Float32, learner: Learner, iterations: int, device: Device = CPU) -> Float32:
    """W after N steps, (R, D, d), for R memory sets (R, M, d) from weights (R, D, d)."""
    count = patterns.shape[1] // 2 if learner.half else patterns.shape[1]
    if learner.rate is None or iterations == 0 or count < 2:
        return weights
    settings = GradientSettings(
        loss=learner.separation_loss,
        iterations=min(iterations, PUBLISHED_STEPS) if learner.schedule == "published" else iterations,
        learning_rate=learner.rate,
        schedule=learner.schedule,
    )
    result = descend(device.put(patterns[:, :count]), device.put(weights), settings).weight
    return np.asarray(to_numpy(result), np.float32)


def at_rate(learner: Learner, rate: float) -> Learner:
    """The same learner with another learning rate."""
    return replace(learner, rate=rate)


PAPER = Learner("average", 1.0)
PAPER_10 = Learner("average", 10.0)
PAPER_MAX = Learner("max", 1.0)
PAPER_MAX_10 = Learner("max", 10.0)
UNTRAINED = Learner(rate=None)
TUNED = Learner("average", "auto")
