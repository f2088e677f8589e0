"""The bounds on the error of softmax retrieval hold, and say what the papers' constants do not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.guarantees.error_bounds import dense_beta, dense_error_bound
from uhop_cli.retrieval.entmax import softmax


def test_no_query_inside_the_radius_errs_by_more_than_the_bound() -> None:
    rng = np.random.default_rng(0)
    said_something = 0
    for trial in range(40):
        x = rng.normal(size=(8, 20))
        w = rng.normal(size=(15, 20)) / 4
        z = x @ w.T
        gram, norms = z @ z.T, np.linalg.norm(z, axis=1)
        mu = int(np.argmax(np.diag(gram)))
        margin = gram[mu, mu] - np.max(np.delete(gram[mu], mu))
        if margin <= 0:
            continue
        radius, beta = 0.3 * margin / (2 * norms.max()), 10.0 ** rng.uniform(-1, 1)
        largest = float(np.linalg.norm(x, axis=1).max())
        bound = dense_error_bound(margin, radius, beta=beta, count=8, largest=largest, largest_feature=float(norms.max()))
        said_something += bound < 0.1 * largest
        push = rng.normal(size=(50, 20))
        queries = x[mu] + push * (radius / np.linalg.norm(push @ w.T, axis=1))[:, None]
        weights = softmax(beta * (queries @ w.T) @ z.T)
        errors = np.linalg.norm(weights @ x - x[mu], axis=1)
        assert errors.max() <= bound * (1 + 1e-9), trial
    assert said_something > 5


def test_beta_inverts_the_bound() -> None:
    settings = {"count": 100, "largest": 9.0, "largest_feature": 2.0}
    beta = dense_beta(0.05, 3.0, 0.25, **settings)
    assert beta == pytest.approx(math.log(2 * 9 * 99 / 0.05) / 2)
    assert dense_error_bound(3.0, 0.25, beta=beta, **settings) == pytest.approx(0.05)
    assert dense_beta(0.05, 1.0, 0.25, **settings) == math.inf
    assert dense_beta(0.05, 1.0, 0.0, count=1, largest=9.0, largest_feature=2.0) == 0


def test_half_the_smallest_distance_as_radius_says_nothing() -> None:
    """U-Hop eq. 1.3 with its own R: the closest pair has margin <= m * 2R, so the exponent is never negative."""
    rng = np.random.default_rng(1)
    for _ in range(20):
        x = rng.normal(size=(12, 6))
        distances = np.linalg.norm(x[:, None] - x, axis=-1) + 1e9 * np.eye(12)
        mu, nu = np.unravel_index(np.argmin(distances), distances.shape)
        gram = x @ x.T
        largest = float(np.linalg.norm(x, axis=1).max())
        margin = float(min(gram[i, i] - np.max(np.delete(gram[i], i)) for i in (mu, nu)))
        assert margin - 2 * largest * distances[mu, nu] / 2 <= 1e-12
        bound = dense_error_bound(margin, distances[mu, nu] / 2, beta=50.0, count=12, largest=largest, largest_feature=largest)
        assert bound == pytest.approx(2 * largest)
