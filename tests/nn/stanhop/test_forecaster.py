"""Nets as forecasters on NumPy windows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from uhop_cli.forecasting.windows import Windows
from uhop_cli.nn.stanhop import STanHopNet, TuneAndPlay, forecaster, predict
from uhop_cli.nn.training import seeded

MakeNet = Callable[..., STanHopNet]


def test_batches_and_the_mode_of_the_model_change_nothing(
    make_net: MakeNet, windows: Windows, monkeypatch: pytest.MonkeyPatch
) -> None:
    net = make_net(dropout=0.5).train()
    whole = predict(net, windows.past[:10])
    monkeypatch.setattr(forecaster, "BATCH", 4)
    assert np.allclose(predict(net, windows.past[:10]), whole, atol=1e-6)
    assert whole.dtype == np.float64
    assert net.training
    with torch.no_grad():
        expected = net.eval()(torch.tensor(windows.past[:10], dtype=torch.float32))
    assert np.allclose(whole, expected.numpy(), atol=1e-6)


def test_without_starts_windows_come_after_everything_that_is_stored(make_net: MakeNet, windows: Windows) -> None:
    stored = Windows(windows.past[:30], windows.future[:30], windows.starts[:30])
    model = seeded(1, lambda: TuneAndPlay(make_net(), stored))
    past, starts = windows.past[60:64], windows.starts[60:64]
    assert np.array_equal(predict(model, past), predict(model, past, starts))
    assert not np.array_equal(predict(model, past), predict(model, past, starts - 50))  # then some may not be seen yet
