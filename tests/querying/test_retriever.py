"""Retrieval from memories whose numbers and claims are not what they should be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.errors import MemoryFileError
from uhop_cli.evidence.statistics import Statistics
from uhop_cli.images.patterns import PatternSpec, to_vectors
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.by_similarity import BySimilarity
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings


@pytest.fixture
def memory(make_memory: Any) -> Memory:
    """Five patterns without statistics."""
    memory: Memory = make_memory(spec=PatternSpec(8, 8, 3))
    return memory


def queries(memory: Memory) -> np.ndarray:
    return to_vectors(memory.patterns[:2])


@pytest.mark.parametrize(
    "calibration",
    [None, [], "x", {"evidence": []}, {"evidence": {}}, {"evidence": {"center": "x", "scale": [1], "weights": [1], "bias": 0}},
     {"evidence": {"center": [0, 0], "scale": [1, 1], "weights": [1, 1], "bias": 0}}],
)  # fmt: skip
def test_a_calibration_that_is_none_is_left_out(memory: Memory, calibration: Any) -> None:
    odd = replace(memory, record={"calibration": calibration})
    answer = Retriever(odd).retrieve(queries(odd))
    assert answer.confidence is None
    assert answer.weights.argmax(axis=1).tolist() == [0, 1]


def test_statistics_of_another_form_are_made_anew(memory: Memory) -> None:
    expected = Retriever(memory).retrieve(queries(memory)).weights
    odd = replace(
        memory,
        statistics=Statistics(*(np.zeros((len(memory), width), np.float32) for width in (3, 3, 9, 5, 2)), np.zeros(7, np.float32)),
    )
    np.testing.assert_array_equal(Retriever(odd).retrieve(queries(odd)).weights, expected)


def test_numbers_that_overflow_are_told(memory: Memory) -> None:
    wild = replace(memory, kernel=replace(memory.kernel, weight=memory.kernel.weight * np.float32(3e37)))
    with pytest.raises(MemoryFileError, match="out of range"):
        Retriever(wild, RetrievalSettings(similarity="kernel")).retrieve(queries(wild))


@pytest.mark.parametrize(("similarity", "beta"), [("kernel", 20.0), ("auto", "auto")])
def test_features_at_hand_give_the_same_answers(similarity: str, beta: Any) -> None:
    rng = np.random.default_rng(0)
    memory = replace(learn(rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8)), record={"retrieval": "paper"}, beta=60.0)
    small = replace(memory.kernel, weight=memory.kernel.weight[:20], gains=memory.kernel.gains[:, :20], spectrum=None)
    norms = np.linalg.norm(to_vectors(memory.patterns) @ small.weight.T, axis=1)[:, None].repeat(memory.norms.shape[1], axis=1)
    memory = replace(memory, kernel=small, norms=norms.astype(np.float32))
    asked = to_vectors(memory.patterns) + rng.normal(0, 0.05, (40, 192)).astype(np.float32)
    retriever = Retriever(memory, RetrievalSettings(similarity=similarity, beta=beta, steps=3))
    first = retriever.retrieve(asked[:5])
    assert isinstance(retriever.strategy, BySimilarity)
    assert retriever.strategy.features is None
    later = retriever.retrieve(asked)
    assert retriever.strategy.features is not None
    assert retriever.strategy.features.shape == (20, 40)
    np.testing.assert_allclose(later.weights[:5], first.weights, atol=1e-4)
    np.testing.assert_allclose(later.pictures[:, :5], first.pictures, atol=1e-4)
    assert first.energies is not None
    assert later.energies is not None
    np.testing.assert_allclose(later.energies[:, :5], first.energies, rtol=1e-4, atol=1e-5)


def test_evidence_with_features_at_hand_is_the_same() -> None:
    rng = np.random.default_rng(0)
    memory = learn(rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))
    small = replace(memory.kernel, weight=memory.kernel.weight[:20], gains=memory.kernel.gains[:, :20], spectrum=None)
    memory = replace(memory, kernel=small, statistics=None)
    asked = to_vectors(memory.patterns) + rng.normal(0, 0.05, (40, 192)).astype(np.float32)
    asked[::2] = np.clip(asked[::2] + 0.3, 0, 1)
    plain, expecting = Retriever(memory), Retriever(memory, features_expected=40)
    assert not {"engine", "statistics"} & set(vars(plain.strategy))
    plain.make_ready()
    expecting.make_ready()
    assert "engine" in vars(plain.strategy)
    assert isinstance(plain.strategy, ByEvidence)
    assert isinstance(expecting.strategy, ByEvidence)
    made = expecting.strategy._with_features
    assert made is not None
    first, second = plain.retrieve(asked[:10]), expecting.retrieve(asked[:10])
    assert plain.strategy._with_features is None
    assert expecting.strategy._with_features is made
    features = made.features
    assert features is not None
    assert features.shape == (20, 40)
    np.testing.assert_allclose(second.scores, first.scores, rtol=1e-3, atol=0.05)
    assert second.kernels == first.kernels
    alone = expecting.retrieve(asked[:1])  # few queries read the pixels
    np.testing.assert_allclose(alone.scores[0], first.scores[0], rtol=1e-3, atol=0.05)
    later = plain.retrieve(asked)
    assert plain.strategy._with_features is not None
    np.testing.assert_allclose(later.scores[:10], first.scores, rtol=1e-3, atol=0.05)
    assert later.weights.argmax(axis=1).tolist() == list(range(40))


def test_a_memory_with_codes_is_examined_without_features_unless_all_are_always() -> None:
    memory = learn(np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), dtype=np.uint8))
    small = replace(memory.kernel, weight=memory.kernel.weight[:20], gains=memory.kernel.gains[:, :20])
    codes = {"compact": np.zeros((2, 40), np.float32), "compact_map": np.zeros((1, 192), np.float32)}
    known = replace(memory, kernel=small, statistics=None, **codes)
    for coded, at_hand in ((known, False), (replace(known, record={}), True)):
        retriever = Retriever(coded, features_expected=10**6)
        strategy = retriever.strategy
        assert isinstance(strategy, ByEvidence)
        retriever.make_ready()
        assert ("shortlist" in vars(strategy), "engine" in vars(strategy)) == (not at_hand, at_hand)
        strategy.among_all(to_vectors(memory.patterns))
        assert (strategy._with_features is not None) == at_hand


def test_batches_are_those_answers_in_order(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = to_vectors(memory.patterns)
    visible = np.ones(asked.shape, np.bool_)
    visible[:, ::3] = False
    monkeypatch.setattr(Retriever, "batch", 2)
    for seen in (None, visible):
        retriever = Retriever(memory)
        parts = list(retriever.batches(asked, seen))
        assert [part for part, _ in parts] == [slice(0, 2), slice(2, 4), slice(4, 5)]
        whole = retriever.retrieve(asked, seen)
        found = np.concatenate([answer.weights for _, answer in parts])
        np.testing.assert_allclose(found, whole.weights, atol=1e-5)
    by_place = Retriever(memory, RetrievalSettings(similarity="kernel", separation="window:2"))
    assert [part for part, _ in by_place.batches(asked)] == [slice(0, 5)]


def test_the_papers_memories_are_asked_by_their_raw_kernel(memory: Memory) -> None:
    paper = replace(memory, record={"retrieval": "paper"})
    assert paper.raw_features
    assert not memory.raw_features
    assert Retriever(paper).retrieve(queries(paper)).kernels == ("raw kernel", "raw kernel")
    assert Retriever(paper, RetrievalSettings(similarity="kernel")).retrieve(queries(paper)).kernels == ("kernel", "kernel")


@pytest.mark.parametrize("side", [8, 32])
def test_an_undamaged_copy_is_sure_though_it_is_of_one_colour(side: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, side, side, 3), dtype=np.uint8)
    images[::2] = np.arange(0, 240, 8, dtype=np.uint8)[:, None, None, None]
    memory = learn(images)
    x = to_vectors(memory.patterns)
    answer = Retriever(memory).retrieve(x)
    assert answer.confidence is not None
    assert answer.weights.argmax(axis=1).tolist() == list(range(60))
    assert (answer.confidence == 1).all()
    other = np.clip(x + rng.normal(0, 0.1, x.shape), 0, 1).astype(np.float32)
    damaged = Retriever(memory).retrieve(other)
    assert damaged.confidence is not None
    assert (damaged.confidence < 1).any()
    assert (damaged.confidence[:1] != 1).all()
