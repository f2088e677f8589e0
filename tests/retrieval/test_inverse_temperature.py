"""beta = ln((M - 1) / 0.01) / Delta, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.retrieval.inverse_temperature import auto_beta


def test_one_margin_for_two_memories_and_for_many() -> None:
    assert auto_beta(np.array([1.0]), 2) == pytest.approx(4.60517, abs=1e-5)  # ln 100
    assert auto_beta(np.array([0.5]), 101) == pytest.approx(18.42068, abs=1e-5)  # 2 ln 10,000


def test_delta_is_the_lowest_tenth_of_the_positive_margins() -> None:
    margins = np.array([[-7.0, 0.0, *range(1, 12)]])  # the 0.1 quantile of 1, ..., 11 is 2
    assert auto_beta(margins, 2) == pytest.approx(math.log(100) / 2)


def test_the_weight_of_all_others_is_at_most_a_hundredth() -> None:
    beta = auto_beta(np.full(50, 0.3), 50)
    assert 49 * math.exp(-beta * 0.3) == pytest.approx(0.01)


def test_without_a_margin_it_is_1_and_it_ends_at_a_million() -> None:
    assert auto_beta(np.array([1.0]), 1) == 1
    assert auto_beta(np.array([-1.0, 0.0]), 5) == 1
    assert auto_beta(np.array([]), 5) == 1
    assert auto_beta(np.array([1e-9]), 5) == 1e6
