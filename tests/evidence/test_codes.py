"""Codes and shortlists: against the definition, and that what is looked for is on the list."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.codes import WIDTH, CodeIndex, Coder

SHAPE = (16, 16, 3)


@pytest.fixture(scope="module")
def patterns() -> np.ndarray:
    """Smooth random pictures."""
    rng = np.random.default_rng(0)
    coarse = rng.random((3000, 6, 6, 3), dtype=np.float32)
    place = np.linspace(0, 5, 16)
    left = np.minimum(place.astype(int), 4)
    share = (place - left).astype(np.float32)
    rows = coarse[:, left] * (1 - share)[:, None, None] + coarse[:, left + 1] * share[:, None, None]
    both = rows[:, :, left] * (1 - share)[:, None] + rows[:, :, left + 1] * share[:, None]
    return both.reshape(3000, -1)


@pytest.fixture(scope="module")
def coder(patterns: np.ndarray) -> Coder:
    return Coder.learn(patterns.reshape(-1, *SHAPE), SHAPE)


@pytest.fixture(scope="module")
def codes(coder: Coder, patterns: np.ndarray) -> np.ndarray:
    return coder.encode(patterns)


def test_a_code_is_unit_vectors_and_shares_of_the_length(coder: Coder, codes: np.ndarray) -> None:
    assert codes.shape == (WIDTH, 3000)
    assert codes.dtype == np.float32
    assert coder.blocks == 4
    np.testing.assert_allclose(np.linalg.norm(codes[:-4].reshape(4, -1, 3000), axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(codes[-4:], axis=0), 1, rtol=1e-5)


def test_brightness_and_contrast_leave_a_code_as_it_is(coder: Coder, patterns: np.ndarray, codes: np.ndarray) -> None:
    np.testing.assert_allclose(coder.encode(0.3 * patterns[:9] + 0.5), codes[:, :9], atol=1e-4)


def test_a_plain_picture_and_a_small_one_have_codes(coder: Coder) -> None:
    assert not coder.encode(np.zeros((1, 768), np.float32)).any()
    assert np.isfinite(coder.encode(np.full((1, 768), 0.5, np.float32))).all()
    small = np.random.default_rng(0).random((50, 3, 3, 1), dtype=np.float32)
    one = Coder.learn(small, (3, 3, 1))
    assert one.blocks == 1
    assert one.encode(small.reshape(50, -1)).shape == (10, 50)


@pytest.mark.parametrize("count", [1, 5])
def test_scores_are_those_of_the_definition(count: int, coder: Coder, codes: np.ndarray, patterns: np.ndarray) -> None:
    queries = patterns[:count] + np.random.default_rng(1).normal(0, 0.3, (count, 768)).astype(np.float32)
    quarters, whole = CodeIndex(codes, coder).scores(queries)
    asked = coder.encode(queries)
    for q in range(count):
        cosines = np.einsum("bk,bkm->bm", asked[:-4, q].reshape(4, -1), codes[:-4].reshape(4, -1, 3000))
        np.testing.assert_allclose(quarters[q], -np.prod(1 - np.maximum(cosines, 0) ** 2, axis=0), atol=1e-4)
        np.testing.assert_allclose(whole[q], np.sum(asked[-4:, q, None] * codes[-4:] * cosines, axis=0), atol=1e-4)


def test_half_covered_and_noisy_copies_are_on_the_list(coder: Coder, codes: np.ndarray, patterns: np.ndarray) -> None:
    rows = np.arange(0, 3000, 100)
    half, noisy = patterns[rows].copy(), patterns[rows] + np.random.default_rng(2).normal(0, 0.3, (30, 768)).astype(np.float32)
    half[:, :384] = 0
    shortlist = CodeIndex(codes, coder)
    for damaged in (half, noisy):
        found = shortlist(damaged, 100)
        assert found.shape == (30, 100)
        assert (np.diff(found, axis=1) > 0).all()  # sorted, and none twice
        assert (found == rows[:, None]).any(axis=1).mean() > 0.95


def test_a_list_as_long_as_the_memory_holds_all(coder: Coder, codes: np.ndarray, patterns: np.ndarray) -> None:
    few = CodeIndex(np.ascontiguousarray(codes[:, :40]), coder)
    np.testing.assert_array_equal(few(patterns[:2], 64), [np.arange(40)] * 2)
