"""The statistics of memories as a table: there and back, of all and of each query's own."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.memory_statistics import MemoryStatistics


@pytest.mark.parametrize("shape", [(16, 12, 3), (5, 4, 1), (1, 1, 1)], ids=str)
@pytest.mark.parametrize("kernels", [0, 2])
def test_columns_of_the_table_are_the_statistics(shape: tuple[int, int, int], kernels: int) -> None:
    rng = np.random.default_rng(0)
    grid, bands = BlockGrid.of(shape), BandGrid(shape)
    stored = rng.random((7, int(np.prod(shape))), dtype=np.float32)
    codes = quantised(bands, bands.coefficients(stored))
    every = MemoryStatistics.of(grid, *grid.sums(stored), rng.random((7, kernels), dtype=np.float32), *codes)
    own = np.array([[3, 0], [1, 6], [3, 3]])  # of three queries
    again = MemoryStatistics.of_columns(grid, every.table.T)
    listed = MemoryStatistics.of_columns(grid, np.moveaxis(every.table[own], 2, 0))
    assert len(again.inverses) == kernels
    for name in ("sums", "totals", "reach"):
        np.testing.assert_array_equal(getattr(again, name), getattr(every, name))
        np.testing.assert_array_equal(getattr(listed, name), getattr(every, name)[..., own])
    for name in ("inverses", "scales"):
        for one, other, part in zip(getattr(again, name), getattr(every, name), getattr(listed, name), strict=True):
            np.testing.assert_array_equal(one, other)
            np.testing.assert_array_equal(part, other[..., own])
    assert listed.codes.shape == (0, bands.kept)
