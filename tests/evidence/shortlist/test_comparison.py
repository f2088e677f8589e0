"""Both ways to compare codes against the definition, quarter by quarter."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.arrays.scratch import Scratch
from uhop_cli.evidence.shortlist.comparison import FEW, Comparison

BLOCKS, WIDTH, MEMORIES = 3, 4, 7
RNG = np.random.default_rng(0)


def codes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors (n, B, k) and shares of the length (n, B)."""
    z = RNG.normal(size=(count, BLOCKS, WIDTH)).astype(np.float32)
    lengths = np.linalg.norm(z, axis=2)
    return z / lengths[:, :, None], lengths / np.linalg.norm(lengths, axis=1, keepdims=True)


@pytest.mark.parametrize("count", [1, FEW, FEW + 1, 20])
def test_quarters_and_sums_follow_the_definition(count: int) -> None:
    unit, shares = codes(count)
    vectors, lengths = codes(MEMORIES)
    others = RNG.normal(size=(2, BLOCKS, WIDTH)).astype(np.float32)
    asked = np.concatenate([unit * shares[:, :, None], others])
    comparison = Comparison(unit.swapaxes(0, 1), shares.T[:, :, None], asked.swapaxes(0, 1))
    quarters, sums = comparison(np.moveaxis(vectors, 0, 2), lengths.T, Scratch())
    for query in range(count):
        for memory in range(MEMORIES):
            left = 1.0
            for u, v in zip(unit[query], vectors[memory], strict=True):
                left *= 1 - max(float(u @ v), 0) ** 2
            assert quarters[query, memory] == pytest.approx(-left, abs=1e-5)
    for row, vector in enumerate(asked):
        for memory in range(MEMORIES):
            expected = sum(lengths[memory, b] * float(vector[b] @ vectors[memory, b]) for b in range(BLOCKS))
            assert sums[row, memory] == pytest.approx(expected, abs=1e-5)


def test_a_quarter_in_which_the_query_has_nothing_tells_nothing() -> None:
    for count in (1, FEW + 1):
        unit, shares = codes(count)
        unit[:, 1], shares[:, 1] = 0, 0
        vectors, lengths = codes(MEMORIES)
        asked = (unit * shares[:, :, None]).swapaxes(0, 1)
        compared = Comparison(unit.swapaxes(0, 1), shares.T[:, :, None], asked)
        quarters, _ = compared(np.moveaxis(vectors, 0, 2), lengths.T, Scratch())
        rest = [0, 2]
        cosines = np.maximum(np.einsum("qbk,mbk->qmb", unit[:, rest], vectors[:, rest]), 0)
        np.testing.assert_allclose(quarters, -np.prod(1 - cosines**2, axis=2), atol=1e-5)
