"""The map that most pairs of keypoints agree on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from uhop_cli.frames.local.consensus import consensus


def pairs(rng, count, scale, turn, shift, wrong=0):
    """`count` pairs that a similarity brings together, and `wrong` ones that nothing does."""
    query = np.stack((*rng.uniform(0, 1, (2, count)), rng.uniform(0.02, 0.2, count), rng.uniform(0, 1, count)), axis=1)
    cos, sin = scale * np.cos(2 * np.pi * turn), scale * np.sin(2 * np.pi * turn)
    affine = np.array([[cos, -sin, shift[0]], [sin, cos, shift[1]]])
    places = query[:, :2] @ affine[:, :2].T + affine[:, 2]
    original = np.column_stack((places, query[:, 2] * scale, (query[:, 3] + turn) % 1))
    noise = [rng.uniform(0, 1, (wrong, 4)) * (1, 1, 0.2, 1) + (0, 0, 0.01, 0) for _ in range(2)]
    return affine, np.vstack((query, noise[0])).astype(np.float32), np.vstack((original, noise[1])).astype(np.float32)


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 1000), st.floats(0.3, 3), st.floats(0, 1), st.floats(-1, 1), st.floats(-1, 1))
def test_the_right_map_among_wrong_pairs(seed, scale, turn, across, down):
    rng = np.random.default_rng(seed)
    affine, query, original = pairs(rng, 12, scale, turn, (across, down), wrong=30)
    order = rng.permutation(len(query))
    found = consensus(query[order], original[order], np.full(len(query), 0.2, np.float32), order)
    assert found is not None
    np.testing.assert_allclose(found.affine, affine, atol=0.05)
    assert found.agreeing[np.argsort(order)][:12].all()
    assert found.score == pytest.approx(0.2 * found.agreeing.sum(), rel=1e-5)


def test_exact_pairs_give_the_exact_map():
    affine, query, original = pairs(np.random.default_rng(1), 8, 1.7, 0.2, (0.1, -0.3))
    found = consensus(query, original, np.ones(8, np.float32), np.arange(8))
    np.testing.assert_allclose(found.affine, affine, atol=1e-5)


def test_a_stretch_is_found_where_many_agree():
    _, query, original = pairs(np.random.default_rng(2), 20, 1, 0, (0, 0))
    original[:, 0] *= 1.06
    found = consensus(query, original, np.ones(20, np.float32), np.arange(20))
    np.testing.assert_allclose(found.affine, [[1.06, 0, 0], [0, 1, 0]], atol=1e-4)


def test_a_keypoint_counts_once():
    """Ten keypoints of the query that look like two of the original say no more than the likest of them."""
    _, query, original = pairs(np.random.default_rng(3), 2, 1, 0, (0, 0))
    query, original = np.repeat(query, 5, axis=0), np.repeat(original, 5, axis=0)
    weights = np.tile(np.array([0.1, 0.3, 0.2, 0.1, 0.1], np.float32), 2)
    assert consensus(query, original, weights, np.repeat([4, 7], 5)).score == pytest.approx(0.6)
    assert consensus(query, original, weights, np.repeat([4], 10)) is None


def test_nothing_from_nothing():
    _, query, original = pairs(np.random.default_rng(4), 1, 1, 0, (0, 0))
    assert consensus(query, original, np.ones(1, np.float32), np.arange(1)) is None
    assert consensus(query[:0], original[:0], np.ones(0, np.float32), np.arange(0)) is None


@pytest.mark.parametrize(("column", "step"), [(2, 4.0), (3, 0.25)])
def test_sizes_and_directions_have_to_agree(column, step):
    """Places that fit are not enough."""
    _, query, original = pairs(np.random.default_rng(5), 10, 1, 0, (0, 0))
    original[5:, column] = original[5:, column] * step if column == 2 else (original[5:, column] + step) % 1
    found = consensus(query, original, np.ones(10, np.float32), np.arange(10))
    assert found.agreeing.sum() == 5
