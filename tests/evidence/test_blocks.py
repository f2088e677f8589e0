"""Laws of the pyramid of blocks."""

import numpy as np
import pytest

from uhop_cli.evidence.blocks import FEW_QUERIES, BlockGrid


@pytest.mark.parametrize(
    ("shape", "side"), [((32, 32, 3), 4), ((28, 28, 1), 4), ((17, 23, 3), 4), ((9, 40, 1), 2), ((7, 7, 3), 1), ((1, 1, 1), 1)]
)
def test_blocks_cover_every_value_once(shape: tuple[int, int, int], side: int) -> None:
    grid = BlockGrid.of(shape)
    size = int(np.prod(shape))
    pattern = np.arange(size, dtype=np.float32)[None]
    blocks = grid.cut(pattern)
    assert grid.side == side
    assert len(blocks) == side**2
    assert sorted(np.concatenate(blocks, axis=1)[0]) == list(range(size))
    assert [block.shape[1] for block in blocks] == grid.sizes().tolist()


@pytest.mark.parametrize("shape", [(32, 32, 3), (18, 21, 1), (6, 6, 3)])
@pytest.mark.parametrize("queries", [1, 3, FEW_QUERIES])
def test_products_and_sums_are_those_of_the_blocks(shape: tuple[int, int, int], queries: int) -> None:
    rng = np.random.default_rng(0)
    grid = BlockGrid.of(shape)
    patterns, asked = (rng.random((count, int(np.prod(shape))), dtype=np.float32) for count in (11, queries))
    products = grid.products(patterns, grid.probes(asked))
    sums, squares = grid.sums(patterns)
    assert products.shape == (grid.side**2, queries, 11)
    for b, (block, query) in enumerate(zip(grid.cut(patterns), grid.cut(asked), strict=True)):
        np.testing.assert_allclose(products[b], query @ block.T, rtol=1e-4)
        np.testing.assert_allclose(sums[:, b], block.sum(axis=1), rtol=1e-5)
        np.testing.assert_allclose(squares[:, b], (block**2).sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(products.sum(axis=0), asked @ patterns.T, rtol=1e-4)


def test_coarser_levels_are_sums_of_the_finest() -> None:
    grid = BlockGrid.of((16, 16, 1))
    pattern = np.random.default_rng(1).random((1, 256), dtype=np.float32)
    picture = pattern.reshape(16, 16)
    sums, _ = grid.sums(pattern)
    quadrants = [picture[:8, :8], picture[:8, 8:], picture[8:, :8], picture[8:, 8:]]
    np.testing.assert_allclose((sums @ grid.pooling(2))[0], [part.sum() for part in quadrants], rtol=1e-5)
    np.testing.assert_allclose((sums @ grid.pooling(1))[0], [picture.sum()], rtol=1e-5)
    assert grid.levels == (1, 2, 4)


@pytest.mark.parametrize("shape", [(32, 32, 3), (18, 21, 1), (6, 6, 3)])
@pytest.mark.parametrize("wholes", [0, 2])
def test_the_products_of_a_few_queries_in_one_call(shape: tuple[int, int, int], wholes: int) -> None:
    rng = np.random.default_rng(2)
    grid = BlockGrid.of(shape)
    patterns, asked, whole = (rng.random((count, int(np.prod(shape))), dtype=np.float32) for count in (11, 3, wholes))
    probes = grid.probes(asked)
    slabs = grid.slabs(probes, whole)
    out = np.empty((grid.side, slabs[0].shape[-2], 11), np.float32)
    grid.slab_products(patterns, slabs, out)
    blocks, others = grid.of_slabs(out, 3)
    np.testing.assert_allclose(blocks, grid.products(patterns, probes), rtol=1e-5)
    np.testing.assert_allclose(others, whole @ patterns.T, rtol=1e-5)
