"""The smallest D that keeps the accuracy."""

from __future__ import annotations

import numpy as np

from uhop_cli.kernel.closed_form import decompose
from uhop_cli.storing.feature_dim import GRID, LOSS, accuracies, smallest_dim


def test_accuracies_equal_those_of_kernels_cut_one_by_one() -> None:
    rng = np.random.default_rng(0)
    memories = rng.normal(size=(50, 20)).astype(np.float32)
    queries = memories[:15] + rng.normal(0, 1.5, (15, 20)).astype(np.float32)
    gains = rng.random((3, 20)).astype(np.float32) + 0.1
    dims = [2, 5, 20]
    got = accuracies(memories, queries, gains, np.arange(15), dims)
    for member, gain in enumerate(gains):
        for place, dim in enumerate(dims):
            f, z = (memories * gain)[:, :dim], (queries * gain)[:, :dim]
            cosines = z @ f.T / np.linalg.norm(f, axis=1)
            np.testing.assert_array_equal(got[member, place], cosines.argmax(axis=1) == np.arange(15))


def test_pictures_of_few_directions_need_few_features() -> None:
    rng = np.random.default_rng(1)
    basis = rng.normal(size=(12, 16 * 16 * 3))
    mixed = rng.normal(size=(400, 12)) @ basis
    pixels = np.clip(128 + 12 * mixed + rng.normal(0, 0.5, mixed.shape), 0, 255).astype(np.uint8).reshape(400, 16, 16, 3)
    spectrum = decompose(pixels)
    assert len(spectrum.singular) > GRID[2]
    assert smallest_dim(spectrum, pixels, 0) <= GRID[1]


def test_few_memories_keep_all_there_is() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (10, 8, 8, 1), dtype=np.uint8)
    assert smallest_dim(decompose(pixels), pixels, 0) == 10
    assert 0 < LOSS < 0.1
