"""Retrieval of a large memory in two stages: the shortlist's answer, or that of all memories where it does not convince."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from uhop_cli.api import learn
from uhop_cli.evidence.shortlist import codes as compact
from uhop_cli.evidence.shortlist.index import CodeIndex
from uhop_cli.evidence.shortlist.moves import undone
from uhop_cli.memory.file.reader import load, save, verify
from uhop_cli.memory.memory import Memory
from uhop_cli.querying import by_evidence
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings


def smooth(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(small).resize((16, 16), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def memory() -> Memory:
    """120 pictures with codes, as if they were many."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compact, "WORTH", 1)
        return learn(np.stack([smooth(seed) for seed in range(120)]))


def test_codes_are_kept_in_the_file(memory: Memory, tmp_path: Path) -> None:
    assert memory.compact is not None
    save(memory, tmp_path / "m.safetensors")
    verify(tmp_path / "m.safetensors")
    again = load(tmp_path / "m.safetensors")
    assert again.compact is not None
    np.testing.assert_array_equal(again.compact, memory.compact)


@pytest.mark.parametrize("bounds", [(0.0, 0.0), (0.0, 2.0)])  # no answer is open; all are, so that all memories are examined
def test_both_stages_name_the_same_memory_as_the_whole_pass(
    memory: Memory, bounds: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(3)
    rows = memory.patterns[:12].reshape(12, -1) / np.float32(255)
    queries = (rows + rng.normal(0, 0.2, rows.shape)).astype(np.float32)
    queries[6:, : rows.shape[1] // 2] = 0.5
    monkeypatch.setattr(by_evidence, "OPEN", bounds)
    monkeypatch.setattr(CodeIndex.find, "__defaults__", (30,))
    short = Retriever(memory)
    answer = short.retrieve(queries)
    assert answer.rows is not None
    assert answer.rows.shape == (12, 30)
    assert [answer.ranking(place, 1)[0] for place in range(12)] == list(range(12))
    np.testing.assert_allclose(answer.pictures[-1], rows, atol=1e-3)
    assert answer.weights.shape == answer.rows.shape
    np.testing.assert_allclose(answer.weights.sum(axis=1), 1, atol=1e-5)


# Of more memories the least sure answers are open too, and of smooth queries.
@pytest.mark.parametrize(("sure", "blurred", "first"), [(120, False, 1), (119, False, 0), (120, True, 0)])
def test_all_memories_are_asked_about_open_answers_alone(
    memory: Memory, sure: int, blurred: bool, first: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_evidence, "SURE_OF_NONE", sure)
    monkeypatch.setattr(by_evidence, "smooth", lambda grid, queries: np.arange(len(queries)) < blurred)
    asked = memory.patterns[:4].reshape(4, -1) / np.float32(255)
    retriever, again = Retriever(memory), []
    strategy = retriever.strategy
    assert isinstance(strategy, by_evidence.ByEvidence)
    confidence, among_all, of_choice = (
        np.array([0.05, 0.1, 0.89, 0.9], np.float32),
        strategy.among_all,
        strategy.certainty.of_choice,
    )
    monkeypatch.setattr(strategy.certainty, "of_choice", lambda queries, facts, ranked: confidence[ranked[:, 0]])

    def all_asked(queries: np.ndarray, **named: Any) -> Answer:
        again.append(queries)
        monkeypatch.setattr(strategy.certainty, "of_choice", of_choice)
        return among_all(queries, **named)

    monkeypatch.setattr(strategy, "among_all", all_asked)
    answer = retriever.retrieve(asked)
    np.testing.assert_array_equal(again, [asked[first:3]])
    assert answer.confidence is not None
    assert answer.confidence[:first].tolist() == confidence[:first].tolist()
    assert answer.confidence[first:].tolist() == [*[1] * (3 - first), confidence[3]]  # of undamaged ones among all: 1


def test_what_is_visible_of_a_query_names_a_memory_to_both_stages(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half covered: by heaps. The one that is asked about all memories has them from the first stage, or finds them itself."""
    monkeypatch.setattr(by_evidence, "OPEN", (0.0, 2.0))
    monkeypatch.setattr(by_evidence, "SURE_OF_A_MOVE", 1.1)
    asked = memory.patterns[:3].reshape(3, -1) / np.float32(255)
    asked[1:, 384:] = 0.5
    strategy = Retriever(memory).strategy
    assert isinstance(strategy, by_evidence.ByEvidence)
    engines, examine = [], strategy.examine
    monkeypatch.setattr(strategy, "examine", lambda engine, *given: engines.append(engine.named) or examine(engine, *given))
    strategy.answer(asked, None)
    strategy.among_all(asked)
    np.testing.assert_array_equal(engines[-1], [[-1], [1], [2]])
    np.testing.assert_array_equal(engines[-2], [[-1], [1], [2]])
    bare = Retriever(replace(memory, compact=None, compact_map=None)).strategy
    assert isinstance(bare, by_evidence.ByEvidence)
    examine_bare = bare.examine
    monkeypatch.setattr(bare, "examine", lambda engine, *given: engines.append(engine.named) or examine_bare(engine, *given))
    bare.among_all(asked)
    assert engines[-1] is None


# A copy that lies a pixel beside its memory; in a place of its own it is as sure as can be.
@pytest.mark.parametrize(("bar", "passes"), [(0.5, 0), (1.1, 1)])
def test_an_open_answer_is_looked_for_in_another_place(
    memory: Memory, bar: float, passes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_evidence, "OPEN", (0.0, 2.0))
    monkeypatch.setattr(by_evidence, "SURE_OF_A_MOVE", bar)
    rows, move = [3, 8, 5, 6], np.array([1, -1])  # two are looked at together, of which one was moved
    whole = memory.patterns[rows].astype(np.float32) / 255
    asked = np.stack([whole[0], undone(whole[1], move), undone(whole[2], move), whole[3]]).reshape(4, -1)
    retriever, again = Retriever(memory), []
    strategy = retriever.strategy
    assert isinstance(strategy, by_evidence.ByEvidence)
    among_all = strategy.among_all
    monkeypatch.setattr(strategy, "among_all", lambda queries, **named: again.append(len(queries)) or among_all(queries, **named))
    answer = retriever.retrieve(asked)
    assert again == [2 + 2 * passes]  # two lie where they belong
    assert [answer.ranking(place, 1)[0] for place in range(4)] == rows
    assert answer.weights.shape == (4, len(memory))
    np.testing.assert_allclose(answer.weights.sum(axis=1), 1, atol=1e-5)
    if not passes:
        np.testing.assert_allclose(answer.pictures[-1, 1:3].reshape(2, 16, 16, 3), whole[1:3], atol=1e-3)


def test_without_a_calibration_all_memories_are_asked(memory: Memory) -> None:
    asked = memory.patterns[:4].reshape(4, -1) / np.float32(255)
    bare = Retriever(replace(memory, record={})).retrieve(asked)
    assert (bare.rows, bare.confidence) == (None, None)
    assert Retriever(memory).retrieve(asked).rows is not None


def test_a_plain_kernel_and_the_restorer_work_on_such_a_memory(memory: Memory, tmp_path: Path) -> None:
    rows = memory.patterns[:4].reshape(4, -1) / np.float32(255)
    answer = Retriever(memory, RetrievalSettings(similarity="kernel")).retrieve(rows)
    assert answer.rows is None
    assert [answer.ranking(place, 1)[0] for place in range(4)] == list(range(4))
    save(memory, tmp_path / "m.safetensors")
    damaged = memory.patterns[7].copy()
    damaged[8:] = 255
    Image.fromarray(damaged).save(tmp_path / "damaged.png")
    result = Restorer(tmp_path / "m.safetensors").restore(tmp_path / "damaged.png")
    assert result.match is not None
    assert result.answer.matches[0].row == 7
