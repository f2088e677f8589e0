"""Kernel ridge against its formulas."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.experiments.learning.ridge import bag_vectors, ridge_scores


@pytest.mark.parametrize("how", ["mean", "max"])
def test_one_vector_a_bag(how: str) -> None:
    generator = np.random.default_rng(0)
    bag = np.array([2, 0, 1, 2, 2, 0])
    instances = -np.abs(generator.normal(size=(6, 3)))
    expected = [getattr(instances[bag == index], how)(axis=0) for index in range(3)]
    assert bag_vectors(instances, bag, how) == pytest.approx(np.array(expected))  # type: ignore[arg-type]


def test_scores_are_the_formula() -> None:
    generator = np.random.default_rng(1)
    vectors, labels = generator.normal(size=(7, 3)), np.array([0, 1, 1, 0, 1, 0, 0])
    train = np.array([True, False, True, True, True, False, True])
    kernel = np.array([[np.exp(-((x - y) ** 2).sum() / 12) for y in vectors] for x in vectors])
    known = kernel[train][:, train] + 0.3 * np.eye(5)
    expected = kernel[~train][:, train] @ np.linalg.inv(known) @ (2 * labels[train] - 1)
    assert ridge_scores(vectors, labels, train) == pytest.approx(expected)
