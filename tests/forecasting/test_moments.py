"""What a model knew at a moment, and what it did not."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.moments import Moments, moments
from uhop_cli.forecasting.naive import LastValue

VALUES = np.arange(30.0)[:, None] ** 2
FOUND = moments(VALUES, range(9, 12), LastValue(4), look_back=5, horizon=4, span=3)


def test_errors_are_those_of_the_forecast_a_span_ago() -> None:
    for place, now in enumerate(range(9, 12)):
        np.testing.assert_array_equal(FOUND.errors[place], VALUES[now - 3 : now] - VALUES[now - 4])
        np.testing.assert_array_equal(FOUND.prediction[place], np.repeat(VALUES[now - 1 : now], 4, axis=0))
        np.testing.assert_array_equal(FOUND.truth[place], VALUES[now : now + 4])
    np.testing.assert_array_equal(FOUND.missed, FOUND.truth - FOUND.prediction)


def test_joined_in_order() -> None:
    joined = Moments.joined([FOUND, FOUND])
    assert len(joined) == 6
    np.testing.assert_array_equal(joined.truth[3:], FOUND.truth)


@pytest.mark.parametrize("rows", [range(7, 9), range(25, 28), range(9, 9)])
def test_moments_without_their_rows_are_refused(rows: range) -> None:
    with pytest.raises(SettingsError, match="need 8 rows before them and 4 after"):
        moments(VALUES, rows, LastValue(4), look_back=5, horizon=4, span=3)


def test_the_first_and_the_last_moment_that_fit() -> None:
    assert len(moments(VALUES, range(8, 27), LastValue(4), look_back=5, horizon=4, span=3)) == 19
