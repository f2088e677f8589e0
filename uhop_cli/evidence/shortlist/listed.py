"""The choice by evidence where each query has memories of its own: those of its shortlist.

No two queries share a memory then, so no product with many of them is to be had. The pixels of a shortlist are gathered into the
cache and meet there the few rows that one query asks of them; what follows from the products is elementwise, and is done for
several queries at a time. Queries are shared among the cores.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

import numpy as np

from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.threads import chunks, on_all_cores
from uhop_cli.arrays.types import Float32, Int8, Int64
from uhop_cli.evidence.blocks import FEW_QUERIES, BlockGrid
from uhop_cli.evidence.likelihoods import Products, log_likelihoods
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.model import EvidenceEngine
from uhop_cli.evidence.pixelwise.candidates import Candidates, propose
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.evidence.statistics import Statistics
from uhop_cli.retrieval.distances import ROUNDING
from uhop_cli.retrieval.pattern_matrix import HostMatrix

PAIRS = 1 << 13  # of query and memory at a time: what is known of them stays in the cache
GATHERED_BYTES = 3 << 18  # of float32 pixels at a time: they stay in the cache of a core


@dataclass(frozen=True)
class ListedEngine(EvidenceEngine):
    """Shortlists as the choice by evidence sees them, on the CPU. All pictures are opaque.

    Attributes:
        X: all memories.
        statistics: of the shortlists: the memories' axis has the queries' before it. Their `codes` are not kept.
        bands: codes of all memories (M, K) (`Statistics`).
        rows: the memories of each query, (Q, S), each once.
    """

    X: HostMatrix
    bands: Int8 = field(kw_only=True)
    rows: Int64 = field(kw_only=True)

    @property
    def count(self) -> int:
        """See `EvidenceEngine.count`."""
        return int(self.rows.shape[1])

    @property
    def memories(self) -> ListedRows:
        """See `EvidenceEngine.memories`."""
        return ListedRows(self.X, self.rows)

    @property
    def _together(self) -> int:
        """Memories whose pixels are gathered at a time."""
        return GATHERED_BYTES // (4 * self.X.dim)

    def scan(self, queries: PreparedQueries) -> tuple[Float32, Float32]:
        """The pass over the shortlists: log-likelihoods (K, Q, S) and plain cosines (Q, S)."""
        count, size = self.rows.shape
        scores = np.empty((len(queries.models) - 1, count, size), np.float32)
        cosines = np.empty((count, size), np.float32)
        scratch = Scratch()

        def work(part: slice) -> None:
            some = queries.part(part)
            products = self._products(some, self.rows[part], scratch)
            scores[:, part], cosines[part] = log_likelihoods(some, products, self.statistics.of_queries(part))

        on_all_cores(work, count, min(FEW_QUERIES, PAIRS // size))
        return scores, cosines

    def _products(self, queries: PreparedQueries, rows: Int64, scratch: Scratch) -> Products:
        """The products of at most `FEW_QUERIES` queries with their memories `rows` (Q, S)."""
        grid, bands, (count, size) = self.grid, queries.bands, rows.shape
        blocks = scratch.empty("blocks", (grid.side**2, count, size), queries.pictures)
        kernels = scratch.empty("kernels", (len(queries.dims), count, size), queries.pictures)
        of_bands = scratch.empty("bands", (len(bands.sizes), count, size), queries.pictures)
        probes = [part.reshape(count, grid.side, -1) for part in grid.probes(grid.centred(queries.pictures) * self.X.scale)]
        every = grid.slabs(probes, (queries.probes * self.X.scale).swapaxes(0, 1))
        for place, own in enumerate(rows):
            slabs = [slab[place] for slab in every]
            found = scratch.empty("products", (grid.side, slabs[0].shape[-2], size), queries.pictures)
            on_all_cores(partial(self._slab_products, own, slabs, scratch, found), size, self._together)
            blocks_of_one, kernels[:, place] = grid.of_slabs(found, 1)
            blocks[:, place] = blocks_of_one[:, 0]
            values = scratch.floats("codes", scratch.rows("stored codes", self.bands, own))
            for band, part in enumerate(bands.parts):
                np.matmul(values[:, part], queries.coefficients[place, part], out=of_bands[band, place])
        return Products(blocks, of_bands, kernels)

    def _slab_products(self, rows: Int64, slabs: list[Float32], scratch: Scratch, out: Float32, some: slice) -> None:
        """The products of some of the memories `rows` (S,) with slabs, into their place of `out` (side, ..., S)."""
        self.grid.slab_products(_pixels(self.X, rows[some], scratch), slabs, out[:, :, some])

    def identity(self, pictures: Float32) -> Float32:
        """L of the identity model, (Q, S), for pictures (Q, d)."""
        squares, scratch = np.empty(self.rows.shape, np.float32), Scratch()

        def work(part: slice) -> None:
            for place in range(part.start, part.stop):
                one = partial(self._squares, self.rows[place], pictures[place], scratch, squares[place])
                on_all_cores(one, self.count, self._together)

        on_all_cores(work, len(pictures), 1)
        return np.asarray((-self.X.dim / 2) * np.log(squares / self.X.dim + ROUNDING))

    def _squares(self, rows: Int64, picture: Float32, scratch: Scratch, out: Float32, some: slice) -> None:
        """|x - xi|^2 of a picture (d,) and some of the memories `rows` (S,), into their place of `out` (S,)."""
        values = _pixels(self.X, rows[some], scratch)
        values *= np.float32(self.X.scale)
        values -= picture
        np.einsum("md,md->m", values, values, out=out[some])

    def candidates(self, queries: PreparedQueries, scores: Float32, cosines: Float32) -> Candidates:
        """See `EvidenceEngine.candidates`: places in the shortlists."""
        return propose(queries, scores, cosines, self.X.rows, listed=self.rows, levels=self.X.levels, named=self.named)


@dataclass(frozen=True)
class ListedRows:
    """What the weights of shortlists read out.

    Attributes:
        X: all memories.
        rows: of the shortlists, (Q, S).
    """

    X: HostMatrix
    rows: Int64

    def read_out(self, weights: Float32) -> Float32:
        """sum_s p_qs xi of the memories of each query, for weights (Q, S): (Q, d). What is below the rounding is not read."""
        out = np.empty((len(weights), self.X.dim), np.float32)
        for place, (line, rows) in enumerate(zip(weights, self.rows, strict=True)):
            read = np.flatnonzero(line > np.float32(2.0**-24 / len(rows)))
            out[place] = line[read] @ self.X.rows(rows[read])
        return out


class StatisticsTable:
    """The statistics of memories by number, one memory a row (`MemoryStatistics.table`): so a shortlist's are read as few pieces.

    Args:
        grid: of the patterns' shape.
        kept: what the memory file keeps of each.
    """

    def __init__(self, grid: BlockGrid, kept: Statistics) -> None:
        self._grid, self._kept = grid, kept
        self._asked, self._every = 0, np.empty((0, self._made(slice(0, 1)).shape[1]), np.float32)

    def expect(self, rows: int) -> None:
        """So many rows will be asked for. Once as many have been as there are memories, those of all are made, and stay at hand."""
        self._asked += rows
        count, width = len(self._kept.sums), self._every.shape[1]
        if len(self._every) == count or self._asked < count:
            return
        every = np.empty((count, width), np.float32)

        def make(part: slice) -> None:
            every[part] = self._made(part)

        on_all_cores(make, count, PAIRS)
        self._every = every

    def of_lists(self, rows: Int64) -> MemoryStatistics:
        """Those of shortlists (Q, S), with the queries before the memories, but for their codes."""
        (count, size), width = rows.shape, self._every.shape[1]
        columns = np.empty((width, count, size), np.float32)
        for part in chunks(count, PAIRS // size):
            own = rows[part].ravel()
            found = self._every.take(own, axis=0) if len(self._every) else self._made(own)
            columns[:, part] = found.reshape(-1, size, width).transpose(2, 0, 1)
        return MemoryStatistics.of_columns(self._grid, columns)

    def _made(self, rows: Int64 | slice) -> Float32:
        table: Float32 = MemoryStatistics.of(self._grid, *(stored[rows] for stored in self._kept.of_each)).table
        return table


def _pixels(X: HostMatrix, rows: Int64, scratch: Scratch) -> Float32:
    """The pixels of some memories (m, d), float32, still to be multiplied by the scale of X."""
    values: Float32 = scratch.floats("pixels", scratch.rows("stored", X.patterns, rows))
    return values
