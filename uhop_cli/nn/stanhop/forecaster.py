"""A net, with a memory or without, as a forecaster: NumPy windows in, NumPy futures out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from uhop_cli.arrays.types import Float64, Int64
from uhop_cli.forecasting.leakage import Rule
from uhop_cli.nn.stanhop.tuning import TuneAndPlay

BATCH = 256  # windows at a time
LATER = 1 << 62  # a row after every other


def predict(model: nn.Module, past: Float64, starts: Int64 | None = None) -> Float64:
    """Forecasts (N, H, C) of windows (N, L, C); a memory shows each query what had ended before it.

    Args:
        model: a `STanHopNet` or a `TuneAndPlay`.
        past: the windows.
        starts: the rows at which they begin, (N,); None: they come after everything that a memory holds.
    """
    if starts is None:
        starts = np.full(len(past), LATER)
    training = model.training
    model.eval()
    parts = []
    with torch.no_grad():
        for begin in range(0, len(past), BATCH):
            rows = slice(begin, begin + BATCH)
            parts.append(forecast(model, past[rows], starts[rows], "past").cpu().numpy())
    model.train(training)
    return np.concatenate(parts).astype(np.float64)


def forecast(model: nn.Module, past: Float64, starts: Int64, rule: Rule) -> Tensor:
    """Futures (B, H, C) of windows (B, L, C), with gradients; `rule` says which stored windows a memory shows."""
    return model(*inputs(model, past, starts, rule))  # type: ignore[no-any-return]


def inputs(model: nn.Module, past: Float64, starts: Int64, rule: Rule) -> tuple[Any, ...]:
    """What the model is called with: a net with the windows, a memory also with where they begin and what it may show."""
    x = tensor(model, past)
    return (x, starts, rule) if isinstance(model, TuneAndPlay) else (x,)


def tensor(model: nn.Module, values: Float64) -> Tensor:
    """The values as float32 where the model is."""
    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(next(model.parameters()).device)
