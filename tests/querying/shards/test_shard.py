"""What one shard answers, against its definition."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.device import CPU
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards import shard as shard_module
from uhop_cli.querying.shards.messages import Asked, Pool
from uhop_cli.querying.shards.shard import Shard

FIRST = 15  # row of the whole memory that the shard's first one is


@pytest.fixture(scope="module")
def shard(pair: Any) -> Shard:
    return Shard(pair.shards.shards[1], FIRST, RetrievalSettings(), CPU)


@pytest.fixture(scope="module")
def asked(pair: Any, queries: Any) -> np.ndarray:
    return queries(pair.whole, 1)


def _scores(shard: Shard, asked: np.ndarray) -> np.ndarray:
    engine = shard._evidence.engine
    return np.asarray(engine.scan(engine.prepare(asked))[0])


def test_proposals_are_the_best_of_every_model(shard: Shard, asked: np.ndarray) -> None:
    found, scores = shard.propose(asked, None), _scores(shard, asked)
    np.testing.assert_allclose(found.least, np.sort(scores, axis=2)[:, :, -PROPOSALS])
    for query, rows in enumerate(found.rows):
        above = (scores[:, query] > found.least[:, query, None]).any(axis=0)  # of equal ones any may be proposed
        assert set(np.flatnonzero(above) + FIRST) <= set(rows)
        assert ((scores[:, query, np.unique(rows) - FIRST] >= found.least[:, query, None]).sum(axis=1) >= PROPOSALS).all()
        rest = np.delete(scores[0, query].astype(np.float64), rows - FIRST)
        assert found.others[query] == pytest.approx(np.logaddexp.reduce(rest) if len(rest) else -np.inf)
        np.testing.assert_array_equal(found.scores[:-1, query], scores[:, query, rows - FIRST])
        memory = shard.memory.patterns[rows - FIRST].reshape(len(rows), -1) / np.float32(255)
        cosines = memory @ asked[query] / np.linalg.norm(memory, axis=1) / np.linalg.norm(asked[query])
        np.testing.assert_allclose(found.scores[-1, query], cosines, atol=1e-4)
    assert found.examined == 15


def test_what_is_proposed_comes_along(shard: Shard, asked: np.ndarray) -> None:
    alone, found = shard.propose(asked, None), shard.propose(asked, None, True)
    assert alone.pool is None
    assert found.pool is not None
    pool = shard.pool(np.unique(alone.rows))
    np.testing.assert_array_equal(found.rows, alone.rows)
    for name in ("rows", "patterns"):
        np.testing.assert_array_equal(getattr(found.pool, name), getattr(pool, name))
    np.testing.assert_array_equal(found.pool.statistics.sums, pool.statistics.sums)
    held = (pool.rows, pool.patterns, *pool.statistics.of_each, pool.statistics.variances)
    assert found.pool.nbytes == sum(array.nbytes for array in held)


def test_what_a_shortlist_names_is_proposed_whatever_the_models_say(make_pair: Any, queries: Any) -> None:
    """Half covered. Then all of the shard's memories are asked, and what is named is handed in, with one of another shard."""
    shard = Shard(make_pair(listed=True).shards.shards[1], FIRST, RetrievalSettings(), CPU)
    covered = queries(shard.memory, 1)[::-1].copy()  # of noise first
    covered[1:, 216:] = 0.5
    index = shard._evidence.shortlist
    assert index is not None
    listed = index.find(covered, 12)
    assert listed.named[0] == -1
    assert (listed.named[1:] >= 0).all()
    found = shard.propose(covered, 12, most=1)
    np.testing.assert_array_equal(found.named, np.where(listed.named < 0, -1, listed.named + FIRST))
    assert all(found.named[query, 0] in found.rows[query] for query in range(1, len(covered)))
    assert set(shard.propose(covered, None, most=1).rows[1]) <= set(range(FIRST, FIRST + 15))
    handed = np.concatenate([found.named, np.full_like(found.named, FIRST - 1), np.full_like(found.named, FIRST + 15)], axis=1)
    among_all = shard.propose(covered, None, most=1, named=handed)
    np.testing.assert_array_equal(among_all.named, np.where(handed == found.named[:, :1], handed, -1))
    assert all(found.named[query, 0] in among_all.rows[query] for query in range(1, len(covered)))
    assert shard.propose(covered, None).named.shape == (len(covered), 0)


def test_as_many_are_proposed_as_are_asked_for(shard: Shard, asked: np.ndarray) -> None:
    scores = _scores(shard, asked)
    for most in (1, 3, 15, 99):
        found = shard.propose(asked, None, most=most)
        np.testing.assert_array_equal(found.least, np.sort(scores, axis=2)[:, :, -min(most, 15)])
        assert len(np.unique(found.rows[0])) <= most * (len(scores) + 1)
    assert found.rows.shape[1] == 15


def test_the_rest_under_each_model(shard: Shard, asked: np.ndarray) -> None:
    scores = _scores(shard, asked[:1])
    left_out = np.array([[FIRST - 1, FIRST + 3, FIRST + 7, FIRST + 15]])  # two of them are another shard's
    kept = np.delete(np.arange(15), [3, 7])
    for model in range(len(scores) + 1):
        logits = (scores[model, 0] if model < len(scores) else np.zeros(15))[kept].astype(np.float64)
        total, read = shard.rest(asked[:1], [model], left_out, np.array([-np.inf]))
        weights = np.exp(logits - np.logaddexp.reduce(logits))
        assert total[0] == pytest.approx(np.logaddexp.reduce(logits), rel=1e-5)
        np.testing.assert_allclose(read.picture[0], weights @ (shard.memory.patterns[kept].reshape(13, -1) / 255), atol=1e-4)


def test_the_rest_is_read_out_where_it_matters(shard: Shard, asked: np.ndarray) -> None:
    nobody = np.zeros((3, 0), np.int64)
    total, every = shard.rest(asked[:3], [0, 0, 0], nobody, np.full(3, -np.inf))
    some = shard.rest(asked[:3], [0, 0, 0], nobody, total + np.array([1, 0, -1]))[1]
    assert some.places.tolist() == [1, 2]
    np.testing.assert_allclose(some.picture, every.picture[1:], atol=1e-6)


def test_nothing_is_left_where_all_are_taken(shard: Shard, asked: np.ndarray) -> None:
    total, read = shard.rest(asked[:1], [0], np.arange(FIRST, FIRST + 15)[None], np.array([-1e9]))
    assert total[0] == -np.inf
    assert read.picture.shape == (0, asked.shape[1])


@pytest.mark.parametrize("room", [True, False])
def test_the_second_question_about_a_pass_finds_it_kept(
    pair: Any, asked: np.ndarray, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is no room, or the first question was another one, the pass is made again, and the answer is the same."""
    passes: list[Asked] = []

    class Counted(shard_module.Pass):
        def __init__(self, asked: Asked, *parts: Any) -> None:
            passes.append(asked)
            super().__init__(asked, *parts)

    monkeypatch.setattr(shard_module, "Pass", Counted)
    if not room:
        monkeypatch.setattr(shard_module, "KEPT_SHARE", 1 << 60)
    shard = Shard(pair.shards.shards[1], FIRST, RetrievalSettings(), CPU)
    one, other = Asked(kind="identity", queries=asked), Asked(kind="identity", queries=asked[::-1].copy())
    least = np.full(len(asked), -np.inf)
    shard.attend(one)
    first = shard.gather(one, least)
    assert passes == ([one] if room else [one, one])
    shard.attend(other)
    again = shard.gather(one, least)
    assert passes[-1] is one
    np.testing.assert_array_equal(again.picture, first.picture)


def test_what_was_prepared_is_let_go(pair: Any, asked: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    evidence = shard_module.ByEvidence
    monkeypatch.setattr(shard_module, "ByEvidence", lambda *parts: made.append(parts) or evidence(*parts))
    shard = Shard(pair.shards.shards[1], FIRST, RetrievalSettings(), CPU)
    one = Asked(kind="identity", queries=asked)
    shard.attend(one)
    shard.let_go()
    shard.gather(one, np.zeros(len(asked)))  # the pass is kept
    assert len(made) == 1
    shard.attend(one)
    assert len(made) == 2


def test_pools_of_shards_are_one(pair: Any) -> None:
    shards = [Shard(pair.shards.shards[number], 15 * number, RetrievalSettings(), CPU) for number in (0, 2)]
    wanted = np.array([3, 14, 15, 29, 30, 41])  # of three shards, of which two are asked
    pool = Pool.joined([shard.pool(wanted) for shard in shards])
    assert pool.rows.tolist() == [3, 14, 30, 41]
    wanted = np.array([41, 3])
    np.testing.assert_array_equal(pool.patterns[pool.places(wanted)], pair.whole.patterns[wanted])
    np.testing.assert_array_equal(pool.statistics.sums, pair.whole.statistics.sums[pool.rows])
    np.testing.assert_array_equal(pool.statistics.variances, pair.whole.statistics.variances)
