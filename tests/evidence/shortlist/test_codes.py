"""Codes and shortlists: against the definition, and that what is looked for is on the list."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.shortlist import codes as module
from uhop_cli.evidence.shortlist.codes import WIDTH, CodeIndex, Coder, best_places, compact_codes, shortlist_size, united
from uhop_cli.evidence.shortlist.spectra import KeptSpectra
from uhop_cli.images.patterns import PatternSpec

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
    quarters, whole, plain = CodeIndex(codes, coder).scores(queries)
    asked = coder.encode(queries)
    directions = coder.weight / np.linalg.norm(coder.weight, axis=1, keepdims=True)
    stored = patterns @ directions.T
    for q in range(count):
        cosines = np.einsum("bk,bkm->bm", asked[:-4, q].reshape(4, -1), codes[:-4].reshape(4, -1, 3000))
        np.testing.assert_allclose(quarters[q], -np.prod(1 - np.maximum(cosines, 0) ** 2, axis=0), atol=1e-4)
        np.testing.assert_allclose(whole[q], np.sum(asked[-4:, q, None] * codes[-4:] * cosines, axis=0), atol=1e-4)
        products = stored @ (directions @ queries[q]) / np.linalg.norm(stored, axis=1)  # the query's length is free
        np.testing.assert_allclose(plain[q] / plain[q].max(), products / products.max(), atol=1e-3)


def test_of_few_memories_the_third_score_is_that_of_the_spectrum(coder: Coder, codes: np.ndarray, patterns: np.ndarray) -> None:
    queries, grid = patterns[:5] + np.float32(0.1), BandGrid(SHAPE)
    kept = KeptSpectra(grid, *quantised(grid, grid.coefficients(patterns)))
    found = CodeIndex(codes, coder, kept).scores(queries)
    for one, other in zip(found[:2], CodeIndex(codes, coder).scores(queries), strict=False):
        np.testing.assert_array_equal(one, other)
    wanted = np.empty((5, 3000), np.float32)
    kept.cosines(queries)(slice(0, 3000), wanted)
    np.testing.assert_allclose(found[2], wanted, rtol=1e-4, atol=1e-4)


def test_of_too_many_memories_the_spectrum_is_not_read(
    coder: Coder, codes: np.ndarray, patterns: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = BandGrid(SHAPE)
    kept = KeptSpectra(grid, *quantised(grid, grid.coefficients(patterns)))
    monkeypatch.setattr(module, "READ", 2999)
    assert CodeIndex(codes, coder, kept).spectrum is None
    monkeypatch.setattr(module, "READ", 3000)
    assert CodeIndex(codes, coder, kept).spectrum is kept


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


def test_codes_are_made_of_memories_that_are_many(make_memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = make_memory(patterns=30, files=30, spec=PatternSpec(8, 8, 3))
    assert compact_codes(memory.spec, memory.patterns, 0) is None
    monkeypatch.setattr(module, "WORTH", 30 * 192)
    found = compact_codes(memory.spec, memory.patterns, 0)
    assert found is not None
    codes, directions = found
    assert codes.shape[1] == 30
    assert directions.shape[1] == 192
    monkeypatch.setattr(module, "WORTH", 30 * 192 + 1)
    assert compact_codes(memory.spec, memory.patterns, 0) is None
    monkeypatch.setattr(module, "WORTH", 30 * 192)
    monkeypatch.setattr(module, "LARGE", 191)
    assert compact_codes(memory.spec, memory.patterns, 0) is None


@pytest.mark.parametrize("size", [1, 5, 40, 300])
def test_the_best_places_are_those_of_a_sorting(size: int) -> None:
    rng = np.random.default_rng(size)
    scores = rng.normal(size=1003).astype(np.float32)
    np.testing.assert_array_equal(np.sort(best_places(scores, size)), np.sort(np.argsort(-scores)[:size]))
    few = rng.integers(0, 4, 1003).astype(np.float32)  # many are equal
    best = best_places(few, size)
    assert len(set(best.tolist())) == size
    np.testing.assert_array_equal(-np.sort(-few[best]), -np.sort(-few)[:size])


def test_a_score_that_is_no_number_leaves_as_many_places() -> None:
    scores = np.full(400, np.nan, np.float32)
    assert len(set(best_places(scores, 7).tolist())) == 7


def test_each_score_lists_its_best_and_the_last_one_fills_up() -> None:
    first, second, last = np.zeros((3, 40), np.float32)
    first[[5, 7, 30]], second[[7, 5, 20]] = (3, 2, 1), (3, 2, 1)
    last[[9, 5, 2, 11]] = 4, 3, 2, 1
    assert united([first, second, last], 4).tolist() == [2, 5, 7, 9]
    assert united([first, second, last], 3).tolist() == [2, 5, 9]  # too few for each to have one
    assert united([last, first], 3).tolist() == [5, 7, 9]
    more = united([first, second, last], 8).tolist()
    assert len(set(more)) == 8
    assert more == sorted(more)
    assert {2, 5, 7, 9, 11} < set(more)
    assert united([first, second, last], 40).tolist() == list(range(40))


def test_more_of_many_memories_are_examined() -> None:
    assert [shortlist_size(count) for count in (20_000, 49_152, 96_000, 10**6)] == [1024, 1024, 2000, 4096]
