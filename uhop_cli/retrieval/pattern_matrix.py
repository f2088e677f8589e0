"""X of every equation: the memories as Stage II reads them, in place, chunk by chunk, straight from the stored pixels.

A pattern matrix answers three questions: the products of all memories with queries (scores), the weighted sum of memories
(read-out) and single rows. Where X lies, and how it is gone through, is for its class to know; the formulas above don't ask.

    HostMatrix      NumPy, mapped files, all cores; a chunk stays in the cache
    DeviceMatrix    torch on a GPU (`device_matrix`); what the device has no room for is sent to it chunk by chunk

Pixels stay uint8; on the host a chunk becomes float32 only while it is in the cache, so that a product moves a quarter of the bytes
that float32 patterns would. Half precision and integer products are not used there: NumPy has no fast form of either.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import local
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.library import Array, float32
from uhop_cli.arrays.operations import flat_rows
from uhop_cli.arrays.threads import chunks, on_all_cores
from uhop_cli.arrays.types import Float32, Int64, UInt8
from uhop_cli.retrieval.read_out import read_out

THIN = 32  # up to this many queries a product is bound by memory, not by arithmetic
THIN_CHUNK_BYTES = 3 << 19  # float32 rows that stay in one core's cache while they are used
WIDE_CHUNK_BYTES = 6 << 20  # long enough for a matrix product to run at full speed
SMALLEST_CHUNK = 64  # rows
PAIRS = 1 << 21  # of query and memory at a time
THREADS_WORTH = 8 << 20  # pixels below which a second thread costs more than it brings


class PatternMatrix(Protocol):
    """M memories of d values.

    Attributes:
        device: where queries, weights and results live.
        count, dim: M, d.
        scale: what the pixels of a chunk are to be multiplied by to lie in [0, 1].
        long_chunks: whether a chunk has so many rows that calls on it cost nothing; else few queries do the small work at the end.
    """

    device: Device
    count: int
    dim: int
    scale: float
    long_chunks: bool

    def products(self, queries: Array, factors: Array = None, *, squared: bool = False) -> Array:
        """<q, xi>, or <q, xi^2> (value by value) with `squared`: (Q, M) for queries (Q, d), float32.

        Args:
            queries: on the device.
            factors: (M,) each memory's products are multiplied by.
            squared: see above.
        """
        ...

    def rows(self, indices: Array, places: Int64 | None = None) -> Array:
        """Memories by index, in [0, 1]: shape (*indices.shape, d); or their values at `places` (s,) alone."""
        ...

    @property
    def levels(self) -> Levels | None:
        """`rows` as they are stored, where that is in 8 bits and in host memory; else None."""
        ...

    def read_out(self, weights: Array) -> Array:
        """sum_mu p_mu xi_mu for weights (Q, M): shape (Q, d)."""
        ...

    def each_chunk(self, work: Callable[[slice, Array], object], queries: int = 1) -> None:
        """Run `work(rows, pixels)` over all chunks; the pixels are float32, still to be multiplied by `scale`, and gone afterwards.

        Args:
            work: called once for each chunk, in any order.
            queries: that a chunk is compared with; their results take room as well.
        """
        ...

    def query_parts(self, queries: int, pairs: int) -> list[slice]:
        """The queries in parts that have about `pairs` results with a chunk, where it matters that these stay in the cache."""
        ...


def pattern_matrix(patterns: NDArray[np.generic], device: Device = CPU) -> PatternMatrix:
    """X on a device.

    Args:
        patterns: shape (M, ...), uint8 pixels or float values in [0, 1]; may be memory-mapped (it is never copied on the CPU).
        device: where the products run.
    """
    if device.is_numpy:
        return HostMatrix(patterns)
    from uhop_cli.retrieval.device_matrix import DeviceMatrix

    return DeviceMatrix(patterns, device)


class Levels:
    """Memories (M, d) as they are stored in 8 bits."""

    def __init__(self, patterns: NDArray[Any]) -> None:
        self._patterns = patterns

    def __call__(self, rows: Int64, places: Int64 | None = None) -> UInt8:
        """Memories by row, (n, d), or their values at `places` (s,) alone; to be written to."""
        stored = self._patterns[rows]
        return np.asarray(stored if places is None else stored.take(places, axis=-1), np.uint8)

    def at(self, places: Int64, reads: int) -> Callable[[Int64], UInt8]:
        """The values at `places` alone, by row, for somebody who reads so many rows in all: of at least as many as there are
        memories all are read once, since a row takes as long for a few of its values as for all of them."""
        if reads < len(self._patterns):
            return partial(self, places=places)
        beside = np.asarray(self._patterns.take(places, axis=1), np.uint8)
        return lambda rows: np.asarray(beside[rows])


class HostMatrix:
    """X in host memory or in a mapped file; see `PatternMatrix` and `pattern_matrix`."""

    device = CPU
    long_chunks = False

    def __init__(self, patterns: NDArray[np.generic]) -> None:
        self.patterns, self.scale = flat_rows(patterns)
        self.count, self.dim = int(self.patterns.shape[0]), int(self.patterns.shape[1])

    def products(self, queries: Float32, factors: Float32 | None = None, *, squared: bool = False) -> Float32:
        """See `PatternMatrix.products`."""
        scaled = float32(queries) * (self.scale**2 if squared else self.scale)
        out = np.empty((len(scaled), self.count), np.float32)
        wide = len(scaled) > THIN

        def product(rows: slice, part: Float32) -> None:
            if squared:
                np.square(part, out=part)
            np.matmul(scaled, part.T, out=out[:, rows])
            if wide and factors is not None:
                out[:, rows] *= factors[rows]

        self.each_chunk(product, len(scaled))
        if not wide and factors is not None:  # not in the chunks, which are over so soon that threads wait for each other
            out *= factors
        return out

    def rows(self, indices: Array, places: Int64 | None = None) -> Float32:
        """See `PatternMatrix.rows`."""
        stored = self.patterns[indices]
        found: Float32 = float32(stored if places is None else stored.take(places, axis=-1))
        if stored.dtype == np.float32:
            return found * np.float32(self.scale)
        found *= np.float32(self.scale)  # a copy already
        return found

    @property
    def levels(self) -> Levels | None:
        """See `PatternMatrix.levels`."""
        return Levels(self.patterns) if self.patterns.dtype == np.uint8 else None

    def read_out(self, weights: Float32) -> Float32:
        """See `PatternMatrix.read_out`; weights of at most 2^-24 / M are below the rounding of the result and are not read."""
        out = read_out(self.patterns, weights)
        out *= np.float32(self.scale)
        return out

    def each_chunk(self, work: Callable[[slice, Float32], object], queries: int = 1) -> None:
        """See `PatternMatrix.each_chunk`.

        A chunk stays in the cache, and all cores take part when there is enough to do, one BLAS thread in each.
        """
        step = self.chunk_rows(queries)
        scratch = local()  # a buffer for each thread

        def one(rows: slice) -> None:
            if not hasattr(scratch, "buffer"):
                scratch.buffer = np.empty((step, self.dim), np.float32)
            pixels = scratch.buffer[: rows.stop - rows.start]
            np.copyto(pixels, self.patterns[rows], casting="unsafe")
            work(rows, pixels)

        if self.count * self.dim >= THREADS_WORTH:
            on_all_cores(one, self.count, step)
        else:
            for rows in chunks(self.count, step):
                one(rows)

    def query_parts(self, queries: int, pairs: int) -> list[slice]:
        """See `PatternMatrix.query_parts`."""
        return list(chunks(queries, pairs // self.chunk_rows(queries)))

    def chunk_rows(self, queries: int = 1) -> int:
        """Rows of a chunk."""
        size = THIN_CHUNK_BYTES if queries <= THIN else WIDE_CHUNK_BYTES
        return max(1, min(size // (4 * self.dim), max(SMALLEST_CHUNK, PAIRS // queries)))
