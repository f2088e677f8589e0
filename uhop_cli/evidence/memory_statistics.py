"""What the models of `likelihoods` need to know of each memory beside its pixels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.evidence.backgrounds.likelihoods import Backgrounds
from uhop_cli.evidence.bands import BandGrid
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.prepared import inverse, pooling
from uhop_cli.retrieval.distances import ROUNDING


@dataclass(frozen=True)
class MemoryStatistics:
    """What the models need to know of each memory beside its pixels; the memories are the last axis, which is long.

    Where each query has memories of its own (`shortlist.listed`), the queries are the axis before it: (Q, m) for (M,), and so on.

    Attributes:
        inverses: for each kernel 1 / feature norm of the centred memory, 0 where that is 0: (M,).
        sums: of the finest blocks, (B, M).
        scales: for each level of the grid 1 / (n_b (|xi_b|^2 + n_b q)) of the centred blocks.
        totals: |xi|^2, (M,).
        codes: the coefficients of the bands in units of `reach`, band by band, int8 (M, K).
        reach: the square of the scale of the codes times s_w, (W, M): squared products of codes with x_w become cov_w^2 s_w.
        backgrounds: of the memories through which a background is seen, or None.
    """

    inverses: tuple[Array, ...]
    sums: Array
    scales: tuple[Array, ...]
    totals: Array
    codes: Array
    reach: Array
    backgrounds: Backgrounds | None = None

    @classmethod
    def of(
        cls, grid: BlockGrid, sums: Array, squares: Array, norms: Array, codes: Array, steps: Array, opacity: Array | None = None
    ) -> MemoryStatistics:
        """From what a memory file keeps.

        Args:
            grid: of the patterns' shape.
            sums, squares: of the blocks (`BlockGrid.sums`), each (M, B).
            norms: feature norms of the centred memories, (M, R).
            codes, steps: of the bands, (M, K) and (M, W) (`bands.quantised`).
            opacity: `opacity_sums`, (M, 2 + 2C, B'), where pictures have transparency.
        """
        xp = namespace(sums, squares)
        scales = []
        for level in grid.levels:
            pool, sizes = pooling(grid, level, sums)
            total = pool.T @ sums.T
            spread = xp.clip(pool.T @ squares.T - total**2 / sizes[:, None], 0, None)
            scales.append(1 / (sizes[:, None] * (spread + sizes[:, None] * ROUNDING)))
        inverses = tuple(inverse(norms[:, r]) for r in range(norms.shape[1]))
        bands = BandGrid(grid.shape)
        sizes, power = like(sums, bands.sizes), bands.powers(codes) * steps**2
        reach = xp.empty((power.shape[1], power.shape[0]), dtype=power.dtype, device=power.device)
        reach[...] = (steps**2 / (sizes * (power + sizes * ROUNDING))).T  # a copy, the memories one beside the other
        return cls(
            inverses=inverses,
            sums=total,
            scales=tuple(scales),
            totals=xp.sum(squares, axis=1),
            codes=codes,
            reach=reach,
            backgrounds=None if opacity is None else Backgrounds.of(grid.shape, opacity, squares),
        )

    def spreads(self, places: Array, sizes: Array) -> Array:
        """|xi_b|^2 / n_b + q in the finest blocks, of sizes (b,), of the memories at `places` (D, Q): (b, D, Q)."""
        finest = self.scales[-1]
        own = () if finest.ndim == 2 else (namespace(finest).arange(places.shape[1], device=finest.device),)
        return 1 / (finest[(slice(None), *own, places)] * (sizes**2)[:, None, None])

    def of_queries(self, queries: slice) -> MemoryStatistics:
        """Those of some of the queries: of all memories, where these are the same for each query."""
        if self.sums.ndim == 2:
            return self
        return replace(
            self,
            inverses=tuple(kernel[queries] for kernel in self.inverses),
            sums=self.sums[:, queries],
            scales=tuple(level[:, queries] for level in self.scales),
            totals=self.totals[queries],
            reach=self.reach[:, queries],
        )

    @property
    def table(self) -> Array:
        """All but codes and backgrounds, one memory a row, so that what is known of a few of them lies together: (M, F)."""
        kernels = (kernel[None] for kernel in self.inverses)
        return namespace(self.sums).concat([*kernels, self.sums, *self.scales, self.totals[None], self.reach]).T

    @classmethod
    def of_columns(cls, grid: BlockGrid, columns: Array) -> MemoryStatistics:
        """The statistics, but for codes, of which these are columns of a `table`: (F, m), or (F, Q, m)."""
        bands = BandGrid(grid.shape)
        widths = (grid.side**2, *(level**2 for level in grid.levels), 1, len(bands.sizes))
        start = kernels = int(columns.shape[0]) - sum(widths)
        parts = []
        for width in widths:
            parts.append(columns[start : start + width])
            start += width
        sums, *scales, totals, reach = parts
        return cls(
            inverses=tuple(columns[:kernels]),
            sums=sums,
            scales=tuple(scales),
            totals=totals[0],
            codes=like(columns, np.empty((0, bands.kept), np.int8)),
            reach=reach,
        )

    def rows(self, rows: slice) -> MemoryStatistics:
        """The statistics of a chunk of the memories."""
        return MemoryStatistics(
            inverses=tuple(kernel[rows] for kernel in self.inverses),
            sums=self.sums[:, rows],
            scales=tuple(level[:, rows] for level in self.scales),
            totals=self.totals[rows],
            codes=self.codes[rows],
            reach=self.reach[:, rows],
            backgrounds=None if self.backgrounds is None else self.backgrounds.rows(rows),
        )
