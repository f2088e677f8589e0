"""A small net and a small series with a day in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from uhop_cli.forecasting.windows import Windows, cut
from uhop_cli.nn.stanhop import NetSettings, STanHopNet
from uhop_cli.nn.training import seeded

MakeNet = Callable[..., STanHopNet]


def _make_net(seed: int = 0, **settings: Any) -> STanHopNet:
    sizes = {"look_back": 12, "horizon": 6, "series": 2, "width": 8, "heads": 2, "hidden": 8, "patch": 4, "patterns": 3}
    return seeded(seed, lambda: STanHopNet(NetSettings(**(sizes | settings))))


@pytest.fixture
def make_net() -> MakeNet:
    """A net of 12 -> 6 rows of 2 series; other settings by name."""
    return _make_net


@pytest.fixture
def windows() -> Windows:
    """All windows of 120 rows of a sine of period 12 and its double, with noise."""
    generator = np.random.default_rng(0)
    day = np.sin(np.arange(120) * 2 * np.pi / 12)[:, None] * np.array([1.0, 2.0])
    return cut(day + 0.1 * generator.normal(size=(120, 2)), 12, 6)
