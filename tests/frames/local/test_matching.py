"""Votes of local descriptors against a reference that does it one by one."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.arrays import threads
from uhop_cli.frames.local import matching
from uhop_cli.frames.local.describing import UNIT
from uhop_cli.frames.local.matching import nearest, votes


def unit(rng, *shape):
    values = rng.normal(size=shape)
    return (values / np.linalg.norm(values, axis=-1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 3, 40, 333])
def test_the_three_nearest(count, cores, monkeypatch):
    monkeypatch.setattr(matching, "BLOCK", 32)
    monkeypatch.setattr(matching, "cores", lambda: cores)
    monkeypatch.setattr(threads, "cores", lambda: cores)
    rng = np.random.default_rng(count)
    stored = np.rint(unit(rng, count, 8) * UNIT).astype(np.int8)
    queries = unit(rng, 7, 8)
    likeness, numbers = nearest(queries, stored)
    exact = queries.astype(np.float64) @ stored.T.astype(np.float64) / UNIT
    for row, (values, found) in enumerate(zip(likeness, numbers, strict=True)):
        order = np.argsort(-exact[row])[:3]
        assert found[: len(order)].tolist() == order.tolist()
        np.testing.assert_allclose(values[: len(order)], exact[row, order], atol=1e-6)
        assert (values[len(order) :] == -np.inf).all()


def test_of_equals_the_first(monkeypatch):
    monkeypatch.setattr(matching, "BLOCK", 50)
    stored = np.tile(np.array([[UNIT, 0]], np.int8), (120, 1))
    _, numbers = nearest(np.array([[1, 0]], np.float32), stored)
    assert numbers.tolist() == [[0, 1, 2]]


def test_votes_by_hand():
    """Pictures of 2, 0 and 3 descriptors; what is not like enough, or was not there, gives nothing."""
    offsets = np.array([0, 2, 2, 5])
    likeness = np.array([[0.9, 0.7, 0.5], [0.8, -np.inf, -np.inf]], np.float32)
    numbers = np.array([[0, 4, 1], [2, 0, 0]])
    np.testing.assert_allclose(votes(likeness, numbers, offsets), [0.3, 0, 0.1 + 0.2], atol=1e-6)
