"""Shortlists: scores against the definition, and that what is looked for is on the list."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.shortlist import index as module
from uhop_cli.evidence.shortlist.codes import Coder
from uhop_cli.evidence.shortlist.heaps import VisibleCoder, visible
from uhop_cli.evidence.shortlist.index import CodeIndex, Shortlists, shortlist_size, united
from uhop_cli.evidence.shortlist.spectra import KeptSpectra

SHAPE = (16, 16, 3)


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
    np.testing.assert_allclose(found.last, wanted, rtol=1e-4, atol=1e-4)


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
    assert [shortlist_size(count) for count in (20_000, 49_152, 96_000, 10**6)] == [640, 640, 1200, 3072]


def hidden_and_whole(patterns: np.ndarray) -> np.ndarray:
    """Copies of the first four pictures: 90% of the values set to 0; as it is; a cover; as it is."""
    queries, rng = patterns[:4].copy(), np.random.default_rng(4)
    queries[0][rng.random(768) < 0.9] = 0
    queries[2].reshape(SHAPE)[3:13, 3:13] = 0.5
    return queries


@pytest.mark.parametrize("with_spectrum", [False, True])
def test_the_third_score_of_a_partly_hidden_query_is_by_what_is_visible(
    with_spectrum: bool, coder: Coder, codes: np.ndarray, patterns: np.ndarray
) -> None:
    grid, queries = BandGrid(SHAPE), hidden_and_whole(patterns)[[0, 2]]
    kept = KeptSpectra(grid, *quantised(grid, grid.coefficients(patterns))) if with_spectrum else None
    index, seen = CodeIndex(codes, coder, kept), visible(queries)
    found, as_they_are = index.scores(queries, seen), index.scores(queries)
    unit, shares = VisibleCoder(coder).split(queries, seen)
    cosines = np.einsum("qbk,bkm->qbm", unit, codes[:-4].reshape(4, -1, 3000))
    np.testing.assert_allclose(found.last, np.sum(shares[:, :, None] * codes[-4:] * cosines, axis=1), atol=1e-4)
    for scores, same in zip(found[:2], as_they_are[:2], strict=True):
        np.testing.assert_allclose(scores, same, rtol=1e-4, atol=1e-5)


def test_a_shortlist_does_not_depend_on_the_queries_beside_it(coder: Coder, codes: np.ndarray, patterns: np.ndarray) -> None:
    queries = hidden_and_whole(patterns)
    index = CodeIndex(codes, coder)
    together = index.find(queries, 64)
    for place in range(4):
        alone = index.find(queries[[place]], 64)
        assert len(set(alone.rows[0]) & set(together.rows[place])) >= 63  # but for the rounding of the last place
        np.testing.assert_array_equal(alone.named[0], together.named[place])


def test_what_is_visible_names_the_right_one(coder: Coder, codes: np.ndarray, patterns: np.ndarray) -> None:
    found = CodeIndex(codes, coder).find(hidden_and_whole(patterns), 64)
    assert found.rows.shape == (4, 64)
    assert found.named.tolist() == [[0], [-1], [2], [-1]]
    assert (found.rows == np.arange(4)[:, None]).any(axis=1).all()


def test_named_memories_have_places_in_the_rows() -> None:
    listed = Shortlists(np.array([[3, 5, 8], [0, 1, 9], [0, 1, 9]]), np.array([[8], [-1], [7]]))
    assert listed.places.tolist() == [[2], [-1], [-1]]


def test_scores_of_some_memories_are_those_of_the_pass(coder: Coder, codes: np.ndarray, patterns: np.ndarray) -> None:
    index, rows = CodeIndex(codes, coder), np.array([5, 0, 2999, 17])
    queries = patterns[:3] + np.float32(0.1) * patterns[7]
    np.testing.assert_allclose(index.among(queries, rows), index.scores(queries).whole[:, rows], atol=1e-5)
