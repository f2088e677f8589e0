"""Training a `SetClassifier`, Stage I included, and what is measured on it.

Stage I        none; warm-up, Phi alone, before the training; the closed form, before the training; or, Algorithm 2,
in each batch  Phi <- Phi - rate grad L_separation
               theta <- Adam(grad of the cross-entropy)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from uhop_cli.arrays.types import Float64
from uhop_cli.nn.alternation import Alternation
from uhop_cli.nn.learning.net import Samples, SetClassifier
from uhop_cli.nn.learning.settings import TrainingSettings
from uhop_cli.nn.losses import Kind, separation_loss
from uhop_cli.nn.training import Fitted, OnEpoch, batches, train

LOOKED_AT = 1000  # samples that separation and support are measured on, and whose tokens the closed form takes
TOGETHER = 500  # samples that go through a net at a time where nothing is learned


@dataclass(frozen=True)
class Learned:
    """How a training went.

    Attributes:
        losses: cross-entropy of each epoch, each sample before the step that it is part of.
        accuracies: likewise, share of samples whose largest logit was the right one.
        separation: mean separation loss of the stored patterns at the start, after Stage I and at the end; None where a sample has
            no two of them.
        support: patterns with a weight above 0, mean over samples and heads, at the end; None without an association.
    """

    losses: list[float]
    accuracies: list[float]
    separation: tuple[float, float, float] | None
    support: float | None


def learn(
    net: SetClassifier,
    samples: Samples,
    settings: TrainingSettings,
    *,
    seed: int,
    checkpoint: Path | None = None,
    about: dict[str, Any] | None = None,
    on_epoch: OnEpoch | None = None,
) -> Learned:
    """Trains a net in place, Stage I first.

    Args:
        net: what is trained.
        samples: of the training; the first `LOOKED_AT` are what separation and support are measured on.
        settings: of the training.
        seed: of batches and dropout, in Stage I and after it.
        checkpoint, about: as in `nn.training.train`, whose task is (settings, seed, about).
        on_epoch: is told the epochs that are done, and their loss in words.

    Raises:
        SettingsError: the loss is not finite any more.
        MemoryFileError: the checkpoint is damaged, or of another training.
    """
    first = samples.part(torch.arange(min(LOOKED_AT, len(samples)), device=samples.labels.device))
    separation = [mean_separation(net, first, settings.loss)]
    prepare(net, samples, first, settings, seed)
    separation.append(mean_separation(net, first, settings.loss))
    alternation = Alternation(net, kind=settings.loss, lr=settings.stage_rate) if settings.stage == "alternation" else None
    fused = samples.labels.device.type in ("cpu", "cuda")  # in one pass: a third of the time of a net of width 512
    optimiser = torch.optim.AdamW(net.parameters(), lr=settings.rate, weight_decay=settings.decay, fused=fused)

    def epoch(number: int) -> tuple[float, float]:
        for group in optimiser.param_groups:
            group["lr"] = settings.rate * (1 + math.cos(math.pi * number / settings.epochs)) / 2
        return _epoch(net, optimiser, alternation, samples, settings, [seed, number])

    def tell(fitted: Fitted) -> None:
        loss, wrong = fitted.history[-1]
        if on_epoch:
            on_epoch(len(fitted.history), f"loss {loss:.4f}, training accuracy {1 - wrong:.3f}")

    fitted = train(
        net,
        optimiser,
        epoch,
        lambda fitted: len(fitted.history) >= settings.epochs,
        keep="last",
        task={"settings": asdict(settings), "seed": seed, "about": about or {}},
        checkpoint=checkpoint,
        on_epoch=tell,
    )
    separation.append(mean_separation(net, first, settings.loss))
    known = [value for value in separation if value is not None]
    return Learned(
        [loss for loss, _ in fitted.history],
        [1 - wrong for _, wrong in fitted.history],
        (known[0], known[1], known[2]) if len(known) == len(separation) else None,
        mean_support(net, first),
    )


def prepare(net: SetClassifier, samples: Samples, first: Samples, settings: TrainingSettings, seed: int) -> None:
    """Stage I, as far as it comes before the training: Phi alone moves."""
    layer = net.layer
    if settings.stage == "whitened" and layer is not None and layer.kernel is not None:
        with torch.no_grad():
            tokens, mask = first.inputs(slice(None))
            y = net.embed(tokens)
            layer.kernel.whiten_(y.flatten(0, 1) if mask is None else y[mask])  # type: ignore[operator]
    if settings.stage == "warm-up":
        alternation = Alternation(net, kind=settings.loss, lr=settings.stage_rate)
        for inputs in islice(_endless(samples, settings.batch, seed), settings.steps):
            alternation.step(*inputs)


def logits(net: SetClassifier, samples: Samples) -> Tensor:
    """(N, classes), in evaluation mode."""
    net.eval()
    with torch.no_grad():
        parts = [slice(begin, begin + TOGETHER) for begin in range(0, len(samples), TOGETHER)]
        return torch.cat([net(*samples.inputs(part)) for part in parts])


def accuracy(net: SetClassifier, samples: Samples) -> float:
    """Share of samples whose largest logit is the right one."""
    return float((logits(net, samples).argmax(dim=1) == samples.labels).double().mean())


def scores(net: SetClassifier, samples: Samples) -> Float64:
    """By how much the logit of class 1 exceeds that of class 0, (N,)."""
    found = logits(net, samples)
    return (found[:, 1] - found[:, 0]).double().cpu().numpy()


@torch.no_grad()
def mean_separation(net: SetClassifier, samples: Samples, kind: Kind) -> float | None:
    """Mean separation loss of the features of stored patterns; None where there are no pairs, or no association."""
    tokens, mask = samples.inputs(slice(None))
    if net.layer is None or tokens.shape[1] < 2:
        return None
    return float(separation_loss(net.layer.features(net.embed(tokens)), kind, mask=mask).mean())


@torch.no_grad()
def mean_support(net: SetClassifier, samples: Samples) -> float | None:
    """Patterns with a weight above 0, mean over samples and heads; None without an association."""
    if net.pool is None:
        return None
    tokens, mask = samples.inputs(slice(None))
    return float((net.pool.associations(net.embed(tokens), mask=mask) > 0).sum(dim=-1).double().mean())


def _epoch(
    net: SetClassifier,
    optimiser: torch.optim.Optimizer,
    alternation: Alternation | None,
    samples: Samples,
    settings: TrainingSettings,
    seeds: list[int],
) -> tuple[float, float]:
    """One epoch; returns mean loss and share of wrong answers, each sample before the step that it is part of."""
    device = samples.labels.device
    loss_sum, right = torch.zeros((), device=device), torch.zeros((), dtype=torch.int64, device=device)
    net.train()
    with batches(len(samples), settings.batch, seeds) as drawn:
        for rows in drawn:
            index = torch.from_numpy(rows).to(device)
            inputs, labels = samples.inputs(index), samples.labels[index]
            if alternation is not None:
                alternation.step(*inputs)
            optimiser.zero_grad()
            found = net(*inputs)
            loss = F.cross_entropy(found, labels)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            loss_sum += loss.detach() * len(rows)
            right += (found.argmax(dim=1) == labels).sum()
    return float(loss_sum) / len(samples), 1 - int(right) / len(samples)


def _endless(samples: Samples, size: int, seed: int) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Inputs of batch after batch, epoch after epoch, drawn apart from those of the training."""
    number = 0
    while True:
        with batches(len(samples), size, [seed, number, 1]) as drawn:
            for rows in drawn:
                yield samples.inputs(torch.from_numpy(rows).to(samples.labels.device))
        number += 1
