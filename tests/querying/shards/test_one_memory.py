"""The law of shards: whatever is asked, a memory in shards answers as the same memory in one file."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.device import CPU
from uhop_cli.errors import SettingsError
from uhop_cli.memory.memory import Memory
from uhop_cli.querying import by_evidence as of_one_memory
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards import asking, by_evidence, choosing, shard
from uhop_cli.querying.shards.asking import InTurn

# Scores that are sums over all values are rounded to more than one millionth, and beta takes that to the weights.
WEIGHTS = {"dot": 5e-4, "l2-squared": 5e-4, "cosine": 5e-5}
PLAIN = [
    ("kernel", "softmax"), ("kernel", "sparsemax"), ("kernel", "entmax:1.5"), ("kernel", "entmax:1"), ("kernel", "top-k:3"),
    ("kernel", "argmax"), ("cosine", "softmax"), ("cosine", "sparsemax"), ("dot", "top-k:2"), ("l2", "softmax"), ("l2", "argmax"),
    ("l2-squared", "softmax"), ("l2-squared", "sparsemax"), ("l1", "entmax:1.3"),
]  # fmt: skip


def assert_equal(one: Answer, other: Answer, *, weights: float = 1e-5) -> None:
    """The same best memories, weights, pictures, confidence, reasons and steps."""
    assert other.rows is not None
    for query in range(len(one.weights)):
        rows, first = np.unique(other.rows[query], return_index=True)
        np.testing.assert_allclose(other.weights[query, first], one.weights[query, rows], atol=weights)
        assert abs(1 - other.weights[query, first].sum() - np.delete(one.weights[query], rows).sum()) < len(rows) * weights
        assert other.ranking(query, 1) == one.ranking(query, 1)
    np.testing.assert_allclose(other.pictures[-1], one.pictures[-1], atol=20 * weights)
    np.testing.assert_array_equal(other.steps, one.steps)
    np.testing.assert_array_equal(other.converged, one.converged)
    assert (other.map, other.kernels, other.monotone) == (one.map, one.kernels, one.monotone)
    assert (other.confidence is None, other.energies is None) == (one.confidence is None, one.energies is None)
    if one.confidence is not None and other.confidence is not None:
        np.testing.assert_allclose(other.confidence, one.confidence, atol=1e-3)
    if one.energies is not None and other.energies is not None:
        np.testing.assert_allclose(other.energies, one.energies, rtol=2e-3, atol=0.05)
    reasons = [[doubt.reason for doubt in answer.why or ()] for answer in (one, other)]
    assert reasons[0] == reasons[1]
    for doubt, same in zip(one.why or (), other.why or (), strict=True):
        assert [row for row, _ in doubt.pair] == [row for row, _ in same.pair]


@pytest.mark.parametrize("steps", ["auto", 1, 3])
def test_by_evidence(pair: Any, queries: Any, steps: Any) -> None:
    asked, settings = queries(pair.whole, 3), RetrievalSettings(steps)
    assert_equal(Retriever(pair.whole, settings).retrieve(asked), Retriever(pair.shards, settings).retrieve(asked))


@pytest.mark.parametrize("count", [1, 3, 20])
def test_by_evidence_whatever_the_number_of_shards(make_pair: Any, queries: Any, count: int) -> None:
    pair = make_pair(shards=count)
    asked = queries(pair.whole, 1)
    assert_equal(Retriever(pair.whole).retrieve(asked), Retriever(pair.shards).retrieve(asked))


def test_what_nobody_proposed_is_read_out_too(pair: Any, queries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One proposal a model leaves most of the weight of a picture of noise to the others."""
    for place in ("evidence.verdicts", "evidence.pixelwise.candidates", "querying.shards.choosing"):
        monkeypatch.setattr(f"uhop_cli.{place}.PROPOSALS", 2)
    asked = queries(pair.whole, 2)
    noise = (0.5 + 0.5 * (asked - 0.5)).astype(np.float32)
    one, other = Retriever(pair.whole).retrieve(noise), Retriever(pair.shards).retrieve(noise)
    assert_equal(one, other)
    first = Retriever(pair.shards, RetrievalSettings(1)).retrieve(noise)
    left_out = 1 - first.weights.sum(axis=1)
    assert left_out.max() > 0.01  # else nothing was shown
    np.testing.assert_allclose(first.pictures, Retriever(pair.whole, RetrievalSettings(1)).retrieve(noise).pictures, atol=2e-4)


@pytest.mark.parametrize("share", [0.02, 0.5])
def test_by_the_visible_pixels(pair: Any, queries: Any, share: float) -> None:
    asked = queries(pair.whole)
    visible = np.random.default_rng(5).random(asked.shape) < share
    visible[:, 0] = True
    assert_equal(Retriever(pair.whole).retrieve(asked, visible), Retriever(pair.shards).retrieve(asked, visible))


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("similarity", "separation"), PLAIN)
def test_by_one_similarity(pair: Any, queries: Any, similarity: str, separation: str, masked: bool) -> None:
    asked = queries(pair.whole, 2)
    visible = np.random.default_rng(5).random(asked.shape) < 0.5 if masked else None
    for beta in ("auto", 0.5):  # sharp, and with many memories taking part
        settings = RetrievalSettings(steps=2, beta=beta, separation=separation, similarity=similarity)  # type: ignore[arg-type]
        one, other = (Retriever(memory, settings).retrieve(asked, visible) for memory in pair)
        assert_equal(one, other, weights=WEIGHTS.get(similarity, 1e-5))


def test_a_memory_of_the_papers_protocol(pair: Any, queries: Any) -> None:
    raw = [replace(memory, record={**memory.record, "retrieval": "paper"}) for memory in pair]
    asked = queries(pair.whole, 4)
    assert_equal(*(Retriever(memory).retrieve(asked) for memory in raw), weights=3e-5)


@pytest.mark.parametrize("some", [slice(None), slice(59, 60)], ids=["all", "one"])  # the one is proposed for few of the queries
def test_transparent_pictures(pair: Any, queries: Any, some: slice, monkeypatch: pytest.MonkeyPatch) -> None:
    for place in ("evidence.verdicts", "evidence.pixelwise.candidates", "querying.shards.choosing") if some.start else ():
        monkeypatch.setattr(f"uhop_cli.{place}.PROPOSALS", 2)
    opacity = np.full((len(pair.whole), 12, 12), 255, np.uint8)
    opacity[some, :, :5] = 0
    on_white = np.where(opacity[59, ..., None] > 0, pair.whole.patterns[59] / np.float32(255), np.float32(1))
    whole = replace(pair.whole, opacity=opacity, statistics=None)
    parts = np.split(opacity, 4)
    cut = tuple(replace(shard, opacity=part, statistics=None) for shard, part in zip(pair.shards.shards, parts, strict=True))
    shards = replace(pair.shards, opacity=opacity, shards=cut)
    # The variances are those of all memories; without kept statistics each shard has its own.
    known = Retriever(whole).strategy.statistics  # type: ignore[attr-defined]
    cut = tuple(
        replace(shard, statistics=known.select(np.arange(first, first + 15)))
        for first, shard in zip((0, 15, 30, 45), cut, strict=True)
    )
    asked = np.concatenate([queries(pair.whole, 4), on_white.reshape(1, -1).astype(np.float32)])
    one, other = (Retriever(memory).retrieve(asked) for memory in (replace(whole, statistics=known), replace(shards, shards=cut)))
    assert_equal(one, other)
    assert other.ranking(len(asked) - 1, 1) == [59]


def test_in_two_stages_the_answer_is_that_of_all(make_pair: Any, queries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = make_pair(listed=True)
    monkeypatch.setattr(by_evidence, "LEAST_LISTED", 8)
    monkeypatch.setattr(by_evidence, "shortlist_size", lambda memories: 8)
    monkeypatch.setattr(of_one_memory, "OPEN", (0.01, 0.9))
    asked = queries(pair.whole, 3)
    strategy = Retriever(pair.shards).strategy
    listed = Retriever(pair.shards).retrieve(asked)
    every = strategy.among_all(asked)  # type: ignore[attr-defined]
    assert listed.confidence is not None
    named = listed.confidence >= 0.01  # what is like nothing stored may be so in another way
    assert named.sum() > 8
    assert (~named).any()
    assert ((listed.confidence < 0.9) & named).any()
    assert (every.confidence[~named] < 0.9).all()
    for query in np.flatnonzero(named):
        assert listed.ranking(query, 1) == every.ranking(query, 1)
    asked_again = (listed.confidence < 0.9) & named
    np.testing.assert_allclose(listed.confidence[asked_again], every.confidence[asked_again], atol=1e-3)


def test_what_shortlists_name_is_compared_pixel_by_pixel(make_pair: Any, queries: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The best by what is visible of each of four shards, though one memory a model is kept; by the pass over all as well."""
    pair = make_pair(listed=True)
    for place in ("evidence.verdicts", "evidence.pixelwise.candidates", "querying.shards.choosing"):
        monkeypatch.setattr(f"uhop_cli.{place}.PROPOSALS", 1)
    monkeypatch.setattr(of_one_memory, "OPEN", (0.0, 2.0))
    covered = queries(pair.whole, 1)[-3:]
    covered[:2, 216:] = 0.5
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    engines = choosing.Found.engines

    def noted(found: Any, here: Any) -> Any:
        made = engines(found, here)
        seen.extend((found.rows(place), engine.named[0]) for place, engine in enumerate(made))
        return made

    monkeypatch.setattr(choosing.Found, "engines", noted)
    Retriever(pair.shards).retrieve(covered)
    firsts, among_all = seen[:3], seen[3:]
    assert (firsts[2][1] == -1).all()
    for (rows, places), (again, same) in zip(firsts[:2], among_all[:2], strict=True):
        assert sorted(rows[places] // 15) == [0, 1, 2, 3]  # one of each shard
        assert sorted(again[same[same >= 0]]) == sorted(rows[places])


def test_batches_are_as_large_as_one_shard_lets_them(pair: Any) -> None:
    retriever = Retriever(pair.shards)
    assert retriever.strategy.budget.memory is pair.shards.shards[0]
    assert retriever.batch == Retriever(pair.shards.shards[0]).batch


@pytest.mark.parametrize("separation", ["random:0.5", "window:2", "polynomial:3"])
def test_a_separation_that_has_to_see_all_is_refused(pair: Any, separation: str) -> None:
    with pytest.raises(SettingsError, match="has to see all memories at once"):
        Retriever(pair.shards, RetrievalSettings(separation=separation, similarity="kernel"))


@pytest.mark.parametrize("room", [0, 1 << 40])
def test_shards_are_kept_ready_where_there_is_room(pair: Any, queries: Any, room: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "available_memory", lambda: room)
    made: list[Memory] = []
    evidence = shard.ByEvidence

    def counted(memory: Memory, *rest: Any) -> Any:
        made.append(memory)
        return evidence(memory, *rest)

    monkeypatch.setattr(shard, "ByEvidence", counted)
    shards = InTurn(pair.shards, RetrievalSettings(), CPU)
    for _ in range(2):
        shards.all("propose", queries(pair.whole, 1), None)
    assert list(map(id, made)) == list(map(id, pair.shards.shards)) * (1 if room else 2)
