"""The closed form is the least-squares solution, whatever way the sums came together."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
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
@pytest.mark.parametrize("level", [0.0, 50.0])
@pytest.mark.parametrize("rows", [60, 31])
def test_it_is_least_squares(centred: bool, level: float, rows: int) -> None:
    values = VALUES[:rows] + level
    windows = cut(values, 6, 3)
    np.testing.assert_allclose(fit_linear(values, 6, 3, centred=centred)(windows.past), by_lstsq(windows, centred), atol=1e-6)


@pytest.mark.parametrize("centred", [True, False])
@pytest.mark.parametrize(("look_back", "horizon"), [(6, 3), (2, 5), (1, 1)])
def test_the_sums_are_those_over_the_windows(centred: bool, look_back: int, horizon: int) -> None:
    windows = cut(VALUES, look_back, horizon)
    x, y = windows.past.transpose(0, 2, 1).reshape(-1, look_back), windows.future.transpose(0, 2, 1).reshape(-1, horizon)
    mean = x.mean(axis=1, keepdims=True) * centred
    z = np.c_[x - mean, np.ones(len(x))]
    found = NormalEquations.empty(look_back, horizon, centred=centred).add(VALUES)
    np.testing.assert_allclose(found.gram, z.T @ z, atol=1e-9)
    np.testing.assert_allclose(found.moment, z.T @ (y - mean), atol=1e-9)


@pytest.mark.parametrize("block", [7, 1 << 14])
def test_forecasts_do_not_depend_on_the_block(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linear, "BLOCK", block)
    model, past = fit_linear(VALUES, 6, 3, centred=True), cut(VALUES, 6, 3).past
    mean = past.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(
        model(past), np.einsum("nlc,lh->nhc", past - mean, model.weight) + model.bias[:, None] + mean, atol=1e-9
    )


def test_a_line_goes_on_and_a_level_is_kept() -> None:
    line = np.arange(30.0)[:, None]
    model = fit_linear(line, 4, 2, centred=True)
    np.testing.assert_allclose(model(np.arange(100.0, 104)[None, :, None])[0, :, 0], [104, 105], atol=1e-6)
    level = model(np.full((1, 4, 1), 7.0))
    np.testing.assert_allclose(model(np.full((1, 4, 1), 9.0)) - level, 2, atol=1e-9)


def test_rows_may_come_in_parts() -> None:
    parts = NormalEquations.empty(6, 3, centred=False).add(VALUES[:30]).add(VALUES[22:])
    np.testing.assert_allclose(parts.solve().weight, fit_linear(VALUES, 6, 3, centred=False).weight, atol=1e-8)


def test_adding_leaves_the_first_sums_alone() -> None:
    empty = NormalEquations.empty(6, 3, centred=False)
    empty.add(VALUES)
    assert not empty.gram.any()
    assert not empty.moment.any()


def test_too_few_rows_are_refused() -> None:
    fit_linear(VALUES[:9], 6, 3, centred=False)
    with pytest.raises(SettingsError, match="8 rows are too few"):
        fit_linear(VALUES[:8], 6, 3, centred=False)
