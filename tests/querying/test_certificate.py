"""What is promised of a memory, against plain formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.images.patterns import PatternSpec, to_vectors
from uhop_cli.kernel.spherical_codes import required_dimension
from uhop_cli.memory.memory import Memory
from uhop_cli.querying import certificate as module
from uhop_cli.querying.certificate import certified_radius, promises


@pytest.fixture
def memory(make_memory: Any) -> Memory:
    memory: Memory = make_memory(patterns=9, files=9, features=20, spec=PatternSpec(5, 5, 1))
    return replace(memory, beta=30.0)


def cosines(memory: Memory) -> np.ndarray:
    features = to_vectors(memory.patterns).astype(float) @ memory.kernel.weight.T.astype(float)
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    return np.asarray(features @ features.T)


def test_softmax_is_bound_by_the_margins(memory: Memory) -> None:
    found = promises(memory)["dense"]
    margins = 1 - (cosines(memory) - 2 * np.eye(9)).max(axis=1)
    largest = np.linalg.norm(to_vectors(memory.patterns), axis=1).max()
    bounds = 2 * largest * np.minimum(1, 8 * np.exp(-30 * margins))  # 2 m (M - 1) exp(-beta margin), at most 2 m
    assert found["error_largest"] == pytest.approx(bounds.max(), rel=1e-3)
    assert found["error_median"] == pytest.approx(np.median(bounds), rel=1e-3)
    # at that beta the bound is half a grey level for each of the 25 values
    assert found["beta"] == pytest.approx(math.log(2 * largest * 8 / (0.5 / 255 * 5)) / margins.min(), rel=1e-3)
    # and it holds: one step of softmax from every memory
    weights = np.exp(30 * cosines(memory))
    weights /= weights.sum(axis=1, keepdims=True)
    x = to_vectors(memory.patterns)
    assert (np.linalg.norm(weights @ x - x, axis=1) <= found["error_largest"] + 1e-6).all()


def test_features_that_such_a_separation_needs(memory: Memory) -> None:
    distance = float((1 - (cosines(memory) - 2 * np.eye(9)).max(axis=1)).min())
    necessary, sufficient = required_dimension(9, distance)
    assert promises(memory)["dimensions"] == {"necessary": necessary, "sufficient": sufficient}
    assert module._dimensions(9, 0.0) is None  # equal features are no separation
    assert module._dimensions(3, 1.5 + 1e-9) == {"necessary": 2, "sufficient": 2}  # the simplex, and rounding
    alone = promises(memory.keep(np.arange(9) == 0))
    assert (alone["dimensions"], alone["cosine_distance_bounds"]) == (None, None)


def test_a_sample_is_looked_at_where_there_are_many(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ALL", 8)
    monkeypatch.setattr(module, "SAMPLE", 4)
    found = promises(memory)
    assert found["memories"] == 4
    assert found["margin_min"] >= float((1 - (cosines(memory) - 2 * np.eye(9)).max(axis=1)).min()) - 1e-5


def test_the_papers_kernel_is_not_normalised(memory: Memory) -> None:
    assert promises(memory)["kernel"] == "kernel-cosine"
    assert promises(replace(memory, record={"retrieval": "paper"}))["kernel"] == "kernel"


def test_a_radius_that_costs_too_much_is_not_computed(memory: Memory) -> None:
    flop = 4.0 * 9 * 25 * 20
    assert certified_radius(memory, 3, 2.0, 30.0, flop=flop) is not None
    assert certified_radius(memory, 3, 2.0, 30.0, flop=flop - 1) is None
    dense, sparse = certified_radius(memory, 3, 1.0, 30.0), certified_radius(memory, 3, 2.0, 30.0)
    assert dense is not None
    assert sparse is not None
    assert dense >= sparse >= 0
    assert certified_radius(memory, 3, None, 30.0) == dense
