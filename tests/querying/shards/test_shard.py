"""What one shard answers, against its definition."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.arrays.device import CPU
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.messages import Asked, Pool
from uhop_cli.querying.shards.model import Merged
from uhop_cli.querying.shards.shard import Shard, _log_total, window
from uhop_cli.retrieval.separation import Separation

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


def test_the_rest_under_each_model(shard: Shard, asked: np.ndarray) -> None:
    scores = _scores(shard, asked[:1])
    left_out = np.array([[FIRST - 1, FIRST + 3, FIRST + 7, FIRST + 15]])  # two of them are another shard's
    kept = np.delete(np.arange(15), [3, 7])
    for model in range(len(scores) + 1):
        logits = (scores[model, 0] if model < len(scores) else np.zeros(15))[kept].astype(np.float64)
        total, picture = shard.rest(asked[:1], [model], left_out)
        weights = np.exp(logits - np.logaddexp.reduce(logits))
        assert total[0] == pytest.approx(np.logaddexp.reduce(logits), rel=1e-5)
        np.testing.assert_allclose(picture[0], weights @ (shard.memory.patterns[kept].reshape(13, -1) / 255), atol=1e-4)


def test_nothing_is_left_where_all_are_taken(shard: Shard, asked: np.ndarray) -> None:
    total, picture = shard.rest(asked[:1], [0], np.arange(FIRST, FIRST + 15)[None])
    assert total[0] == -np.inf
    assert not picture.any()


@given(
    st.sampled_from(["sparsemax", "entmax:1.5", "entmax:1.2", "entmax:4", "argmax"]),
    st.lists(st.lists(st.floats(-3, 3, width=32), min_size=1, max_size=6), min_size=1, max_size=4),
)
def test_what_is_far_below_the_largest_of_its_shard_has_no_weight(label: str, shards: list[list[float]]) -> None:
    separation = Separation.parse(label)
    whole = np.concatenate(shards).astype(np.float64)
    kept = np.concatenate([np.array(part) >= max(part) - window(separation) for part in shards])
    weights = separation(whole[None])[0]
    assert not weights[~kept].any()
    np.testing.assert_allclose(separation(whole[kept][None])[0], weights[kept], atol=1e-9)


def test_claims_hold_the_support_and_little_more(pair: Any, asked: np.ndarray) -> None:
    settings = RetrievalSettings(similarity="cosine", separation="sparsemax")
    shard = Shard(pair.shards.shards[1], FIRST, settings, CPU)
    state = asked / np.linalg.norm(asked, axis=1, keepdims=True)
    one = Asked(kind="similarity", queries=asked, state=state, beta=20.0, separation="sparsemax")
    scores = state @ (pair.shards.shards[1].patterns.reshape(15, -1) / 255 / np.linalg.norm(
        pair.shards.shards[1].patterns.reshape(15, -1) / 255, axis=1, keepdims=True)).T  # fmt: skip
    for line, rows, values in zip(scores, *vars(shard.claim(one)).values(), strict=True):
        inside = np.flatnonzero(line >= line.max() - 1 / 20 + 1e-5)
        around = np.flatnonzero(line >= line.max() - 1 / 20 - 1e-5)
        assert set(inside + FIRST) <= set(rows) <= set(around + FIRST)
        np.testing.assert_allclose(values, line[rows - FIRST], atol=1e-5)


def test_parts_of_a_softmax_make_the_whole(pair: Any, asked: np.ndarray) -> None:
    settings = RetrievalSettings(similarity="dot")
    one = Asked(kind="similarity", queries=asked, state=asked, beta=0.2)
    parts = [Shard(memory, 15 * number, settings, CPU).attend(one) for number, memory in enumerate(pair.shards.shards)]
    merged = Merged(parts)
    patterns = pair.whole.patterns.reshape(60, -1).astype(np.float64) / 255
    logits = 0.2 * asked @ patterns.T
    total = np.logaddexp.reduce(logits, axis=1)
    np.testing.assert_allclose(merged.total, total, rtol=1e-5)
    np.testing.assert_allclose(merged.picture, np.exp(logits - total[:, None]) @ patterns, atol=1e-4)


def test_totals_are_known_better_than_float32_knows_them() -> None:
    """e^-4000 + e^-4000.0005: in float32 numbers of that size are half a thousandth apart."""
    logits = np.array([[-4000.0, -4000.0005], [-np.inf, -np.inf], [-np.inf, 3.0]], np.float32)
    expected = float(logits[0, 0]) + math.log1p(math.exp(float(logits[0, 1]) - float(logits[0, 0])))
    totals = _log_total(logits)
    assert totals[0] == pytest.approx(expected, abs=1e-6)
    assert totals[1] == -np.inf
    assert totals[2] == 3


def test_pools_of_shards_are_one(pair: Any) -> None:
    shards = [Shard(pair.shards.shards[number], 15 * number, RetrievalSettings(), CPU) for number in (0, 2)]
    wanted = np.array([3, 14, 15, 29, 30, 41])  # of three shards, of which two are asked
    pool = Pool.joined([shard.pool(wanted) for shard in shards])
    assert pool.rows.tolist() == [3, 14, 30, 41]
    wanted = np.array([41, 3])
    np.testing.assert_array_equal(pool.patterns[pool.places(wanted)], pair.whole.patterns[wanted])
    np.testing.assert_array_equal(pool.statistics.sums, pair.whole.statistics.sums[pool.rows])
    np.testing.assert_array_equal(pool.statistics.variances, pair.whole.statistics.variances)
