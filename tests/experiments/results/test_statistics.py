"""The area under the curve, and intervals of cross-validations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.experiments.results.statistics import auc, cross_validated


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_auc_counts_pairs(pairs: list[tuple[int, bool]]) -> None:
    scores, labels = np.array([score for score, _ in pairs], float), np.array([label for _, label in pairs], int)
    if len(set(labels)) < 2:
        return
    wins = [(a > b) + (a == b) / 2 for a in scores[labels == 1] for b in scores[labels == 0]]
    assert auc(scores, labels) == pytest.approx(np.mean(wins))


def test_the_interval_knows_that_folds_share_their_training_data() -> None:
    mean, half = cross_validated([0.0, 1.0, 0.0, 1.0], 2)  # s^2 = 1/3; 1/4 + 1/1; t of 3 degrees of freedom: 3.182446
    assert mean == 0.5
    assert half == pytest.approx(3.182446 * (1 / 3 * 1.25) ** 0.5, rel=1e-5)
    assert cross_validated([0.25], 10) == (0.25, 0.0)
