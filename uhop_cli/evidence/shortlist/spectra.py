"""The spectra of all memories as far as the file keeps them, compared with those of queries."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from uhop_cli.arrays.operations import inverse
from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.types import Bool, Float32, Int8
from uhop_cli.evidence.bands import BandGrid
from uhop_cli.evidence.blocks import FEW_QUERIES

COARSE, SMOOTH = 3.5, 1 / 8  # waves across; share of the power beyond, below which a query is smooth


class Cosines(Protocol):
    """Cosines of queries with a chunk of the memories, but for the length of the query's vector."""

    def __call__(self, memories: slice, out: Float32) -> None:
        """Those with `memories`, into `out` (Q, m)."""
        ...


class KeptSpectra:
    """What is kept of the spectra of M memories (`bands.quantised`).

    Args:
        grid: of the patterns' shape.
        codes, scales: (M, K) and (M, W).
    """

    def __init__(self, grid: BandGrid, codes: Int8, scales: Float32) -> None:
        self.grid, self._codes, self._scales = grid, codes, scales
        self._spread = np.repeat(np.eye(len(grid.parts), dtype=np.float32), grid.sizes.astype(int), axis=1)  # 0/1 (W, K)
        self._inverses = np.full(len(codes), np.nan, np.float32)  # 1 / length of each, once it is known

    def cosines(self, queries: Float32) -> Cosines:
        """Of queries (Q, d)."""
        coefficients, scratch = self.grid.coefficients(queries)[:, : self.grid.kept], Scratch()

        def of(memories: slice, out: Float32) -> None:
            codes, scales, inverses = self._codes[memories], self._scales[memories], self._inverses[memories]
            known = not np.isnan(inverses).any()
            if known and len(queries) <= FEW_QUERIES:  # whose products are fewer values than the codes
                products = self.grid.products(coefficients, codes, scratch)
                np.einsum("wqm,wm->qm", products, np.multiply(scales.T, inverses, order="C"), out=out)
                return
            values = scratch.floats("values", codes)
            values *= np.matmul(scales, self._spread, out=scratch.empty("scales", values.shape, values))
            if not known:
                inverses[:] = inverse(np.sqrt(np.einsum("mk,mk->m", values, values)))
            np.matmul(coefficients, values.T, out=out)
            out *= inverses

        return of


def smooth(grid: BandGrid, queries: Float32) -> Bool:
    """Whether little of each query (Q, d) is finer than three waves across: (Q,). All of 9 x 9 to 15 x 15 blurs of 32 x 32
    photographs are, and hardly any photograph; then shortlists miss one memory of ten."""
    rows, columns, _ = np.unravel_index(grid.order, grid.shape)
    power = np.square(grid.coefficients(queries))
    fine = (np.hypot(rows, columns) >= COARSE).astype(np.float32)
    return np.asarray(power @ fine < SMOOTH * power.sum(axis=1))
