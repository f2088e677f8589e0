"""Training a forecaster on windows: its epochs, and early stopping.

    for each epoch:  windows drawn by (seed, epoch);  for each batch:  Phi <- Phi - lr grad L_separation     where `alternate`
                                                                       theta <- Adam(grad of the error, clipped)
                     validation error, the mean over validation windows;  a checkpoint

The loop itself, and what is random in it, stand in `nn.training`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.scores import Errors
from uhop_cli.forecasting.windows import Windows
from uhop_cli.nn.alternation import Alternation
from uhop_cli.nn.stanhop.forecaster import forecast, inputs, predict, tensor
from uhop_cli.nn.stanhop.tuning import TuneAndPlay
from uhop_cli.nn.training import Fitted, OnEpoch, batches, loop


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """How a forecaster is trained.

    Attributes:
        epochs: at most.
        windows: of an epoch, drawn without replacement; None: all.
        batch: windows of a step.
        rate: of Adam; halved after every second epoch.
        memory_rate: of the parameters of an external memory, times `rate`.
        clip: largest norm of a gradient.
        patience: epochs without a smaller validation error after which it ends.
        loss: "squared", as the published code has it, or "absolute", as the paper says.
        alternate: a step of Algorithm 2 before each step of the task.
        separation_rate: learning rate of that step.
        batch_means: the validation error is the mean of the means of batches, as in the published code, not that over windows.

    Raises:
        SettingsError: a value that makes no sense.
    """

    epochs: int = 10
    windows: int | None = None
    batch: int = 32
    rate: float = 1e-3
    memory_rate: float = 10.0
    clip: float = 5.0
    patience: int = 3
    loss: Literal["squared", "absolute"] = "squared"
    alternate: bool = False
    separation_rate: float = 0.1
    batch_means: bool = False

    def __post_init__(self) -> None:
        counts = (self.epochs, self.batch, self.patience, 1 if self.windows is None else self.windows)
        if min(counts) < 1 or min(self.rate, self.memory_rate, self.clip, self.separation_rate) <= 0:
            raise SettingsError("epochs, windows, batch, patience and rates of a training are positive")
        if self.loss not in ("squared", "absolute"):
            raise SettingsError(f"there is no loss '{self.loss}'", "squared or absolute")


def fit(
    model: nn.Module,
    train: Windows,
    validation: Windows,
    settings: TrainingSettings,
    *,
    seed: int = 0,
    checkpoint: Path | None = None,
    about: dict[str, Any] | None = None,
    on_epoch: OnEpoch | None = None,
) -> Fitted:
    """Trains a `STanHopNet` or a `TuneAndPlay` until its validation error no longer falls, and leaves it at its best.

    Args:
        model: is trained in place.
        train, validation: windows.
        settings: of the training.
        seed: of batches and dropout.
        checkpoint: a file that is written after each epoch, and gone on from where it is there.
        about: what else the checkpoint depends on, JSON: a checkpoint about something else is refused.
        on_epoch: is told the epochs that are done, and the errors in words.

    Raises:
        SettingsError: the error is not finite any more.
        MemoryFileError: the checkpoint is damaged, or of another training.
    """
    optimiser = _optimiser(model, settings)
    rates = [group["lr"] for group in optimiser.param_groups]
    alternation = Alternation(model, lr=settings.separation_rate) if settings.alternate else None

    def epoch(number: int) -> tuple[float, float]:
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * 0.5 ** (number // 2)
        error = _epoch(model, optimiser, alternation, train, settings, [seed, number])
        return error, _validation(model, validation, settings)

    def tell(fitted: Fitted) -> None:
        if on_epoch:
            on_epoch(len(fitted.history), "training {:.4f}, validation {:.4f}".format(*fitted.history[-1]))

    return loop.train(
        model,
        optimiser,
        epoch,
        lambda fitted: _finished(fitted, settings),
        keep="best",
        task={"settings": asdict(settings), "seed": seed, "about": about or {}},
        checkpoint=checkpoint,
        on_epoch=tell,
    )


def _optimiser(model: nn.Module, settings: TrainingSettings) -> torch.optim.Adam:
    """Adam, with a rate of its own for what is not the net's."""
    if not isinstance(model, TuneAndPlay):
        return torch.optim.Adam(model.parameters(), lr=settings.rate)
    memory = [parameter for name, parameter in model.named_parameters() if not name.startswith("net.")]
    groups: list[dict[str, Any]] = [
        {"params": list(model.net.parameters())},
        {"params": memory, "lr": settings.rate * settings.memory_rate},
    ]
    return torch.optim.Adam(groups, lr=settings.rate)


def _finished(fitted: Fitted, settings: TrainingSettings) -> bool:
    done = len(fitted.history)
    return done >= settings.epochs or done - 1 - fitted.best >= settings.patience


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    alternation: Alternation | None,
    train: Windows,
    settings: TrainingSettings,
    seeds: list[int],
) -> float:
    """One epoch; returns the mean error of its windows, each before the step that it is part of."""
    total = 0.0
    model.train()
    with batches(len(train), settings.batch, seeds, settings.windows) as drawn:
        for rows in drawn:
            past, future = train.past[rows], tensor(model, train.future[rows])
            if alternation is not None:
                alternation.step(*inputs(model, past, train.starts[rows], "apart"))
            optimiser.zero_grad()
            found = forecast(model, past, train.starts[rows], "apart")
            loss = F.mse_loss(found, future) if settings.loss == "squared" else F.l1_loss(found, future)
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
            optimiser.step()
            total += float(loss.detach()) * len(rows)
    return total / sum(map(len, drawn))


def _validation(model: nn.Module, windows: Windows, settings: TrainingSettings) -> float:
    errors = Errors.of(predict(model, windows.past, windows.starts), windows.future)
    each = errors.squared if settings.loss == "squared" else errors.absolute
    if not settings.batch_means:
        return float(each.mean())
    return float(np.mean([each[begin : begin + settings.batch].mean() for begin in range(0, len(each), settings.batch)]))
