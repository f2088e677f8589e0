"""The memories as Stage II reads them: in place, chunk by chunk, straight from the stored pixels.

A bank answers three questions: the products of all memories with queries (scores), the weighted sum of memories (read-out)
and single rows. Pixels stay uint8; a chunk becomes float32 only while it is in the cache, so that a product moves a quarter of the
bytes that float32 patterns would. Half precision and integer products are not used on the CPU: NumPy has no fast form of either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import local

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays import half_products as gpu
from uhop_cli.arrays.device import CPU, Device
from uhop_cli.arrays.library import Array, float32, namespace, to_numpy
from uhop_cli.arrays.threads import WORTH_THREADS, chunks, cores, on_all_cores, product_on_all_cores
from uhop_cli.arrays.types import Float32, Int64

THIN = 32  # up to this many queries a product is bound by memory, not by arithmetic
THIN_CHUNK_BYTES = 3 << 19  # float32 rows that stay in one core's cache while they are used
WIDE_CHUNK_BYTES = 6 << 20  # long enough for a matrix product to run at full speed
READ_CHUNK_BYTES = 48 << 20
SMALLEST_CHUNK = 64  # rows
PAIRS = 1 << 21  # of query and memory at a time
ARRAYS_PER_PAIR = 64  # float32 values that the choice by evidence has alive for each pair: those of all blocks, twice
SHARED = 4  # queries that use a memory, on average, from which on one product for all of them reads it out faster
SENT_BYTES = 256 << 20  # of a chunk that is sent to a GPU: two of them are page-locked
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
        # What the device has no room for stays where it is, and is sent chunk by chunk.
        self.resident = device.is_numpy or flat.nbytes <= device.free_memory() // 2
        self.patterns: Array = device.put(flat) if self.resident else flat

    def products(self, queries: Array, factors: Array = None, *, squared: bool = False) -> Array:
        """<q, xi>, or <q, xi^2> (value by value) with `squared`: (Q, M) for queries (Q, d), float32.

        Args:
            queries: on the bank's device.
            factors: (M,) each memory's products are multiplied by.
            squared: see above.
        """
        scaled = float32(queries) * (self.scale**2 if squared else self.scale)
        if not self.device.is_numpy:
            return self._device_products(scaled, factors, squared)
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

    def rows(self, indices: Array) -> Array:
        """Memories by index, in [0, 1]: shape (*indices.shape, d)."""
        if not self.resident:
            found = self.device.put(self.patterns[to_numpy(indices)])
        else:
            found = self.patterns[indices]
        return float32(found) * np.float32(self.scale)

    def read_out(self, weights: Array) -> Array:
        """sum_mu p_mu xi_mu for weights (Q, M): shape (Q, d).

        Weights of at most 2^-24 / M are below the rounding of the result and are not read.
        """
        if not self.device.is_numpy:
            return self._device_read_out(weights)
        least = np.float32(2.0**-24 / self.count)
        out = np.zeros((len(weights), self.dim), np.float32)
        chosen: list[Int64] = [np.empty(0, np.int64)] * len(weights)
        used = np.zeros(self.count, np.bool_)

        def choose(queries: slice) -> None:
            for query in range(queries.start, queries.stop):
                chosen[query] = np.flatnonzero(weights[query] > least)
                used[chosen[query]] = True

        self._over_queries(choose, weights)
        needed = np.flatnonzero(used)
        if sum(map(len, chosen)) <= SHARED * len(needed):  # few queries share a memory: each reads its own
            self._over_queries(lambda queries: self._read_each(weights, chosen, queries, out), weights)
        else:
            for part in chunks(len(needed), max(1, READ_CHUNK_BYTES // (4 * self.dim))):
                rows: Int64 | slice = needed[part]
                first, last = needed[part.start], needed[part.stop - 1]
                if part.stop - part.start == last - first + 1:  # neighbours: a slice, not a gather
                    rows = slice(first, last + 1)
                # What is too small to count is set to 0: numbers below 1e-38 multiply a hundred times slower on some processors.
                counting = np.where(weights[:, rows] > least, weights[:, rows], np.float32(0))
                out += product_on_all_cores(counting, self.patterns[rows].astype(np.float32))
        out *= np.float32(self.scale)
        return out

    def _over_queries(self, work: Callable[[slice], object], weights: Float32) -> None:
        """Run `work` on parts of the queries, on all cores if there is enough to do."""
        count = len(weights)
        on_all_cores(work, count, count if weights.size < WORTH_THREADS else max(1, count // (4 * cores())))

    def _read_each(self, weights: Float32, chosen: list[Int64], queries: slice, out: Float32) -> None:
        """out[q] = sum over the chosen memories of query q of p_mu xi_mu, for a slice of the queries; pixels as they are stored."""
        step = max(1, WIDE_CHUNK_BYTES // (4 * self.dim))
        for query in range(queries.start, queries.stop):
            for part in chunks(len(chosen[query]), step):
                rows = chosen[query][part]
                out[query] += weights[query, rows] @ self.patterns[rows].astype(np.float32)

    def each_chunk(self, work: Callable[[slice, Array], object], queries: int = 1) -> None:
        """Run `work(rows, pixels)` over all chunks; the pixels are float32, still to be multiplied by `scale`, and gone afterwards.

        On the CPU a chunk stays in the cache, and all cores take part when there is enough to do, one BLAS thread in each. On a GPU
        a chunk is as large as a quarter of the free memory allows.

        Args:
            work: called once for each chunk, in any order.
            queries: that a chunk is compared with; their results take room as well.
        """
        step = self.chunk_rows(queries)
        if not self.device.is_numpy:
            for rows, part in self._device_chunks(ARRAYS_PER_PAIR * queries):
                work(rows, float32(part))
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

    def chunk_rows(self, queries: int = 1) -> int:
        """Rows of a chunk on the CPU."""
        size = THIN_CHUNK_BYTES if queries <= THIN else WIDE_CHUNK_BYTES
        return max(1, min(size // (4 * self.dim), max(SMALLEST_CHUNK, PAIRS // queries)))

    def _device_chunks(self, values: int = 0) -> Iterator[tuple[slice, Array]]:
        """The memories on a GPU, as stored, in chunks; for each memory that many float32 values are computed at a time."""
        step = max(1, self.device.free_memory() // 4 // (4 * (self.dim + values)))
        if self.resident:
            return ((rows, self.patterns[rows]) for rows in chunks(self.count, step))
        return self.device.send(self.patterns, chunks(self.count, min(step, max(1, SENT_BYTES // self.patterns[0].nbytes))))

    def _device_products(self, queries: Array, factors: Array, squared: bool) -> Array:
        xp, count = namespace(queries), int(queries.shape[0])
        out = xp.empty((count, self.count), dtype=xp.float32, device=queries.device)
        for rows, part in self._device_chunks(count):
            out[:, rows] = queries @ (float32(part) ** 2).T if squared else gpu.product(queries, part)
        return out if factors is None else out * factors

    def _device_read_out(self, weights: Array) -> Array:
        out: Array = 0.0
        for rows, part in self._device_chunks():
            out = out + gpu.product(weights[:, rows], part.T)
        return out * self.scale
