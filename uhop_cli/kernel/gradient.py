"""Stage I by gradient descent on W: the first loop of U-Hop's Algorithm 1, exact and without automatic differentiation.

With features Z = X W^T, unit features F = Z / ||z||, cosines C = F F^T and pair weights S = dL/dC (losses.py), the chain rule gives

    V = dL/dZ = (S F - <S F, F> F) / ||z||     (row by row),        dL/dW = V^T X.

So a step W <- W - g dL/dW moves the features by -g K0 V with K0 = X X^T: everything that a step needs lives in the span of the
memories, and neither d nor W appears. Nor does D: with Z^T = Q Y^T (QR), the rows of V stay in the span of Q's columns, so
Y, (M, min(M, D)), can be followed instead of Z. W itself is formed once, at the end, from the sum of all g V:

    W = W0 - Q (sum g V)^T X.

This is W's own descent to rounding (docs/stage-one.md), at O(M^3) a step instead of O(M d D). Patterns are rows, (M, d).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.library import Array, like, namespace, to_numpy
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float64, Int64
from uhop_cli.errors import SettingsError
from uhop_cli.kernel.gram_step import Stepper, gradient_of, point_at
from uhop_cli.kernel.losses import AverageLoss, SeparationLoss
from uhop_cli.progress import OnProgress, Progress

FULL_BATCH = 4000  # memories up to which all pairs are taken at every step, unless a batch size is given
BATCH = 512  # memories of a mini-batch, where M is larger than that
SAMPLE = 2048  # memories that the loss of a mini-batch run is measured on, before and after
GROUP = 1 << 18  # pairs followed at a time when many memory sets are learned at once: the arrays of a step should stay in the cache


@dataclass(frozen=True)
class GradientSettings:
    """How to descend.

    Attributes:
        loss: the separation loss.
        iterations: N, the largest number of steps.
        learning_rate: g, or 'auto': found by backtracking so that the loss falls at every step, and carried from step to step.
        schedule: 'constant', or 'published': g / sqrt(k!) at step k = 0, 1, ..., which the authors' script arrives at by dividing
            the current rate by sqrt(k) at every epoch (all steps together are worth 3.47 steps at the first rate).
        batch_size: memories a step, all pairs among them; None takes all up to `FULL_BATCH` memories and `BATCH` beyond.
        tolerance: stop once the loss is within this share of its bound; 0 never stops early.
    """

    loss: SeparationLoss = field(default_factory=AverageLoss)
    iterations: int = 1000
    learning_rate: float | Literal["auto"] = "auto"
    schedule: Literal["constant", "published"] = "constant"
    batch_size: int | None = None
    tolerance: float = 0.0

    def __post_init__(self) -> None:
        if self.iterations < 0:
            raise SettingsError(f"the number of iterations cannot be negative: {self.iterations}")
        if self.learning_rate != "auto" and (self.learning_rate == 0 or not math.isfinite(self.learning_rate)):
            raise SettingsError(f"the learning rate must be a number other than 0, or 'auto', not {self.learning_rate}")
        if self.learning_rate == "auto" and self.schedule != "constant":
            raise SettingsError("the published schedule needs a learning rate", "the authors' script starts at 1")
        if self.batch_size is not None and self.batch_size < 2:
            raise SettingsError(f"a batch needs at least two memories, not {self.batch_size}")
        if not 0 <= self.tolerance < 1:
            raise SettingsError(f"the tolerance must lie in [0, 1), not {self.tolerance}")

    @property
    def rates(self) -> Callable[[int], float] | None:
        """Step k = 0, 1, ... -> learning rate; None for 'auto'."""
        first = self.learning_rate
        if first == "auto":
            return None
        if self.schedule == "published":
            return lambda step: first * math.exp(-0.5 * math.lgamma(step + 1))
        return lambda step: first


@dataclass(frozen=True)
class Descent:
    """The outcome of Stage I. The leading axis of sets is there if the patterns had one.

    Attributes:
        weight: W, shape (..., D, d), not row-normalised.
        losses: shape (..., steps + 1): the loss before the first and after each step; a set that stopped early repeats its last.
            In mini-batches, the loss of each batch after its own step, the first batch before it.
        loss_initial, loss_final: over all memories, or over the same `SAMPLE` of them in mini-batches; shape (...).
        bound: of the loss, for this M and min(D, d).
        steps: taken, shape (...).
        learning_rate: of the last step, shape (...).
        stalled: shape (...); True where no step lowered the loss any more.
    """

    weight: Array
    losses: Float64
    loss_initial: Float64
    loss_final: Float64
    bound: float
    steps: Int64
    learning_rate: Float64
    stalled: Bool


def descend(
    patterns: Array, weight: Array, settings: GradientSettings, *, seed: int = 0, progress: OnProgress | None = None
) -> Descent:
    """Minimise a separation loss over W by gradient descent (Algorithm 1, first loop).

    Args:
        patterns: X, (M, d), or (R, M, d) for R memory sets at once; float32 or float64, which is the precision of all the work.
        weight: W0, (D, d), or (R, D, d) for a start of its own for each set.
        settings: loss, steps, learning rate.
        seed: of the order of the mini-batches.
        progress: told after every step, with the loss (mean over sets) and its bound.

    Fewer than two memories have no pair to separate: W0 is returned as it is, with a loss of NaN.

    Raises:
        SettingsError: the shapes don't fit, or mini-batches are asked for several sets at once.
    """
    xp = namespace(patterns, weight)
    weight = xp.astype(weight, patterns.dtype)
    if patterns.ndim not in (2, 3) or weight.ndim not in (2, 3) or weight.ndim > patterns.ndim:
        raise SettingsError(f"patterns of shape {tuple(patterns.shape)} and a weight of shape {tuple(weight.shape)} don't fit")
    if patterns.shape[-1] != weight.shape[-1]:
        raise SettingsError(f"patterns of {patterns.shape[-1]} values don't fit a weight for {weight.shape[-1]} values")
    memories = int(patterns.shape[-2])
    batch = settings.batch_size or (memories if memories <= FULL_BATCH else BATCH)
    if memories < 2:
        return _nothing_to_separate(patterns, weight)
    if batch < memories:
        if patterns.ndim == 3:
            raise SettingsError("mini-batches learn one memory set at a time", "pass the sets one after the other")
        return _mini_batches(patterns, weight, settings, batch, seed, progress)
    if patterns.ndim == 2:
        return _squeezed(_full_batch(patterns[None], weight[None], settings, progress))
    weights = weight if weight.ndim == 3 else xp.broadcast_to(weight, (patterns.shape[0], *weight.shape))
    groups = chunks(int(patterns.shape[0]), GROUP // memories**2)  # at least one set a group
    return _joined([_full_batch(patterns[group], weights[group], settings, progress) for group in groups])


def _step(done: int, settings: GradientSettings, loss: float, bound: float) -> Progress:
    return Progress("learn", done, settings.iterations, f"loss {loss:.4f}, bound {bound:.4f}")


def _full_batch(patterns: Array, weight: Array, settings: GradientSettings, progress: OnProgress | None) -> Descent:
    """All pairs at every step, for sets (R, M, d) from (R, D, d)."""
    xp = namespace(patterns)
    memories, feature_dim = int(patterns.shape[-2]), int(weight.shape[-2])
    rank = min(feature_dim, int(patterns.shape[-1]))
    features, basis = patterns @ weight.mT, None
    if feature_dim > memories:
        basis, triangle = xp.linalg.qr(features.mT)
        features = triangle.mT
    gram = patterns @ patterns.mT
    loss, final = settings.loss.at(0.0), settings.loss.at(1.0)
    point = point_at(features, loss)
    bound = loss.bound(memories, rank)
    total = xp.zeros_like(features)
    active = xp.isfinite(point.loss)
    stalled, steps, rate = ~active, xp.zeros_like(point.loss), xp.zeros_like(point.loss)
    stepper, trace = Stepper(settings.rates), [to_numpy(point.loss)]
    for k in range(settings.iterations):
        annealed = settings.loss.at((k + 1) / settings.iterations)
        if annealed != loss:  # the same features under another loss
            loss, bound = annealed, annealed.bound(memories, rank)
            point = point_at(point.features, loss)
        gradient = gradient_of(point)
        point, used = stepper.step(point, gradient, gram, loss, active)
        total += used * gradient
        moved = used[:, 0, 0] != 0
        steps, rate = steps + moved, xp.where(moved, used[:, 0, 0], rate)
        stalled, active = stalled | (active & ~moved), active & moved
        if settings.tolerance > 0 and loss == final:
            active = active & (point.loss > bound + settings.tolerance * abs(bound))
        trace.append(to_numpy(point.loss))
        if progress:
            progress(_step(k + 1, settings, float(np.mean(trace[-1])), bound))
        if not bool(xp.any(active)):
            break
    change = total.mT @ patterns
    if basis is not None:
        change = basis @ change
    change *= -1
    change += weight  # in place: W of many sets is far more than a cache holds
    losses = np.stack(trace, axis=-1).astype(np.float64)
    return Descent(
        weight=change,
        losses=losses,
        loss_initial=losses[..., 0],
        loss_final=losses[..., -1],
        bound=bound,
        steps=to_numpy(steps).astype(np.int64),
        learning_rate=to_numpy(rate).astype(np.float64),
        stalled=to_numpy(stalled),
    )


def _mini_batches(
    patterns: Array, weight: Array, settings: GradientSettings, batch: int, seed: int, progress: OnProgress | None
) -> Descent:
    """The pairs of `batch` memories at every step, W formed at every step; for one set (M, d) from (D, d).

    A step searches its rate on its own batch, in the span of that batch. Every memory is seen once before any is seen again.
    """
    xp = namespace(patterns)
    memories, rank = int(patterns.shape[0]), min(int(weight.shape[0]), int(patterns.shape[1]))
    rng = np.random.default_rng(seed)
    final = settings.loss.at(1.0)
    bound = final.bound(memories, rank)
    sample = _rows(patterns, rng.choice(memories, min(SAMPLE, memories), replace=False))
    initial = to_numpy(point_at((sample @ weight.mT)[None], settings.loss.at(0.0)).loss)[0]
    trace: list[NDArray[Any]] = []
    stepper, steps, rate, stalled = Stepper(settings.rates), 0, 0.0, False
    order = rng.permutation(memories)
    for k in range(settings.iterations):
        if len(order) < batch:
            order = rng.permutation(memories)
        chosen, order = order[:batch], order[batch:]
        rows = _rows(patterns, chosen)
        loss = settings.loss.at((k + 1) / settings.iterations)
        point = point_at((rows @ weight.mT)[None], loss)
        if not trace:
            trace.append(to_numpy(point.loss)[0])
        gradient = gradient_of(point)
        point, used = stepper.step(point, gradient, (rows @ rows.mT)[None], loss, xp.isfinite(point.loss))
        weight = weight - (used[0] * gradient[0]).mT @ rows
        trace.append(to_numpy(point.loss)[0])
        moved = float(used[0, 0, 0])
        steps, rate, stalled = steps + (moved != 0), moved or rate, moved == 0
        if progress:
            progress(_step(k + 1, settings, float(trace[-1]), bound))
        last_pass = trace[-(memories // batch) :]
        if settings.tolerance > 0 and loss == final and float(np.mean(last_pass)) <= bound + settings.tolerance * abs(bound):
            break
    reached = to_numpy(point_at((sample @ weight.mT)[None], final).loss)[0]
    one = Descent(
        weight=weight[None],
        losses=np.asarray([trace or [initial]], np.float64),
        loss_initial=np.asarray([initial], np.float64),
        loss_final=np.asarray([reached], np.float64),
        bound=bound,
        steps=np.asarray([steps]),
        learning_rate=np.asarray([rate]),
        stalled=np.asarray([stalled]),
    )
    return _squeezed(one)


def _rows(patterns: Array, chosen: Int64) -> Array:
    """The chosen rows of the patterns."""
    return namespace(patterns).take(patterns, like(patterns, chosen), axis=0)


def _nothing_to_separate(patterns: Array, weight: Array) -> Descent:
    """The outcome for sets of fewer than two memories."""
    xp = namespace(patterns)
    sets = tuple(patterns.shape[:-2])
    nothing = np.full(sets, math.nan)
    return Descent(
        weight=xp.broadcast_to(weight, (*sets, *weight.shape[-2:])),
        losses=nothing[..., None],
        loss_initial=nothing,
        loss_final=nothing,
        bound=math.nan,
        steps=np.zeros(sets, np.int64),
        learning_rate=np.zeros(sets),
        stalled=np.zeros(sets, np.bool_),
    )


def _squeezed(result: Descent) -> Descent:
    """The outcome of a single set, without the axis of sets."""
    values: dict[str, Any] = {f.name: getattr(result, f.name) for f in fields(result)}
    return Descent(**{name: value if name == "bound" else value[0] for name, value in values.items()})


def _joined(parts: list[Descent]) -> Descent:
    """The outcomes of groups of sets as one; shorter traces are continued with their last loss."""
    if len(parts) == 1:
        return parts[0]
    xp = namespace(parts[0].weight)
    length = max(part.losses.shape[-1] for part in parts)
    losses = [np.pad(part.losses, ((0, 0), (0, length - part.losses.shape[-1])), mode="edge") for part in parts]
    rest: dict[str, Any] = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name in ("loss_initial", "loss_final", "steps", "learning_rate", "stalled")
    }
    return Descent(
        weight=xp.concat([part.weight for part in parts], axis=0),
        losses=np.concatenate(losses),
        bound=parts[0].bound,
        **rest,
    )
