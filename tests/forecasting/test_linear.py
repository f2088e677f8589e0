"""The closed form is the least-squares solution, whatever way the sums came together."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.forecasting import linear
from uhop_cli.forecasting.linear import NormalEquations, fit_linear
from uhop_cli.forecasting.windows import Windows, cut

GENERATOR = np.random.default_rng(0)
VALUES = np.cumsum(GENERATOR.normal(size=(60, 2)), axis=0)


def by_lstsq(windows: Windows, centred: bool) -> np.ndarray:
    """The same regression from its definition, one row a window and series, and its forecast of all windows."""
    x = np.concatenate([windows.past[:, :, c] for c in range(2)])
    y = np.concatenate([windows.future[:, :, c] for c in range(2)])
    mean = x.mean(axis=1, keepdims=True) * centred
    rows = np.c_[x - mean, np.ones(len(x))]
    fitted = rows @ np.linalg.lstsq(rows, y - mean, rcond=1e-10)[0] + mean
    return np.stack([fitted[: len(windows)], fitted[len(windows) :]], axis=2)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize("block", [7, 1 << 14])
def test_it_is_least_squares(centred: bool, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "BLOCK", block)
    windows = cut(VALUES, 6, 3)
    np.testing.assert_allclose(fit_linear(windows, centred=centred)(windows.past), by_lstsq(windows, centred), atol=1e-8)


def test_a_line_goes_on_and_a_level_is_kept() -> None:
    line = np.arange(30.0)[:, None]
    model = fit_linear(cut(line, 4, 2), centred=True)
    np.testing.assert_allclose(model(np.arange(100.0, 104)[None, :, None])[0, :, 0], [104, 105], atol=1e-6)
    level = model(np.full((1, 4, 1), 7.0))
    np.testing.assert_allclose(model(np.full((1, 4, 1), 9.0)) - level, 2, atol=1e-9)


def test_windows_may_come_in_parts() -> None:
    windows = cut(VALUES, 6, 3)
    halves = [Windows(w.past, w.future, w.starts) for w in (cut(VALUES, 6, 3, range(30)), cut(VALUES, 6, 3, range(22, 60)))]
    parts = NormalEquations.empty(6, 3, centred=False)
    for half in halves:
        parts = parts.add(half)
    np.testing.assert_allclose(parts.solve().weight, fit_linear(windows, centred=False).weight, atol=1e-8)


def test_adding_leaves_the_first_sums_alone() -> None:
    empty = NormalEquations.empty(6, 3, centred=False)
    empty.add(cut(VALUES, 6, 3))
    assert not empty.gram.any()
    assert not empty.moment.any()
