"""Retrieval by one similarity: the weights are those of the formula."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.images.patterns import PatternSpec, to_vectors
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.by_similarity import BETA_SAMPLE, pattern_lengths
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import SIMILARITY_NAMES, RetrievalSettings
from uhop_cli.retrieval.inverse_temperature import auto_beta
from uhop_cli.retrieval.pattern_matrix import pattern_matrix


@pytest.fixture
def memory(make_memory: Any) -> Memory:
    memory: Memory = make_memory(patterns=12, files=12, spec=PatternSpec(6, 6, 3))
    return memory


def formula(name: str, memory: Memory, x: np.ndarray) -> np.ndarray:
    """Scores (Q, M) by the definition, in float64."""
    xi, q = to_vectors(memory.patterns).astype(float), x.astype(float)
    if name in ("kernel", "auto"):
        w = memory.kernel.weight.astype(float)
        xi, q = xi @ w.T, q @ w.T
    if name in ("kernel", "cosine"):
        xi, q = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (xi, q))
    differences = q[:, None] - xi
    scores: np.ndarray = {
        "l2": -np.sqrt((differences**2).sum(-1)),
        "l2-squared": -(differences**2).sum(-1),
        "l1": -np.abs(differences).sum(-1),
    }.get(name, q @ xi.T)
    return scores


@pytest.mark.parametrize("name", SIMILARITY_NAMES)
@pytest.mark.parametrize("beta", [0.5, 3.0])
def test_one_step_gives_softmax_of_beta_times_the_similarity(name: str, beta: float, memory: Memory) -> None:
    if name == "auto":
        memory, settings = replace(memory, record={"retrieval": "paper"}, beta=beta), RetrievalSettings(steps=1)
    else:
        settings = RetrievalSettings(steps=1, similarity=name, beta=beta)
    x = to_vectors(memory.patterns[:3]) + np.random.default_rng(0).normal(0, 0.2, (3, 108)).astype(np.float32)
    answer = Retriever(memory, settings).retrieve(x)
    expected = np.exp(beta * formula(name, memory, x))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(answer.weights, expected, atol=2e-4)
    np.testing.assert_allclose(answer.pictures[-1], expected @ to_vectors(memory.patterns), atol=1e-3)


@pytest.mark.parametrize("name", ["dot", "cosine", "l2", "l2-squared", "l1"])
def test_beta_comes_from_the_margins_of_the_memories(name: str, memory: Memory) -> None:
    assert len(memory) <= BETA_SAMPLE
    x = to_vectors(memory.patterns)
    scores = formula(name, memory, x)
    margins = np.diagonal(scores) - (scores - np.diag(np.full(12, np.inf))).max(axis=1)
    beta = auto_beta(margins, 12)
    found = Retriever(memory, RetrievalSettings(steps=1, similarity=name)).retrieve(x)
    asked = Retriever(memory, RetrievalSettings(steps=1, similarity=name, beta=beta)).retrieve(x)
    np.testing.assert_allclose(found.weights, asked.weights, atol=1e-3)


def test_lengths(memory: Memory) -> None:
    np.testing.assert_allclose(
        pattern_lengths(pattern_matrix(memory.patterns)), np.linalg.norm(to_vectors(memory.patterns), axis=1), rtol=1e-5
    )
