"""Splits and scales."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.series import Series, Split


def series(rows: int, name: str = "mine") -> Series:
    return Series(name, ("a",), np.arange(float(rows))[:, None])


@pytest.mark.parametrize(
    ("name", "rows", "expected"),
    [
        ("etth1", 17420, (8640, 2880, 2880)),
        ("ettm1", 69680, (34560, 11520, 11520)),
        ("wth", 35064, (20160, 7200, 7200)),
        ("mine", 1000, (700, 100, 200)),
        ("etth1", 1000, (700, 100, 200)),
    ],
)
def test_splits_are_the_published_ones_or_shares(name: str, rows: int, expected: tuple[int, int, int]) -> None:
    split = Split.of(series(rows, name))
    assert (split.train, split.validation, split.test) == expected


def test_windows_of_later_parts_begin_a_look_back_earlier() -> None:
    split = Split(70, 10, 20)
    assert split.rows("train", 5) == range(70)
    assert split.rows("validation", 5) == range(65, 80)
    assert split.rows("test", 5) == range(75, 100)
    with pytest.raises(SettingsError, match="no part"):
        split.rows("all", 5)


def test_a_part_without_rows_is_refused() -> None:
    with pytest.raises(SettingsError, match="too short"):
        Split.of(series(3))


def test_the_scale_is_that_of_the_training_rows() -> None:
    values = np.array([[1.0, 5.0], [3.0, 5.0], [100.0, 7.0]])
    scaled = Series("mine", ("a", "b"), values).scaled(Split(2, 1, 1)).values
    np.testing.assert_array_equal(scaled, [[-1, 0], [1, 0], [98, 2]])


def test_the_digest_tells_values_and_shape_apart() -> None:
    values = np.arange(6.0)
    digests = {Series("a", (), values.reshape(shape)).digest for shape in ((6, 1), (3, 2))}
    digests.add(Series("a", (), values.reshape(6, 1) + 1).digest)
    assert len(digests) == 3
