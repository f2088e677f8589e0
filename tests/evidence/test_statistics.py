"""What is kept of every memory for the choice by evidence, against plain formulas."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.evidence import statistics as module
from uhop_cli.evidence.bands import BandGrid
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.likelihoods import RHOS
from uhop_cli.evidence.statistics import encode, evidence_members
from uhop_cli.images.patterns import PatternSpec, to_vectors
from uhop_cli.progress import Progress


def test_the_members_that_take_part_are_those_of_the_two_rhos(make_memory: Any) -> None:
    kernel = make_memory(members=3).kernel
    assert evidence_members(replace(kernel, rhos=(0.5, 0.1, 0.01))) == [0, 1, 2]  # a family that has neither takes part as a whole
    assert evidence_members(replace(kernel, rhos=(RHOS[1], 0.5, RHOS[0]))) == [2, 0]
    assert evidence_members(replace(kernel, rhos=(0.5, RHOS[1], 0.1))) == [1]


@pytest.mark.parametrize("chunk", [1, 32 << 20])
def test_norms_and_block_sums_are_those_of_the_formulas(chunk: int, make_memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = make_memory(patterns=7, files=7, features=6, spec=PatternSpec(8, 8, 3))
    kernel = replace(memory.kernel, rhos=(RHOS[0], 0.5, RHOS[1]))
    monkeypatch.setattr(module, "CHUNK_BYTES", chunk)
    told: list[Progress] = []
    norms, kept = encode(kernel, memory.spec, memory.patterns, told.append)
    x = to_vectors(memory.patterns).astype(float)
    centred = x - x.mean(axis=1, keepdims=True)
    for member in range(3):
        w = kernel.weight.astype(float) * kernel.gains[member].astype(float)[:, None]
        np.testing.assert_allclose(norms[:, member], np.linalg.norm(x @ w.T, axis=1), rtol=1e-4)
    for place, member in enumerate((0, 2)):
        w = kernel.weight.astype(float) * kernel.gains[member].astype(float)[:, None]
        np.testing.assert_allclose(kept.norms[:, place], np.linalg.norm(centred @ w.T, axis=1), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(kept.sums.sum(axis=1), x.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(kept.squares.sum(axis=1), (x**2).sum(axis=1), rtol=1e-5)
    blocks = BlockGrid.of(memory.spec.shape).side ** 2
    bands = BandGrid(memory.spec.shape)
    assert kept.widths == (blocks, blocks, 2, bands.kept, len(bands.sizes), 8 * 8 * 3 - 3)
    np.testing.assert_allclose(kept.variances, bands.coefficients(to_vectors(memory.patterns)).var(axis=0), rtol=1e-3, atol=1e-6)
    assert (told[-1].stage, told[-1].done, told[-1].total) == ("encode", 7, 7)
    assert len(told) == (7 if chunk == 1 else 1)
    some = kept.select(np.array([4, 1]))
    np.testing.assert_array_equal(some.sums, kept.sums[[4, 1]])
    np.testing.assert_array_equal(some.norms, kept.norms[[4, 1]])
