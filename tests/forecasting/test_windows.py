"""Windows are views, all of them, and say where they began."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.windows import Windows, cut

VALUES = np.arange(20.0).reshape(10, 2)


def test_every_window_and_its_future() -> None:
    windows = cut(VALUES, 3, 2, range(1, 9))
    assert len(windows) == 4
    assert windows.starts.tolist() == [1, 2, 3, 4]
    for window, start in enumerate(windows.starts):
        np.testing.assert_array_equal(windows.past[window], VALUES[start : start + 3])
        np.testing.assert_array_equal(windows.future[window], VALUES[start + 3 : start + 5])
    assert (windows.look_back, windows.horizon) == (3, 2)


def test_nothing_is_copied() -> None:
    windows = cut(VALUES, 3, 2)
    assert np.shares_memory(windows.past, VALUES)
    assert np.shares_memory(windows.future, VALUES)


@pytest.mark.parametrize(
    ("look_back", "horizon", "rows"),
    [(0, 1, None), (1, 0, None), (9, 2, None), (3, 2, range(4)), (2, 2, range(-1, 8)), (2, 2, range(11))],
)
def test_what_does_not_fit_is_refused(look_back: int, horizon: int, rows: range | None) -> None:
    with pytest.raises(SettingsError):
        cut(VALUES, look_back, horizon, rows)


def test_a_sample_is_in_order_and_without_repeats() -> None:
    windows = cut(np.arange(50.0)[:, None], 3, 2)
    sample = windows.sample(10, seed=1)
    assert len(sample) == 10
    assert (np.diff(sample.starts) > 0).all()
    np.testing.assert_array_equal(sample.past[:, 0, 0], sample.starts)
    assert windows.sample(46) is windows
    assert len(set(np.diff(sample.starts).tolist())) > 1  # no constant step, which would ask some phases of a season only


def test_parts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(SettingsError, match="must be"):
        Windows(np.zeros((2, 3, 1)), np.zeros((2, 3, 2)), np.arange(2))
    with pytest.raises(SettingsError, match="starts"):
        Windows(np.zeros((2, 3, 1)), np.zeros((2, 3, 1)), np.arange(3))
