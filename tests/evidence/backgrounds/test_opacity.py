"""What is kept of the opacity, against plain sums."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.backgrounds.opacity import background_grid, opacity_sums


@pytest.mark.parametrize(("shape", "side"), [((32, 32, 3), 2), ((16, 9, 1), 2), ((7, 32, 3), 1), ((1, 1, 1), 1)])
def test_there_are_four_blocks_where_they_are_large_enough(shape: tuple[int, int, int], side: int) -> None:
    assert background_grid(shape).side == side


def test_the_sums_are_those_of_each_block() -> None:
    rng = np.random.default_rng(0)
    patterns, opacity = rng.random((3, 9, 8, 3)), rng.random((3, 9, 8))
    found = opacity_sums(
        background_grid((9, 8, 3)), patterns.reshape(3, -1).astype(np.float32), opacity.reshape(3, -1).astype(np.float32)
    )
    assert found.shape == (3, 8, 4)
    assert found.dtype == np.float32
    for block, (rows, columns) in enumerate(
        [(slice(0, 4), slice(0, 4)), (slice(0, 4), slice(4, 8)), (slice(4, 9), slice(0, 4)), (slice(4, 9), slice(4, 8))]
    ):
        colours, veil = patterns[:, rows, columns], 1 - opacity[:, rows, columns]
        np.testing.assert_allclose(found[:, 0, block], veil.sum(axis=(1, 2)), rtol=1e-5)
        np.testing.assert_allclose(found[:, 1, block], (veil**2).sum(axis=(1, 2)), rtol=1e-5)
        np.testing.assert_allclose(found[:, 2:5, block], colours.sum(axis=(1, 2)), rtol=1e-5)
        np.testing.assert_allclose(found[:, 5:, block], (colours * veil[..., None]).sum(axis=(1, 2)), rtol=1e-5)
