"""The choice among each query's own memories: as if these alone were stored, query by query."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.model import EvidenceModel
from uhop_cli.evidence.shortlist import listed as module
from uhop_cli.evidence.shortlist.listed import ListedEngine, StatisticsTable
from uhop_cli.evidence.statistics import Statistics
from uhop_cli.querying import by_evidence
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.retriever import Retriever
from uhop_cli.retrieval.distances import ROUNDING
from uhop_cli.retrieval.pattern_matrix import pattern_matrix

RNG = np.random.default_rng(0)
COUNT, LENGTH = 11, 17


class Case:
    """A memory of 40 pictures of a shape, queries (Q, d), and a list of memories for each, the right one among them."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        images = RNG.integers(0, 256, (40, *shape), dtype=np.uint8)
        self.strategy = Retriever(learn(images)).strategy
        assert isinstance(self.strategy, ByEvidence)
        whole = (images.reshape(40, -1) / 255).astype(np.float32)
        self.queries = whole[:COUNT] + RNG.normal(0, 0.1, (COUNT, whole.shape[1])).astype(np.float32)
        self.queries[5, : whole.shape[1] // 2] = 0.5
        others = [RNG.permutation(np.delete(np.arange(40), row))[: LENGTH - 1] for row in range(COUNT)]
        self.rows = np.sort(np.concatenate([np.arange(COUNT)[:, None], np.array(others)], axis=1), axis=1)

    @property
    def listed(self) -> ListedEngine:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(by_evidence, "cores", lambda: 1)  # all queries in one part
            ((part, engine),) = self.strategy.over_lists(self.rows, lambda *given: given)
        assert part == slice(0, COUNT)
        assert isinstance(engine, ListedEngine)
        return engine

    def alone(self, place: int) -> EvidenceModel:
        """The choice for one query among a memory of its list alone."""
        rows, strategy = self.rows[place], self.strategy
        kept: Statistics = strategy.statistics.select(rows)
        engine = strategy.engine_from(pattern_matrix(strategy.memory.patterns[rows]), kept, None)
        return EvidenceModel(engine, engine.prepare(self.queries[[place]]))


@pytest.fixture(scope="module", params=[(16, 16, 3), (10, 9, 1), (3, 3, 3)], ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    """With blocks of one size, of several, and without."""
    return Case(request.param)


@pytest.fixture(params=["at once", "in parts"])
def _parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "in parts":
        monkeypatch.setattr(module, "PAIRS", 3 * LENGTH)
        monkeypatch.setattr(module, "GATHERED_BYTES", 4 * 768 * 5)


@pytest.mark.usefixtures("_parts")
def test_scores_are_those_of_the_pass_over_all_memories(case: Case) -> None:
    listed, whole = case.listed, case.strategy.engine
    assert listed.count == LENGTH
    query = listed.prepare(case.queries)
    found, cosines = listed.scan(query)
    scores, plain = whole.scan(whole.prepare(case.queries))
    np.testing.assert_allclose(found, np.take_along_axis(scores, case.rows[None], axis=2), rtol=1e-3, atol=0.05)
    np.testing.assert_allclose(cosines, np.take_along_axis(plain, case.rows, axis=1), atol=1e-5)


def _same(case: Case, of_list: Callable[[EvidenceModel], np.ndarray], atol: float) -> None:
    engine = case.listed
    together = of_list(EvidenceModel(engine, engine.prepare(case.queries)))
    for place in range(COUNT):
        np.testing.assert_allclose(together[place], of_list(case.alone(place))[0], rtol=2e-3, atol=atol)


def test_the_choice_is_that_among_a_memory_of_the_list_alone(case: Case) -> None:
    _same(case, lambda model: model.choice.scores, 0.1)
    _same(case, lambda model: model.choice.model, 0)
    _same(case, lambda model: model.choice.facts, 0.02)
    _same(case, lambda model: model.evaluate(None).weights, 1e-4)


def test_what_is_named_is_a_candidate_of_its_query_alone(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[np.ndarray] = []
    propose = module.propose
    monkeypatch.setattr(module, "propose", lambda *given, **named: asked.append(named["named"]) or propose(*given, **named))
    monkeypatch.setattr(by_evidence, "cores", lambda: 1)
    named = np.full((COUNT, 1), -1)
    named[[2, 7], 0] = case.rows[[2, 7], [5, 0]]
    case.strategy.among(case.queries, case.rows, named=named)
    (places,) = asked
    wanted = np.full((COUNT, 1), -1)
    wanted[[2, 7], 0] = 5, 0
    np.testing.assert_array_equal(places, wanted)


@pytest.mark.usefixtures("_parts")
def test_further_steps_see_the_list_alone(case: Case) -> None:
    pictures = case.queries[::-1].copy()
    pictures[2] = case.strategy.X.rows(case.rows[2, 7])  # what was read out is one of them
    stored = case.strategy.X.rows(case.rows)
    squares = np.square(stored.astype(np.float64) - pictures[:, None]).mean(axis=2)
    dim = pictures.shape[1]
    np.testing.assert_allclose(case.listed.identity(pictures), -dim / 2 * np.log(squares + ROUNDING), rtol=1e-5)


def test_weights_read_out_the_memories_of_their_list(case: Case) -> None:
    weights = RNG.random((COUNT, LENGTH)).astype(np.float32)
    weights[:, 3] = 0
    stored = case.strategy.X.rows(case.rows)
    np.testing.assert_allclose(case.listed.memories.read_out(weights), np.einsum("qs,qsd->qd", weights, stored), rtol=1e-4)


def test_a_weight_below_the_rounding_is_not_read(case: Case) -> None:
    weights = np.zeros((COUNT, LENGTH), np.float32)
    weights[:, 2], weights[:, 4] = 1, 2.0**-24 / LENGTH
    read = case.listed.memories.read_out(weights)
    np.testing.assert_array_equal(read, case.strategy.X.rows(case.rows[:, 2]))


def test_spreads_are_those_of_the_listed_memories(case: Case) -> None:
    listed, whole = case.listed.statistics, case.strategy.engine.statistics
    places, sizes = RNG.integers(0, LENGTH, (3, COUNT)), np.arange(1, len(whole.sums) + 1).astype(np.float32)
    found = listed.spreads(places, sizes)
    np.testing.assert_allclose(found, whole.spreads(case.rows[np.arange(COUNT), places], sizes), rtol=1e-4)
    np.testing.assert_array_equal(listed.of_queries(slice(2, 5)).spreads(places[:, 2:5], sizes), found[:, :, 2:5])


@pytest.mark.usefixtures("_parts")
def test_statistics_are_made_of_the_listed_until_those_of_all_pay(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    table, made = StatisticsTable(case.listed.grid, case.strategy.statistics), MemoryStatistics.of
    sizes: list[int] = []

    def counting(grid: BlockGrid, *stored: np.ndarray) -> MemoryStatistics:
        sizes.append(len(stored[0]))
        return made(grid, *stored)

    monkeypatch.setattr(MemoryStatistics, "of", counting)
    table.expect(39)
    first = table.of_lists(case.rows)
    assert sum(sizes) == case.rows.size
    table.expect(1)
    assert sum(sizes) == case.rows.size + 40
    second = table.of_lists(case.rows)
    table.expect(1)
    assert sum(sizes) == case.rows.size + 40  # they stay at hand
    for name in ("inverses", "scales"):
        for one, other in zip(getattr(first, name), getattr(second, name), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4)
    for name in ("sums", "totals", "reach"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-4)
