"""A small hourly series with a day in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from uhop_cli.experiments.forecasts import nets
from uhop_cli.experiments.forecasts.config import ForecastConfig
from uhop_cli.forecasting.series import Series


def _values(rows: int) -> np.ndarray:
    generator = np.random.default_rng(0)
    day = np.sin(np.arange(rows) * 2 * np.pi / 24)[:, None] * np.array([1.0, 0.5])
    return day + 0.3 * generator.normal(size=(rows, 2))


@pytest.fixture
def short() -> Series:
    """400 rows: windows of 96 and short horizons."""
    return Series("mine", ("a", "b"), _values(400), season=24)


@pytest.fixture
def long() -> Series:
    """3,300 rows: events of 96 rows have room in every part."""
    return Series("mine", ("a", "b"), _values(3300), season=24)


@pytest.fixture
def few_windows(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nets that learn next to nothing, quickly."""
    import torch

    monkeypatch.setattr(nets, "QUICK", {"epochs": 1, "windows": 32})
    monkeypatch.setattr(nets, "VALIDATION_WINDOWS", 10)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def quick() -> ForecastConfig:
    """24 -> 6, every net, one seed; a memory of 40 windows."""
    return ForecastConfig(("forecast",), ("all",), look_backs=(24,), horizons=(6,), stored=(40,), quick=True)


@pytest.fixture
def csv(tmp_path: Path, short: Series) -> Path:
    """The short series as a file."""
    lines = [f"2016-01-{1 + row // 24:02d} {row % 24:02d}:00,{a:.6f},{b:.6f}" for row, (a, b) in enumerate(short.values)]
    path = tmp_path / "mine.csv"
    path.write_text("date,a,b\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path
