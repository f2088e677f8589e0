"""The likelihood of the visible pixels against its definition, and where it must find the memory exactly."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.evidence.visible import visible_features, visible_log_likelihood
from uhop_cli.retrieval.distances import ROUNDING, squared_distances
from uhop_cli.retrieval.pattern_matrix import pattern_matrix

RNG = np.random.default_rng(0)
PIXELS = RNG.integers(0, 256, (100, 8, 8, 3), dtype=np.uint8)
X = (PIXELS.reshape(100, -1) / 255).astype(np.float32)


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


def test_residuals_follow_the_definition(device: Device) -> None:
    visible = RNG.random((5, X.shape[1])) < 0.3
    queries = (X[:5] + RNG.normal(0, 0.1, (5, X.shape[1]))).astype(np.float32)
    naive = np.array([[np.mean((queries[i][visible[i]] - X[m][visible[i]]) ** 2) for m in range(100)] for i in range(5)])
    matrix = pattern_matrix(PIXELS, device)
    got = squared_distances(matrix, device.put(queries), device.put(visible))
    count = visible.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(to_numpy(got), naive * count, rtol=2e-4)
    scores = to_numpy(visible_log_likelihood(matrix, device.put(queries), device.put(visible)))
    np.testing.assert_allclose(scores, -count / 2 * np.log(naive + ROUNDING), rtol=2e-4)


def test_what_stands_in_missing_pixels_has_no_influence() -> None:
    visible = np.zeros((1, X.shape[1]), np.bool_)
    visible[:, :9] = True
    clean, dirty = X[3:4].copy(), X[3:4].copy()
    dirty[~visible] = 7.0
    matrix = pattern_matrix(PIXELS)
    np.testing.assert_allclose(squared_distances(matrix, clean, visible), squared_distances(matrix, dirty, visible), atol=1e-5)


def test_small_distances_are_exact_and_totals_change_nothing(device: Device) -> None:
    matrix = pattern_matrix(PIXELS, device)
    plain = to_numpy(squared_distances(matrix, device.put(X[:4])))
    np.testing.assert_allclose(plain[np.arange(4), np.arange(4)], 0, atol=1e-9)
    given = squared_distances(matrix, device.put(X[:4]), totals=device.put(np.square(X).sum(axis=1)))
    np.testing.assert_allclose(to_numpy(given), plain, rtol=1e-4, atol=1e-4)


def test_one_grey_level_tells_two_memories_apart() -> None:
    stored = np.repeat(PIXELS[:1], 2, axis=0)
    stored[1, 0, 0, 0] ^= 1
    rows = (stored.reshape(2, -1) / 255).astype(np.float32)
    visible = np.ones((2, rows.shape[1]), np.bool_)
    scores = visible_log_likelihood(pattern_matrix(stored), rows, visible)
    np.testing.assert_array_equal(scores.argmax(axis=1), [0, 1])


@pytest.mark.parametrize(
    ("scores", "lead"),
    [([[3.0, 3.5, 1.0]], 0.5), ([[1.0, 3.5, 2.0]], 3.5 - 2 * np.log(4)), ([[3.5]], 3.5 - 2 * np.log(4)), ([[2.0, 1.0]], 0)],
)
def test_facts_of_a_known_mask_by_hand(device: Device, scores: list[list[float]], lead: float) -> None:
    """Of (0, 1, 0, 1), the visible half of the query, the variance is 1/4: "unrelated" has -4/2 ln(1/4) = 2 ln 4 = 2.77."""
    query = device.put(np.array([[0, 1, 0, 1, 9, 9, 9, 9]], np.float32))
    visible = device.put(np.array([[True] * 4 + [False] * 4]))
    facts = to_numpy(visible_features(device.put(np.array(scores, np.float32)), query, visible))
    explained = max(max(scores[0]) - 2 * np.log(4), 0)
    np.testing.assert_allclose(facts, [[np.log1p(lead), np.log1p(explained), np.log(0.5)]], atol=1e-4)
