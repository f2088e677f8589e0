"""A memory that is to be in shards, tried shard by shard, gives what it gives in one piece."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.corruption.corruption import parse
from uhop_cli.evidence.shortlist import codes as compact
from uhop_cli.evidence.shortlist import index
from uhop_cli.evidence.statistics import encode
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.shards import by_evidence
from uhop_cli.querying.shards.shard import Shard
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.testing import self_test as module
from uhop_cli.storing.testing import subjects
from uhop_cli.storing.testing.subjects import InOne, InShards
from uhop_cli.storing.testing.trials import Outcome, Trial, masked

BOUNDS = (0, 25, 26, 60)  # one shard of less memories than a model proposes
LABELS = (None, "noise:0.3", "half:bottom", "blur:6", "values:0.98", "noise:6", "mask:0.5")
EVERY = np.arange(60)


@pytest.fixture(scope="module")
def opaque() -> Memory:
    return learn(np.random.default_rng(2).integers(0, 256, (60, 12, 12, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def veiled(opaque: Memory) -> Memory:
    """The same, of every third picture a quarter transparent."""
    opacity = np.full((60, 12, 12), 255, np.uint8)
    opacity[::3, :6, :6] = 0
    return replace(opaque, opacity=opacity, statistics=encode(opaque.kernel, opaque.spec, opaque.patterns, opacity=opacity)[1])


def trials_of(memory: Memory, each: int = 9) -> list[Trial]:
    rng = np.random.default_rng(1)
    rows = (np.sort(rng.choice(len(memory), each, replace=False)) for _ in LABELS)
    return [Trial(None if label is None else parse(label), own, shortlisted=0.5) for label, own in zip(LABELS, rows, strict=True)]


def same(ones: Sequence[Outcome], others: Sequence[Outcome]) -> None:
    for one, other in zip(ones, others, strict=True):
        assert (one.corruption, one.shortlisted, one.another) == (other.corruption, other.shortlisted, other.another)
        for name in ("right", "right_members", "right_unlearned"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        np.testing.assert_array_equal(one.margins, other.margins)
        np.testing.assert_array_equal(one.sample.right, other.sample.right)
        np.testing.assert_allclose(one.sample.features, other.sample.features, rtol=1e-3, atol=2e-3)
        assert one.sse == pytest.approx(other.sse, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(("name", "piece"), [("opaque", 60), ("veiled", 60), ("opaque", 20), ("veiled", 7)])
def test_outcomes_are_those_of_one_piece(name: str, piece: int, request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subjects, "PIECE", piece)
    memory = request.getfixturevalue(name)
    trials, told = trials_of(memory), []
    whole = InOne(memory).outcomes(trials, 0, lambda done, total: None)
    found = InShards(memory, BOUNDS).outcomes(trials, 0, lambda done, total: told.append((done, total)))
    same(found, whole)
    assert 0 < np.mean([outcome.right.mean() for outcome in whole]) < 1  # some copies are not found: they need all memories
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (7, 7)


def test_all_copies_go_through_a_shard_before_the_next(opaque: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """And as many at a time as have room: two of the copies here, which is less than a trial has."""
    trials = trials_of(opaque)
    monkeypatch.setattr("uhop_cli.storing.testing.trials.TOGETHER", (1, 1))
    asked: list[Any] = []
    propose, let_go = Shard.propose, Shard.let_go
    monkeypatch.setattr(Shard, "propose", lambda shard, *parts, **more: asked.append(shard.first) or propose(shard, *parts, **more))
    monkeypatch.setattr(Shard, "let_go", lambda shard: asked.append("let go") or let_go(shard))
    found = InShards(opaque, BOUNDS).outcomes(trials, 0, lambda done, total: None)
    assert asked[: 3 * 8] == [*[0] * 7, "let go", *[25] * 7, "let go", *[26] * 7, "let go"]
    asked.clear()
    monkeypatch.setattr(subjects, "COPIES_BYTES", 2 * 4 * opaque.spec.dim)
    same(InShards(opaque, BOUNDS).outcomes(trials, 0, lambda done, total: None), found)
    assert [one for one in asked if one != "let go"] == [0, 25, 26] * 7


@pytest.mark.parametrize("together", [1, 120])
def test_what_is_known_of_masks_is_that_of_one_piece(together: int, opaque: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uhop_cli.storing.testing.trials.TOGETHER", (together, together))
    copies = [masked(opaque, parse("mask:0.95"), noise, EVERY, 0) for noise in (0.0, 0.5)]
    found = zip(InOne(opaque).known(copies), InShards(opaque, BOUNDS).known(copies), copies, strict=True)
    for one, other, asked in found:
        alone = InOne(opaque).known([asked])[0]
        np.testing.assert_array_equal(one.right, alone.right)
        np.testing.assert_allclose(one.features, alone.features, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(one.right, other.right)
        np.testing.assert_allclose(one.features, other.features, rtol=1e-4, atol=1e-4)
        assert one.right[:60].any()


def test_a_background_is_seen_through_the_same_memories(opaque: Memory, veiled: Memory) -> None:
    assert InShards(veiled, BOUNDS).see_through().tolist() == InOne(veiled).see_through().tolist() == list(range(0, 60, 3))
    assert not len(InShards(opaque, BOUNDS).see_through())
    assert not len(InOne(opaque).see_through())


def test_shortlists_are_those_that_shards_look_at(opaque: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compact, "WORTH", 1)
    codes, directions = compact.compact_codes(opaque.spec, opaque.patterns, 0) or (None, None)
    listed = replace(opaque, compact=codes, compact_map=directions)
    truth = unit_rows(opaque.patterns)
    noise = np.random.default_rng(0).random((60, opaque.spec.dim), np.float32)
    monkeypatch.setattr(by_evidence, "LEAST_LISTED", 1)
    monkeypatch.setattr(index, "SHORTLIST", (6, 6))  # two of each of three shards
    monkeypatch.setattr(subjects, "PIECE", 20)  # which is nothing to the shortlists
    shards = InShards(listed, BOUNDS)
    assert shards.shortlisted(truth, EVERY) == 1
    share = shards.shortlisted(noise, EVERY)
    lists = [shard._evidence.shortlist(noise, 2) + shard.first for shard in shards._listed]
    wanted = np.mean([row in np.concatenate([some[row] for some in lists]) for row in EVERY])
    assert share == wanted
    assert 1 / 60 <= share < 1  # the shard of one memory lists it
    assert InShards(opaque, BOUNDS).shortlisted(truth, EVERY) is None
    assert InOne(opaque).shortlisted(truth, EVERY) is None


def test_a_large_memory_of_one_file_is_tried_piece_by_piece_with_the_shortlists_of_the_whole(
    opaque: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compact, "WORTH", 1)
    monkeypatch.setattr(by_evidence, "LEAST_LISTED", 1)
    monkeypatch.setattr(index, "SHORTLIST", (6, 6))
    codes, directions = compact.compact_codes(opaque.spec, opaque.patterns, 0) or (None, None)
    listed = replace(opaque, compact=codes, compact_map=directions)
    whole = module.self_test(listed, StoreSettings())
    for where in (module, subjects):
        monkeypatch.setattr(where, "PIECE", 25)
    lengths: list[int] = []
    shards = subjects._shards

    def noted(memory: Memory, bounds: Sequence[int]) -> list[Shard]:
        found = shards(memory, bounds)
        lengths.extend(len(shard.memory) for shard in found)
        return found

    monkeypatch.setattr(subjects, "_shards", noted)
    found = module.self_test(listed, StoreSettings())
    assert lengths == [25, 25, 10]
    for one, other in zip(found.rows, whole.rows, strict=True):
        assert replace(one, sse=0.0) == replace(other, sse=0.0)
        assert one.sse == pytest.approx(other.sse, rel=1e-3)
    assert any(row.shortlisted not in (None, 1.0) for row in whole.rows)
    assert found.beta == pytest.approx(whole.beta, rel=1e-4)
    np.testing.assert_allclose(found.calibration["evidence"]["weights"], whole.calibration["evidence"]["weights"], atol=1e-3)
