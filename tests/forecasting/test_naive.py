"""Controls, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.naive import LastValue, MeanOfSeasons

PAST = np.array([9.0, 1, 2, 3, 5, 6, 7])[None, :, None]  # seasons of three: (1, 2, 3), (5, 6, 7)


def test_last_value() -> None:
    assert LastValue(3)(PAST)[0, :, 0].tolist() == [7, 7, 7]


def test_seasonal_naive_repeats_the_last_season() -> None:
    assert MeanOfSeasons(5, 3)(PAST)[0, :, 0].tolist() == [5, 6, 7, 5, 6]


def test_mean_of_seasons() -> None:
    assert MeanOfSeasons(4, 3, 2)(PAST)[0, :, 0].tolist() == [3, 4, 5, 3]


def test_series_stay_apart() -> None:
    both = np.concatenate([PAST, -10 * PAST], axis=2)
    np.testing.assert_array_equal(MeanOfSeasons(4, 3, 2)(both)[0, :, 1], [-30, -40, -50, -30])
    np.testing.assert_array_equal(LastValue(2)(both)[0], [[7, -70], [7, -70]])


@pytest.mark.parametrize(
    "made", [lambda: MeanOfSeasons(1, 0), lambda: MeanOfSeasons(1, 3, 0), lambda: MeanOfSeasons(1, 4, 2)(PAST)]
)
def test_too_few_seasons_are_refused(made: object) -> None:
    with pytest.raises(SettingsError):
        made()  # type: ignore[operator]
