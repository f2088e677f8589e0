"""Training a forecaster on windows: the loop, early stopping, and going on after a kill.

    for each epoch:  windows drawn by (seed, epoch);  for each batch:  Phi <- Phi - lr grad L_separation     where `alternate`
                                                                       theta <- Adam(grad of the error, clipped)
                     validation error, the mean over validation windows;  a checkpoint

Everything random in an epoch follows from (seed, epoch): two models with the same seed see the same batches in the same order and,
as far as their layers are the same, draw the same dropout; a training that goes on from its checkpoint is the training that was
never interrupted, bit for bit on the same machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.scores import Errors
from uhop_cli.forecasting.windows import Windows
from uhop_cli.nn.alternation import Alternation
from uhop_cli.nn.stanhop.checkpoint import Checkpoint, copied
from uhop_cli.nn.stanhop.forecaster import forecast, inputs, predict, tensor
from uhop_cli.nn.stanhop.tuning import TuneAndPlay

Model = TypeVar("Model", bound=nn.Module)

OnEpoch = Callable[[int, str], None]


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


@dataclass(frozen=True)
class Fitted:
    """How a training went: (training, validation) error of each epoch; the model has the parameters of the best one."""

    history: list[tuple[float, float]]

    @property
    def best(self) -> int:
        """The epoch of the least validation error, from 0."""
        return int(np.argmin([validation for _, validation in self.history]))

    @property
    def validation(self) -> float:
        """That error."""
        return self.history[self.best][1]


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
    task = json.loads(json.dumps({"settings": asdict(settings), "seed": seed, "about": about or {}}))  # as it is read back
    optimiser = _optimiser(model, settings)
    rates = [group["lr"] for group in optimiser.param_groups]
    alternation = Alternation(model, lr=settings.separation_rate) if settings.alternate else None
    history, best = _gone_on(checkpoint, model, optimiser, task)
    while not _finished(history, settings):
        epoch = len(history)
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * 0.5 ** (epoch // 2)
        error = _epoch(model, optimiser, alternation, train, settings, [seed, epoch])
        held_out = _validation(model, validation, settings)
        if not np.isfinite([error, held_out]).all():
            raise SettingsError(f"the error is {error:g}, {held_out:g} after epoch {epoch + 1}", "a smaller rate")
        if not history or held_out < min(value for _, value in history):
            best = copied(model.state_dict())
        history.append((error, held_out))
        if checkpoint is not None:
            state = optimiser.state_dict()["state"]
            Checkpoint(task, history, copied(model.state_dict()), best, state).save(checkpoint)
        if on_epoch:
            on_epoch(epoch + 1, f"training {error:.4f}, validation {held_out:.4f}")
    model.load_state_dict(best)
    model.eval()
    return Fitted(history)


def seeded(seed: int, make: Callable[[], Model]) -> Model:
    """What `make` makes of the random numbers of this seed; those that others draw are not disturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


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


def _gone_on(
    checkpoint: Path | None, model: nn.Module, optimiser: torch.optim.Optimizer, task: dict[str, Any]
) -> tuple[list[tuple[float, float]], dict[str, Tensor]]:
    """The errors of the epochs that are done, and the best parameters; model and optimiser are put where these epochs left them."""
    if checkpoint is None or not checkpoint.exists():
        return [], copied(model.state_dict())
    moved = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    found = Checkpoint.load(checkpoint, model.state_dict(), moved, task)
    model.load_state_dict(found.now)
    optimiser.load_state_dict({"state": found.adam, "param_groups": optimiser.state_dict()["param_groups"]})
    return found.history, found.best


def _finished(history: list[tuple[float, float]], settings: TrainingSettings) -> bool:
    fitted = Fitted(history)
    return bool(history) and (len(history) >= settings.epochs or len(history) - 1 - fitted.best >= settings.patience)


def _epoch(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    alternation: Alternation | None,
    train: Windows,
    settings: TrainingSettings,
    seeds: list[int],
) -> float:
    """One epoch; returns the mean error of its windows, each before the step that it is part of."""
    generator = np.random.default_rng(seeds)
    order = generator.permutation(len(train))[: settings.windows]
    total = 0.0
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(1 << 62)))
        for begin in range(0, len(order), settings.batch):
            rows = order[begin : begin + settings.batch]
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
    return total / len(order)


def _validation(model: nn.Module, windows: Windows, settings: TrainingSettings) -> float:
    errors = Errors.of(predict(model, windows.past, windows.starts), windows.future)
    each = errors.squared if settings.loss == "squared" else errors.absolute
    if not settings.batch_means:
        return float(each.mean())
    return float(np.mean([each[begin : begin + settings.batch].mean() for begin in range(0, len(each), settings.batch)]))
