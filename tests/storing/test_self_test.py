"""What the self-test measures, against plain loops."""

from __future__ import annotations

from typing import Any

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.querying.by_similarity import pattern_lengths
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.storing.self_test import _leads


def test_leads_are_those_of_the_whole_matrix_of_cosines(make_memory: Any) -> None:
    memory = make_memory(patterns=40, files=40)
    rows = np.array([3, 17, 39])
    queries = unit_rows(memory.patterns[rows]) + np.random.default_rng(0).normal(0, 0.2, (3, memory.spec.dim)).astype(np.float32)
    matrix = pattern_matrix(memory.patterns)
    found = _leads(memory, matrix, pattern_lengths(matrix), queries, rows)
    patterns = unit_rows(memory.patterns)
    spaces = [(memory.kernel.features(patterns, r), memory.kernel.features(queries, r)) for r in range(memory.kernel.members)]
    for lead, (stored, asked) in zip(found, [*spaces, (patterns, queries)], strict=True):
        cosines = stored @ asked.T / np.linalg.norm(stored, axis=1)[:, None] / np.linalg.norm(asked, axis=1)  # (M, Q)
        own = cosines[rows, np.arange(3)].copy()
        cosines[rows, np.arange(3)] = -1
        np.testing.assert_allclose(lead, own - cosines.max(axis=0), atol=1e-5)
