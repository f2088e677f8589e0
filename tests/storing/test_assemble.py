"""From patterns to a memory: with a self-test, without one, and with a kernel that is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.evidence.likelihoods import RHOS
from uhop_cli.images.patterns import PatternSpec, to_vectors
from uhop_cli.kernel.closed_form import RHO_GRID
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.file.reader import load, save
from uhop_cli.querying.retriever import Retriever
from uhop_cli.retrieval.inverse_temperature import QUANTILE, TOLERANCE
from uhop_cli.storing.assemble import Draft, Stored, embedded, learn_memory
from uhop_cli.storing.record import SelfTested
from uhop_cli.storing.settings import StoreSettings

COUNT = 30
PATTERNS = np.random.default_rng(0).integers(0, 256, (COUNT, 6, 6, 3), dtype=np.uint8)


def draft(count: int = COUNT) -> Draft:
    numbers = range(count)
    entries = Entries.build([b"%d" % i for i in numbers], list(numbers), [bytes([i]) * 32 for i in numbers], [1] * count)
    return Draft(PatternSpec(6, 6, 3), PATTERNS[:count], entries, transparent=True)


@pytest.fixture(scope="module")
def tested() -> Stored:
    return learn_memory(draft(), StoreSettings())


@pytest.fixture(scope="module")
def untested() -> Stored:
    return learn_memory(draft(), StoreSettings(), test=False)


def test_a_memory_without_a_self_test_answers_alike_by_evidence(tested: Stored, untested: Stored) -> None:
    assert untested.test is None
    assert untested.memory.record["self_test"] == []
    assert untested.memory.record["calibration"] == {}
    assert untested.memory.record["tested"] is None
    assert {RHOS[0], RHOS[1]} <= set(untested.memory.kernel.rhos)
    asked = to_vectors(PATTERNS) + np.random.default_rng(1).normal(0, 0.4, (COUNT, 108)).astype(np.float32)
    one, other = Retriever(tested.memory).retrieve(asked), Retriever(untested.memory).retrieve(asked)
    np.testing.assert_array_equal(one.weights, other.weights)
    np.testing.assert_array_equal(one.pictures, other.pictures)
    assert one.kernels == other.kernels
    assert one.confidence is not None
    assert other.confidence is None


def test_what_the_self_test_would_have_chosen_has_a_value_from_the_memories(untested: Stored) -> None:
    memory = untested.memory
    assert memory.kernel.rhos == RHO_GRID
    assert memory.kernel.chosen == len(RHO_GRID) // 2
    features = memory.kernel.features(to_vectors(PATTERNS)).astype(np.float64)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    margins = 1 - (features @ features.T - 2 * np.eye(COUNT)).max(axis=1)
    assert memory.beta == pytest.approx(np.log((COUNT - 1) / TOLERANCE) / np.quantile(margins, QUANTILE), rel=1e-4)
    assert memory.record["separation"]["margin_min"] == pytest.approx(margins.min(), rel=1e-4)
    assert learn_memory(draft(), StoreSettings(protocol="paper", iterations=1), test=False).memory.beta == 1.0


def test_the_record_says_how_the_memory_came_about(tested: Stored) -> None:
    record = tested.memory.record
    assert record["transparent"] is True
    assert record["retrieval"] == "evidence"
    assert record["stage1"]["rho"] == tested.memory.kernel.rhos[tested.memory.kernel.chosen]
    assert record["stage1"]["loss_final"] < record["stage1"]["loss_initial"]
    assert "seconds" not in record["stage1"]
    assert "seconds" in tested.learned.stage1
    assert "device" not in record["settings"]
    assert tested.test is not None
    assert record["self_test"] == [row.to_json() for row in tested.test.rows]
    assert tested.memory.kernel.chosen == tested.test.chosen
    assert tested.memory.beta == tested.test.beta


def test_a_kept_self_test_is_that_of_the_memory_before(tested: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    assert tested.memory.record["tested"] == {"patterns": COUNT, "changed": 0}
    monkeypatch.setattr("uhop_cli.storing.assemble.self_test", None)
    before = replace(tested.memory, kernel=tested.memory.kernel.with_chosen(1), beta=123.0)
    kept = learn_memory(draft(COUNT - 1), StoreSettings(), before=(before, SelfTested(COUNT, 1)))
    for name in ("self_test", "calibration"):
        assert kept.memory.record[name] == tested.memory.record[name]
    assert kept.memory.record["tested"] == {"patterns": COUNT, "changed": 1}
    assert (kept.memory.kernel.chosen, kept.memory.beta, kept.test) == (1, 123.0, None)
    assert kept.memory.record["stage1"]["rho"] == kept.memory.kernel.rhos[1]
    assert kept.memory.record["stage1"]["loss_final"] != tested.memory.record["stage1"]["loss_final"]  # it is learned again


def test_a_self_test_with_other_values_of_rho_is_not_kept(tested: Stored) -> None:
    made = learn_memory(draft(), StoreSettings(regularization=0.5), before=(tested.memory, SelfTested(COUNT, 1)))
    assert made.test is not None
    assert made.memory.record["tested"] == {"patterns": COUNT, "changed": 0}


def test_a_kept_kernel_is_not_learned_again(tested: Stored, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("uhop_cli.storing.assemble.learn", None)
    kept = learn_memory(draft(20), StoreSettings(), keep=tested.memory)
    rows = to_vectors(PATTERNS)
    np.testing.assert_allclose(kept.memory.kernel.features(rows, 0), tested.memory.kernel.features(rows, 0), rtol=1e-4, atol=1e-6)
    assert kept.learned.stage1["solver"] == "closed-form"
    assert len(kept.memory) == 20


def test_a_single_memory_is_a_memory() -> None:
    alone = learn_memory(draft(1), StoreSettings(), test=False)
    assert alone.memory.beta == 1.0
    assert alone.memory.record["separation"] == {"r_phi": None, "margin_min": None, "sample": 1}
    assert alone.memory.record["stage1"]["loss_bound"] is None


def test_a_memory_without_a_self_test_can_be_saved(untested: Stored, tmp_path: Path, assert_same: Callable[..., None]) -> None:
    save(untested.memory, tmp_path / "m.safetensors")
    assert_same(load(tmp_path / "m.safetensors"), untested.memory)


def test_embedded_files_are_mapped_where_they_begin(tmp_path: Path) -> None:
    with open(tmp_path / "files", "w+b") as file:
        file.write(b"abcdefg")
        copies = embedded(file, np.array([3, 0, 4]))
        assert [copies.content(index) for index in range(3)] == [b"abc", b"", b"defg"]
    nothing: Any = BytesIO()
    assert embedded(nothing, np.array([0, 0])).content(1) == b""
    assert replace(draft(), originals=copies).originals is copies
