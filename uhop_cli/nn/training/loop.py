"""The training loop: epochs one after the other, and going on after a kill.

    for each epoch:  epoch(number) -> (training error, error that it is judged by);  a checkpoint

Everything random in an epoch follows from its seeds (`batches`): two models with the same seeds see the same batches in the same
order and, as far as their layers are the same, draw the same dropout; a training that goes on from its checkpoint is the training
that was never interrupted, bit for bit on the same machine.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from uhop_cli.arrays.types import Int64
from uhop_cli.errors import SettingsError
from uhop_cli.nn.training.checkpoint import Checkpoint, copied

Model = TypeVar("Model", bound=nn.Module)
OnEpoch = Callable[[int, str], None]
History = list[tuple[float, float]]


@dataclass(frozen=True)
class Fitted:
    """How a training went: of each epoch the training error, and the error that it is judged by (validation, if there is any)."""

    history: History

    @property
    def best(self) -> int:
        """The epoch of the least error of the second kind, from 0."""
        return int(np.argmin([judged for _, judged in self.history]))

    @property
    def validation(self) -> float:
        """That error."""
        return self.history[self.best][1]


def train(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    epoch: Callable[[int], tuple[float, float]],
    finished: Callable[[Fitted], bool],
    *,
    keep: Literal["best", "last"],
    task: dict[str, Any],
    checkpoint: Path | None = None,
    on_epoch: Callable[[Fitted], None] | None = None,
) -> Fitted:
    """Trains a model in place.

    Args:
        model: what is trained.
        optimiser: an Adam of its parameters.
        epoch: trains for the epoch of this number, from 0, and returns its two errors.
        finished: whether the epochs that are done, at least one, are enough.
        keep: the model is left as it was after its best epoch, or after the last one.
        task: all that the result depends on, JSON: a checkpoint of another task is refused.
        checkpoint: a file that is written after each epoch, and gone on from where it is there.
        on_epoch: is told after each epoch.

    Raises:
        SettingsError: the error is not finite any more.
        MemoryFileError: the checkpoint is damaged, or of another training.
    """
    task = json.loads(json.dumps(task))  # as it is read back
    history: History = []
    best = copied(model.state_dict()) if keep == "best" else {}
    if checkpoint is not None and checkpoint.exists():
        history, best = _gone_on(checkpoint, model, optimiser, task, best=keep == "best")
    while not history or not finished(Fitted(history)):
        errors = epoch(len(history))
        if not np.isfinite(errors).all():
            raise SettingsError(f"the error is {errors[0]:g}, {errors[1]:g} after epoch {len(history) + 1}", "a smaller rate")
        if keep == "best" and errors[1] < min((judged for _, judged in history), default=np.inf):
            best = copied(model.state_dict())
        history.append(errors)
        if checkpoint is not None:
            Checkpoint(task, history, copied(model.state_dict()), best, optimiser.state_dict()["state"]).save(checkpoint)
        if on_epoch:
            on_epoch(Fitted(history))
    if keep == "best":
        model.load_state_dict(best)
    model.eval()
    return Fitted(history)


@contextmanager
def batches(count: int, size: int, seeds: Sequence[int], most: int | None = None) -> Iterator[list[Int64]]:
    """The batches of an epoch, rows of a training set; meanwhile torch draws what the same seeds give it.

    Args:
        count: rows of the training set.
        size: of a batch; the last one may be smaller.
        seeds: of the epoch.
        most: rows of the epoch, drawn without replacement; None: all.
    """
    generator = np.random.default_rng(seeds)
    order = generator.permutation(count)[:most]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(1 << 62)))
        yield [order[begin : begin + size] for begin in range(0, len(order), size)]


def seeded(seed: int, make: Callable[[], Model]) -> Model:
    """What `make` makes of the random numbers of this seed; those that others draw are not disturbed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make()


def _gone_on(
    checkpoint: Path, model: nn.Module, optimiser: torch.optim.Optimizer, task: dict[str, Any], *, best: bool
) -> tuple[History, dict[str, Tensor]]:
    """The errors of the epochs that are done, and the best parameters; model and optimiser are put where these epochs left them."""
    moved = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    found = Checkpoint.load(checkpoint, model.state_dict(), moved, task, best=best)
    model.load_state_dict(found.now)
    optimiser.load_state_dict({"state": found.adam, "param_groups": optimiser.state_dict()["param_groups"]})
    return found.history, found.best
