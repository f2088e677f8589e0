"""The memories as Stage II reads them: in place, chunk by chunk, straight from the stored pixels.

A bank answers three questions: the products of all memories with a few columns (scores), the weighted sum of memories (read-out)
and single rows. Pixels stay uint8; a chunk becomes float32 only while it is in the cache, so that a product moves a quarter of the
bytes that float32 patterns would. Half precision and integer products are not used on the CPU: NumPy has no fast form of either.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import local

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays import CPU, Array, Device, chunks, float32, on_all_cores

THIN = 32  # up to this many columns a product is bound by memory, not by arithmetic
THIN_CHUNK_BYTES = 3 << 20  # float32 rows that stay in one core's cache while they are used
WIDE_CHUNK_BYTES = 48 << 20
SMALLEST_CHUNK = 64  # rows
PAIRS = 1 << 21  # of query and memory at a time
ARRAYS_PER_PAIR = 64  # float32 values that the choice by evidence has alive for each pair: those of all blocks, twice
THREADS_WORTH = 8 << 20  # pixels below which a second thread costs more than it brings


class Bank:
    """M memories of d values, on one device.

    Args:
        patterns: shape (M, ...), uint8 pixels or float values in [0, 1]; may be memory-mapped (it is never copied on the CPU).
        device: where the products run.
    """

    def __init__(self, patterns: NDArray[np.generic], device: Device = CPU) -> None:
        flat = patterns.reshape(len(patterns), -1)
        self.device = device
        self.count, self.dim = int(flat.shape[0]), int(flat.shape[1])
        self.scale = 1 / 255 if flat.dtype == np.uint8 else 1.0
        self.patterns: Array = device.put(flat)

    def products(self, columns: Array, *, squared: bool = False) -> Array:
        """X @ columns, or X^2 @ columns (value by value) with `squared`: shape (M, K) for columns (d, K), float32."""
        scaled = float32(columns) * (self.scale**2 if squared else self.scale)
        if not self.device.is_numpy:
            return self._device_products(scaled, squared)
        out = np.empty((self.count, scaled.shape[1]), np.float32)

        def product(rows: slice, part: NDArray[np.float32]) -> None:
            if squared:
                np.square(part, out=part)
            np.matmul(part, scaled, out=out[rows])

        if scaled.shape[1] <= THIN:
            self.each_chunk(product)
        else:
            buffer = np.empty((max(1, WIDE_CHUNK_BYTES // (4 * self.dim)), self.dim), np.float32)
            for rows in chunks(self.count, len(buffer)):
                part = buffer[: rows.stop - rows.start]
                np.copyto(part, self.patterns[rows], casting="unsafe")
                product(rows, part)
        return out

    def rows(self, indices: Array) -> Array:
        """Memories by index, in [0, 1]: shape (*indices.shape, d)."""
        return float32(self.patterns[indices]) * np.float32(self.scale)

    def read_out(self, weights: Array) -> Array:
        """sum_mu p_mu xi_mu for weights (Q, M): shape (Q, d).

        Weights of at most 2^-24 / M are below the rounding of the result and are not read.
        """
        if not self.device.is_numpy:
            return self._device_read_out(weights)
        kept = weights > 2.0**-24 / self.count
        needed = np.flatnonzero(kept.any(axis=0))
        out = np.zeros((len(weights), self.dim), np.float32)
        for part in chunks(len(needed), max(1, WIDE_CHUNK_BYTES // (4 * self.dim))):
            rows = needed[part]
            if len(rows) == rows[-1] - rows[0] + 1:  # neighbours: a slice, not a gather
                pixels = self.patterns[rows[0] : rows[-1] + 1].astype(np.float32)
                out += weights[:, rows[0] : rows[-1] + 1] @ pixels
            else:
                out += weights[:, rows] @ self.patterns[rows].astype(np.float32)
        out *= np.float32(self.scale)
        return out

    def each_chunk(self, work: Callable[[slice, Array], object], queries: int = 1) -> None:
        """Run `work(rows, pixels)` over all chunks; the pixels are float32, still to be multiplied by `scale`, and gone afterwards.

        On the CPU a chunk stays in the cache, and all cores take part when there is enough to do, one BLAS thread in each. On a GPU
        a chunk is as large as a quarter of the free memory allows.

        Args:
            work: called once for each chunk, in any order.
            queries: that a chunk is compared with; their results take room as well.
        """
        step = max(1, min(THIN_CHUNK_BYTES // (4 * self.dim), max(SMALLEST_CHUNK, PAIRS // queries)))
        if not self.device.is_numpy:
            step = self._device_step(ARRAYS_PER_PAIR * queries)
            for rows in chunks(self.count, step):
                work(rows, float32(self.patterns[rows]))
            return
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

    def _device_step(self, values: int = 0) -> int:
        """Rows of a chunk on a GPU, for each of which that many values are computed."""
        return max(1, self.device.free_memory() // 4 // (4 * (self.dim + values)))

    def _device_products(self, columns: Array, squared: bool) -> Array:
        import array_api_compat

        xp = array_api_compat.array_namespace(columns)
        step = self._device_step(int(columns.shape[1]))
        power = 2 if squared else 1
        return xp.concat([float32(self.patterns[rows]) ** power @ columns for rows in chunks(self.count, step)], axis=0)

    def _device_read_out(self, weights: Array) -> Array:
        out: Array = 0.0
        for rows in chunks(self.count, self._device_step()):
            out = out + weights[:, rows] @ float32(self.patterns[rows])
        return out * self.scale
