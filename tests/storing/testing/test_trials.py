"""What is tried of damaged copies, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.arrays.device import CPU
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.corruption.corruption import parse
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.by_similarity import pattern_lengths
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.storing.testing import trials as module
from uhop_cli.storing.testing.leads import leads
from uhop_cli.storing.testing.trials import Trial, attempt, in_passes


def test_leads_are_those_of_the_whole_matrix_of_cosines(make_memory: Any) -> None:
    memory = make_memory(patterns=40, files=40)
    rows = np.array([3, 17, 39])
    queries = unit_rows(memory.patterns[rows]) + np.random.default_rng(0).normal(0, 0.2, (3, memory.spec.dim)).astype(np.float32)
    matrix = pattern_matrix(memory.patterns)
    found = leads(memory, matrix, pattern_lengths(matrix), queries, rows)
    patterns = unit_rows(memory.patterns)
    spaces = [(memory.kernel.features(patterns, r), memory.kernel.features(queries, r)) for r in range(memory.kernel.members)]
    for lead, (stored, asked) in zip(found, [*spaces, (patterns, queries)], strict=True):
        cosines = stored @ asked.T / np.linalg.norm(stored, axis=1)[:, None] / np.linalg.norm(asked, axis=1)  # (M, Q)
        own = cosines[rows, np.arange(3)].copy()
        cosines[rows, np.arange(3)] = -1
        np.testing.assert_allclose(lead, own - cosines.max(axis=0), atol=1e-5)


def trials_of(memory: Memory) -> list[Trial]:
    rng = np.random.default_rng(1)
    labels = (None, "noise:0.3", "half:bottom", "blur:2", "values:0.9")
    return [Trial(None if label is None else parse(label), np.sort(rng.choice(len(memory), 6, replace=False))) for label in labels]


def test_trials_go_through_the_memories_together_as_they_would_alone() -> None:
    memory = learn(np.random.default_rng(2).integers(0, 256, (30, 12, 12, 3), dtype=np.uint8))
    evidence = ByEvidence(memory, pattern_matrix(memory.patterns), Budget(memory, CPU, "evidence"))
    trials, lengths = trials_of(memory), pattern_lengths(evidence.X)
    for outcome, trial in zip(attempt(evidence, lengths, trials, 0), trials, strict=True):
        (alone,) = attempt(evidence, lengths, [trial], 0)
        assert outcome.corruption == trial.corruption
        for name in ("right_members", "right_unlearned"):
            np.testing.assert_array_equal(getattr(outcome, name), getattr(alone, name))
        np.testing.assert_allclose(outcome.margins, alone.margins, atol=1e-5)
        assert abs(outcome.sse - alone.sse) < 1e-4
        np.testing.assert_array_equal(outcome.right, alone.right)
        np.testing.assert_array_equal(outcome.sample.right, [*outcome.right, *[False] * 6])
        np.testing.assert_array_equal(outcome.sample.right, alone.sample.right)
        np.testing.assert_allclose(outcome.sample.features, alone.sample.features, rtol=1e-3, atol=2e-3)
        assert not np.array_equal(outcome.sample.features[:6], outcome.sample.features[6:])


@pytest.mark.parametrize(
    ("least", "memories", "sizes"),
    [
        (1, 10, [5]),
        (1, module.PAIRS // 12, [2, 2, 1]),
        (1, module.PAIRS, [1] * 5),
        (18, module.PAIRS, [3, 2]),
        (12, 10**9, [2, 2, 1]),
    ],
)
def test_passes_hold_as_many_trials_as_fit(
    least: int, memories: int, sizes: list[int], make_memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five trials of six copies."""
    monkeypatch.setattr(module, "TOGETHER", (least, module.TOGETHER[1]))
    trials = trials_of(make_memory(patterns=40, files=40))
    groups = list(in_passes(trials, memories))
    assert [len(group) for group in groups] == sizes
    assert [trial for group in groups for trial in group] == trials
    assert list(in_passes([], memories)) == []
