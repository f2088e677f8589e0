"""The Python interface on arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import uhop_cli
from uhop_cli.errors import SettingsError
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings

IMAGES = np.random.default_rng(0).integers(0, 256, (15, 10, 10, 3), dtype=np.uint8)


def test_learn_save_load_retrieve(tmp_path: Path) -> None:
    memory = uhop_cli.learn(IMAGES)
    uhop_cli.save(memory, tmp_path / "m.safetensors")
    again = uhop_cli.load(tmp_path / "m.safetensors")
    damaged = IMAGES[:5].copy()
    damaged[:, 5:] = 0
    for stored in (memory, again):
        answer = uhop_cli.retrieve(stored, damaged)
        np.testing.assert_array_equal(answer.weights.argmax(axis=1), np.arange(5))
        np.testing.assert_allclose(answer.pictures[-1], IMAGES[:5].reshape(5, -1) / 255, atol=1e-4)
    visible = np.zeros(damaged.shape, np.bool_)
    visible[:, :5] = True
    known = uhop_cli.retrieve(memory, damaged, visible=visible)
    np.testing.assert_array_equal(known.weights.argmax(axis=1), np.arange(5))


def test_grey_floats_and_duplicates() -> None:
    grey = np.random.default_rng(1).random((6, 9, 9))
    memory = uhop_cli.learn(np.concatenate([grey, grey[:1]]), names=list("abcdefg"))
    assert len(memory) == 6
    assert [memory.entries.name(int(index)) for index in memory.entries.files_of(0)] == [b"a", b"g"]
    assert memory.spec.shape == (9, 9, 1)
    answer = uhop_cli.retrieve(memory, grey + np.random.default_rng(2).normal(0, 0.2, grey.shape))
    np.testing.assert_array_equal(answer.weights.argmax(axis=1), np.arange(6))


def test_a_memory_of_one_and_of_two() -> None:
    for count in (1, 2):
        memory = uhop_cli.learn(IMAGES[:count])
        answer = uhop_cli.retrieve(memory, IMAGES[:count])
        np.testing.assert_array_equal(answer.weights.argmax(axis=1), np.arange(count))
        assert np.isfinite(answer.weights).all()


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((3, 4)),
        np.zeros((3, 4, 4, 2), np.uint8),
        np.full((2, 4, 4), 7.0),
        np.zeros((0, 4, 4), np.uint8),
        np.full((2, 4, 4), np.nan),
    ],
)
def test_arrays_of_another_form_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(SettingsError):
        uhop_cli.learn(wrong)


def test_queries_of_another_size_are_refused() -> None:
    memory = uhop_cli.learn(IMAGES)
    with pytest.raises(SettingsError, match="values"):
        uhop_cli.retrieve(memory, IMAGES[:, :5])
    with pytest.raises(AttributeError):
        _ = uhop_cli.nothing_of_the_kind


@pytest.mark.parametrize("settings", [{}, {"similarity": "kernel"}, {"similarity": "kernel", "separation": "window:2", "steps": 2}])
def test_many_queries_are_answered_some_at_a_time(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    memory = uhop_cli.learn(IMAGES)
    asked = np.clip(IMAGES / 255 + np.random.default_rng(3).normal(0, 0.1, IMAGES.shape), 0, 1)
    retrieval = RetrievalSettings(**settings)
    whole = uhop_cli.retrieve(memory, asked, settings=retrieval, trace=True)
    monkeypatch.setattr(Retriever, "batch", 4)
    parts = uhop_cli.retrieve(memory, asked, settings=retrieval, trace=True)
    np.testing.assert_allclose(parts.weights, whole.weights, atol=1e-4)
    np.testing.assert_allclose(parts.pictures[-1], whole.pictures[-1], atol=1e-4)
    assert parts.kernels == whole.kernels
    assert len(parts.weights) == len(IMAGES)


def test_no_queries_give_no_answers() -> None:
    with pytest.raises(SettingsError, match="no queries"):
        uhop_cli.retrieve(uhop_cli.learn(IMAGES), IMAGES[:0])
