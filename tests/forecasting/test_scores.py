"""Errors and paired intervals."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.scores import Errors, paired_difference


def test_errors_by_hand() -> None:
    forecast = np.array([[[1.0, 2], [3, 4]], [[0, 0], [0, 0]]])
    errors = Errors.of(forecast, np.zeros((2, 2, 2)))
    assert errors.squared.tolist() == [7.5, 0]
    assert errors.absolute.tolist() == [2.5, 0]
    assert (errors.mse, errors.mae) == (3.75, 1.25)
    with pytest.raises(SettingsError, match="differ in shape"):
        Errors.of(forecast, np.zeros((2, 2, 1)))


def test_a_constant_difference_has_no_spread() -> None:
    found = paired_difference(np.arange(50.0) - 1, np.arange(50.0), 7)
    assert (found.mean, found.low, found.high) == (-1, -1, -1)


def test_a_block_is_at_most_half_the_series() -> None:
    values = np.random.default_rng(0).normal(size=30)
    found = paired_difference(values, np.zeros(30), 100)
    assert found == paired_difference(values, np.zeros(30), 15)
    assert found.low < found.mean < found.high
    assert paired_difference(np.ones(1), np.zeros(1), 5).low == 1


@pytest.mark.parametrize("block", [1, 4, 7])
def test_the_draws_are_those_of_the_definition(block: int) -> None:
    values = np.random.default_rng(1).normal(size=25)
    found = paired_difference(values, np.zeros(25), block, seed=3, draws=40)
    whole, rest = divmod(25, block)
    begins = np.random.default_rng(3).integers(0, 25 - block + 1, (40, whole + (rest > 0)))
    means = []
    for draw in begins:
        blocks = [values[begin : begin + block] for begin in draw[:whole]] + ([values[draw[whole] :][:rest]] if rest else [])
        means.append(np.concatenate(blocks).mean())
        assert len(np.concatenate(blocks)) == 25
    np.testing.assert_allclose([found.low, found.high], np.quantile(means, [0.025, 0.975]))


def test_blocks_widen_the_interval_of_errors_that_follow_one_another() -> None:
    slow = np.repeat(np.random.default_rng(2).normal(size=20), 30)
    widths = [found.high - found.low for found in (paired_difference(slow, np.zeros(600), block) for block in (1, 60))]
    assert widths[1] > 2 * widths[0]


def test_other_windows_are_refused() -> None:
    for these, those in ((np.zeros(3), np.zeros(4)), (np.zeros(0), np.zeros(0)), (np.zeros((2, 2)), np.zeros((2, 2)))):
        with pytest.raises(SettingsError, match="same windows"):
            paired_difference(these, those, 2)
