"""Kept spectra: cosines against the coefficients themselves, and which queries are smooth, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.blocks import FEW_QUERIES
from uhop_cli.evidence.shortlist.spectra import KeptSpectra, smooth

GRID = BandGrid((16, 16, 3))
STORED = np.random.default_rng(0).random((50, 768), dtype=np.float32)


@pytest.mark.parametrize("count", [1, FEW_QUERIES, FEW_QUERIES + 1])
def test_cosines_are_those_of_what_is_kept(count: int) -> None:
    """The first time, and when the lengths are known: of all memories, of a chunk, and of one that was half known."""
    queries = STORED[:count] + np.random.default_rng(1).normal(0, 0.3, (count, 768)).astype(np.float32)
    codes, scales = quantised(GRID, GRID.coefficients(STORED))
    stored = codes * np.repeat(scales, GRID.sizes.astype(int), axis=1)
    wanted = GRID.coefficients(queries)[:, : GRID.kept] @ stored.T / np.linalg.norm(stored, axis=1)
    kept = KeptSpectra(GRID, codes, scales)
    for part in (slice(0, 30), slice(20, 50), slice(0, 50), slice(7, 11)):
        found = np.empty((count, part.stop - part.start), np.float32)
        kept.cosines(queries)(part, found)
        np.testing.assert_allclose(found, wanted[:, part], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("count", [1, FEW_QUERIES + 1])
def test_a_plain_picture_is_like_none(count: int) -> None:
    plain = np.stack([np.full(768, 0.5, np.float32), STORED[0]])
    kept = KeptSpectra(GRID, *quantised(GRID, np.where([[False], [True]], GRID.coefficients(plain), 0)))
    for _ in range(2):
        found = np.empty((count, 2), np.float32)
        kept.cosines(STORED[:count])(slice(0, 2), found)
        np.testing.assert_array_equal(found[:, 0], 0)
        assert found[0, 1] > 0.99 * np.linalg.norm(GRID.coefficients(STORED[:1])[0, : GRID.kept])


def test_a_query_is_smooth_if_less_than_an_eighth_of_its_power_is_finer_than_three_waves() -> None:
    """Waves by hand: of 3 across and 5 across, the power of the second below and above an eighth of all; light and colour alike."""
    places = (np.arange(16) + 0.5) * np.pi / 16
    coarse, fine = np.cos(3 * places), np.cos(5 * places)
    asked = []
    for share in (0.124, 0.126):
        wave = 0.3 * (np.sqrt(1 - share) * coarse + np.sqrt(share) * fine)
        asked += [np.broadcast_to(tint * wave[:, None, None], (16, 16, 3)) + 0.5 for tint in (np.ones(3), np.array([1, 0, -1]))]
    flat = np.full((16, 16, 3), 0.4)
    queries = np.stack([*asked, flat]).reshape(5, -1).astype(np.float32)
    assert smooth(BandGrid((16, 16, 3)), queries).tolist() == [True, True, False, False, False]
    diagonal = (np.cos(3 * places)[:, None] * np.cos(3 * places))[..., None] * np.ones(3) * 0.3 + 0.5  # 3 sqrt 2 = 4.2 waves
    assert not smooth(BandGrid((16, 16, 3)), diagonal.reshape(1, -1).astype(np.float32))[0]
