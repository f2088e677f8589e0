"""Plug-and-Play: an external memory of windows and what followed them, in front of which any forecaster stands unchanged.

Each series of a window is a pattern of its own. With k(x) = (x - mean x) / ||x - mean x|| the weights over the M stored windows are

    p = Sep(beta * sim(k(x), k(xi_mu))),     mu among the windows that the query may see (`leakage`)

and what is read out with them is either of

    future       y_mem = mean x + sum_mu p_mu (y_mu - mean xi_mu),       y = (1 - g) y_model + g y_mem
    residual     r_mem = sum_mu p_mu (y_mu - model(xi_mu)),              y = y_model + g r_mem

Nothing is trained and windows can be added at any time. g = 0 is the model itself, bit for bit. Values are read out as they are,
not in units of each window's own deviation: one window that is nearly flat would otherwise blow up every forecast that sees it.

The idea of a memory that is plugged in without training is that of STanHop-Net (Wu et al. 2024, arXiv 2312.17346), which published
neither code nor a definition; this definition is this project's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.leakage import Rule, admissible
from uhop_cli.forecasting.naive import Forecaster
from uhop_cli.forecasting.windows import Windows
from uhop_cli.retrieval.separation import Separation
from uhop_cli.retrieval.similarity import similarity

ReadOut = Literal["future", "residual"]

BLOCK_VALUES = 1 << 22  # scores that are held at a time, 16 MB


@dataclass(frozen=True)
class MemorySettings:
    """Settings of a `ForecastMemory`.

    Attributes:
        look_back: L, rows of a window.
        horizon: H, rows of a future.
        similarity: of two windows, one of `retrieval.similarity` that has no W.
        separation: as `--separation` writes it.
        beta: inverse temperature, per unit of similarity.
        weight: g, from 0 (the model alone) to 1.
        read_out: what is read out: the futures themselves, or what the model got wrong.

    Raises:
        SettingsError: a value that makes no sense.
    """

    look_back: int
    horizon: int
    similarity: str = "cosine"
    separation: str = "softmax"
    beta: float = 20.0
    weight: float = 0.5
    read_out: ReadOut = "future"

    def __post_init__(self) -> None:
        if self.look_back < 2 or self.horizon < 1:
            raise SettingsError("a memory needs a look-back of at least 2 and a horizon of at least 1")
        if similarity(self.similarity).uses_weight:
            raise SettingsError(f"a forecast memory has no W for similarity '{self.similarity}'", "cosine, l2 or l1")
        if Separation.parse(self.separation).by_place:
            raise SettingsError(
                f"separation '{self.separation}' depends on the order of the queries", "softmax, entmax:1.5, top-k:10"
            )
        if not (math.isfinite(self.beta) and self.beta >= 0):
            raise SettingsError(f"beta is a number from 0 on, not {self.beta}")
        if not 0 <= self.weight <= 1:
            raise SettingsError(f"the weight of the memory is from 0 to 1, not {self.weight}")
        if self.read_out not in ("future", "residual"):
            raise SettingsError(f"there is no read-out '{self.read_out}'", "future or residual")

    def weigh(self, scores: Float32, beta: float | None = None) -> Float32:
        """p (Q, M) from similarities (Q, M); a row of which nothing is admissible (all -infinity) has weight 0 throughout."""
        beta = self.beta if beta is None else beta
        seen = np.isfinite(scores)
        if seen.all():
            plain: Float32 = Separation.parse(self.separation)(np.float32(beta) * scores)
            return plain
        logits = np.where(seen, np.float32(beta) * np.where(seen, scores, 0), -np.inf)
        empty = ~seen.any(axis=1, keepdims=True)
        weights: Float32 = Separation.parse(self.separation)(np.where(empty, np.float32(0), logits))
        return np.where(empty, np.float32(0), weights)


@dataclass(frozen=True)
class Block:
    """Scores of some queries in one series: `scores` (q, m) of the queries `rows` against the stored windows `stored`."""

    rows: slice
    channel: int
    stored: Bool | slice
    scores: Float32


@dataclass(frozen=True)
class Recall:
    """What the memory said to N queries of C series.

    Attributes:
        values: the read-out, (N, H, C): futures, or residuals.
        entry: the stored window of the largest weight, (N, C).
        weight: its weight, (N, C).
        similarity: its similarity, (N, C).
        known: whether there was a stored window that the query may see, (N,).
    """

    values: Float64
    entry: Int64
    weight: Float64
    similarity: Float64
    known: Bool


@dataclass(frozen=True)
class ForecastMemory:
    """Stored windows, by series.

    Attributes:
        settings: how they are asked.
        past: (C, M, L) float32.
        future: (C, M, H) float32.
        starts: (M,) first rows.
        residual: (C, M, H) float32, what the model got wrong; None where no model was given.

    Raises:
        SettingsError: arrays that do not fit each other.
    """

    settings: MemorySettings
    past: Float32 = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    future: Float32 = field(default_factory=lambda: np.zeros((0, 0, 0), np.float32))
    starts: Int64 = field(default_factory=lambda: np.zeros(0, np.int64))
    residual: Float32 | None = None

    def __post_init__(self) -> None:
        channels, count = self.past.shape[:2]
        if count and (
            self.past.shape != (channels, count, self.settings.look_back)
            or self.future.shape != (channels, count, self.settings.horizon)
            or self.starts.shape != (count,)
            or (self.residual is not None and self.residual.shape != self.future.shape)
        ):
            raise SettingsError("windows, futures, residuals and starts of this memory do not fit each other")

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def channels(self) -> int:
        """C."""
        return int(self.past.shape[0])

    def store(self, windows: Windows, model: Forecaster | None = None) -> ForecastMemory:
        """A memory that holds these windows too; nothing is fitted, and what was stored stays as it is.

        Args:
            windows: of the settings' look-back and horizon.
            model: the forecaster whose residuals are to be stored beside the futures. All windows of a memory have one or none has.

        Raises:
            SettingsError: lengths or series that do not fit, a value that is not finite, a model for some windows only.
        """
        if (windows.look_back, windows.horizon) != (self.settings.look_back, self.settings.horizon):
            raise SettingsError(
                f"windows of {windows.look_back} and futures of {windows.horizon} do not fit a memory of "
                f"{self.settings.look_back} and {self.settings.horizon}"
            )
        past, future = _by_channel(windows.past), _by_channel(windows.future)
        residual = None if model is None else _by_channel(windows.future - model(windows.past))
        if not (np.isfinite(past).all() and np.isfinite(future).all() and (residual is None or np.isfinite(residual).all())):
            raise SettingsError("a window to be stored has values that are not finite", "fill them, or leave the window out")
        if not len(self):
            return replace(self, past=past, future=future, starts=windows.starts.copy(), residual=residual)
        if past.shape[0] != self.channels:
            raise SettingsError(f"{past.shape[0]} series do not fit a memory of {self.channels}")
        if (residual is None) != (self.residual is None):
            raise SettingsError("all windows of a memory have residuals of a model, or none has", "give the same model")
        return replace(
            self,
            past=np.concatenate([self.past, past], axis=1),
            future=np.concatenate([self.future, future], axis=1),
            starts=np.concatenate([self.starts, windows.starts]),
            residual=None if residual is None or self.residual is None else np.concatenate([self.residual, residual], axis=1),
        )

    def with_settings(self, **changes: Any) -> ForecastMemory:
        """The same windows asked in another way: `similarity`, `separation`, `beta`, `weight` or `read_out`."""
        return replace(self, settings=replace(self.settings, **changes))

    def stored(self, read_out: ReadOut) -> Float32:
        """What is read out: y - mean xi, or y - model(xi); (C, M, H).

        Raises:
            SettingsError: an empty memory; residuals of a memory that was stored without a model.
        """
        self._check_not_empty()
        if read_out == "future":
            return self._changes
        if self.residual is None:
            raise SettingsError("this memory holds no residuals", "store windows with their model, or read out futures")
        return self.residual

    def _check_not_empty(self) -> None:
        if not len(self):
            raise SettingsError("the memory is empty", "store windows first")

    @cached_property
    def _changes(self) -> Float32:
        changes: Float32 = self.future - self.past.mean(axis=2, keepdims=True)
        return changes

    @cached_property
    def _keys(self) -> Float32:
        return _unit(self.past)

    def blocks(self, past: Float64, starts: Int64 | None = None, rule: Rule = "past") -> Iterator[Block]:
        """Similarities of queries (N, L, C) to the stored windows, -infinity where `rule` forbids to look, series by series.

        Without `starts` the queries come after everything that is stored.
        """
        settings = self.settings
        self._check_not_empty()
        if past.ndim != 3 or past.shape[1:] != (settings.look_back, self.channels):
            raise SettingsError(f"windows {past.shape} must be (N, {settings.look_back}, {self.channels})")
        if starts is not None and starts.shape != (len(past),):
            raise SettingsError(f"{len(past)} windows need as many starts, not {starts.shape}")
        score = similarity(settings.similarity)
        step = max(1, BLOCK_VALUES // len(self))
        for begin in range(0, len(past), step):
            rows = slice(begin, min(begin + step, len(past)))
            stored: Bool | slice = slice(None)
            allowed = None
            if starts is not None:
                allowed = admissible(self.starts, starts[rows], settings.look_back, settings.horizon, rule)
                some: Bool = np.any(allowed, axis=0)
                if not some.all():
                    stored, allowed = some, allowed[:, some]
            keys = _unit(_by_channel(past[rows]))
            for channel in range(self.channels):
                if allowed is not None and not allowed.shape[1]:
                    yield Block(rows, channel, stored, np.zeros((rows.stop - begin, 0), np.float32))
                    continue
                scores = score(keys[channel], self._keys[channel][stored])
                yield Block(rows, channel, stored, scores if allowed is None else np.where(allowed, scores, -np.inf))

    def recall(self, past: Float64, starts: Int64 | None = None, rule: Rule = "past") -> Recall:
        """The read-out of the settings for windows (N, L, C), and where it came from.

        Args:
            past: the queries.
            starts: first row of each, on the count of rows of the stored windows; None: they come after everything stored.
            rule: which stored windows a query may see.

        Raises:
            SettingsError: shapes that do not fit, an empty memory.
        """
        stored = self.stored(self.settings.read_out)
        shape = (len(past), past.shape[2])
        values = np.zeros((len(past), self.settings.horizon, past.shape[2]))
        entry, weight, nearness = np.zeros(shape, np.int64), np.zeros(shape), np.zeros(shape)
        known = np.zeros(len(past), np.bool_)
        for block in self.blocks(past, starts, rule):
            if not block.scores.shape[1]:
                continue
            weights = self.settings.weigh(block.scores)
            values[block.rows, :, block.channel] = weights @ stored[block.channel][block.stored]
            top = weights.argmax(axis=1)
            lines = np.arange(len(top))
            entry[block.rows, block.channel] = np.arange(len(self))[block.stored][top]
            weight[block.rows, block.channel] = weights[lines, top]
            nearness[block.rows, block.channel] = block.scores[lines, top]
            known[block.rows] = np.isfinite(block.scores).any(axis=1)
        if self.settings.read_out == "future":
            values += past.mean(axis=1, keepdims=True)
        return Recall(values, entry, weight, nearness, known)

    def forecast(self, past: Float64, starts: Int64 | None = None, rule: Rule = "past") -> tuple[Float64, Recall]:
        """The memory's own forecast (N, H, C), without a model, and where it came from.

        Raises:
            SettingsError: the read-out is not 'future'; a query that may see nothing; and what `recall` raises.
        """
        if self.settings.read_out != "future":
            raise SettingsError("residuals are no forecast of their own", "correct(past, prediction), or read out futures")
        recall = self.recall(past, starts, rule)
        if not recall.known.all():
            raise SettingsError(f"nothing is stored that ended before window {int(np.argmin(recall.known))}")
        return recall.values, recall

    def correct(self, past: Float64, prediction: Float64, starts: Int64 | None = None, rule: Rule = "past") -> Float64:
        """A model's forecasts (N, H, C) of windows (N, L, C), corrected; unchanged, bit for bit, where g is 0 or nothing may be
        seen.

        Raises:
            SettingsError: shapes that do not fit, an empty memory.
        """
        if prediction.shape != (len(past), self.settings.horizon, past.shape[2]):
            raise SettingsError(f"predictions {prediction.shape} must be ({len(past)}, {self.settings.horizon}, {past.shape[2]})")
        weight = self.settings.weight
        if weight == 0:
            return prediction.copy()
        recall = self.recall(past, starts, rule)
        if self.settings.read_out == "future":
            corrected = (1 - weight) * prediction + weight * recall.values
        else:
            corrected = prediction + weight * recall.values
        return np.where(recall.known[:, None, None], corrected, prediction)


def _by_channel(windows: Float64) -> Float32:
    """(N, L, C) -> (C, N, L) float32."""
    return np.ascontiguousarray(windows.transpose(2, 0, 1), np.float32)


def _unit(windows: Float32) -> Float32:
    """(x - mean x) / ||x - mean x|| along the last axis; 0 for a flat window."""
    centred = windows - windows.mean(axis=-1, keepdims=True)
    length = np.linalg.norm(centred, axis=-1, keepdims=True)
    # The mean of equal float32 values may miss them by a rounding; what is left is no shape.
    flat = length <= 1e-6 * np.sqrt(windows.shape[-1]) * np.abs(windows).max(axis=-1, keepdims=True)
    return np.where(flat, np.float32(0), centred / np.where(flat, np.float32(1), length))
