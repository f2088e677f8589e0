"""X on a device of torch: products on its tensor cores (`arrays.half_products`), chunks as long as its memory allows.

What the device has no room for stays in host memory and is sent chunk by chunk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays import half_products
from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import Array, float32, namespace, to_numpy
from uhop_cli.arrays.operations import flat_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Int64

ARRAYS_PER_PAIR = 64  # float32 values that the choice by evidence has alive for each pair: those of all blocks, twice
SENT_BYTES = 256 << 20  # of a chunk that is sent to a GPU: two of them are page-locked


class DeviceMatrix:
    """X on a device of torch; see `PatternMatrix` and `pattern_matrix`.

    Attributes:
        resident: whether all of it is on the device.
    """

    long_chunks = True
    levels = None  # values are compared on the device

    def __init__(self, patterns: NDArray[np.generic], device: Device) -> None:
        flat, self.scale = flat_rows(patterns)
        self.device = device
        self.count, self.dim = int(flat.shape[0]), int(flat.shape[1])
        self.resident = flat.nbytes <= device.free_memory() // 2
        self.patterns: Array = device.put(flat) if self.resident else flat

    def products(self, queries: Array, factors: Array = None, *, squared: bool = False) -> Array:
        """See `PatternMatrix.products`."""
        scaled = float32(queries) * (self.scale**2 if squared else self.scale)
        xp, count = namespace(scaled), int(scaled.shape[0])
        out = xp.empty((count, self.count), dtype=xp.float32, device=scaled.device)
        for rows, part in self._chunks(count):
            out[:, rows] = scaled @ (float32(part) ** 2).T if squared else half_products.product(scaled, part)
        return out if factors is None else out * factors

    def rows(self, indices: Array, places: Int64 | None = None) -> Array:
        """See `PatternMatrix.rows`."""
        found = self.patterns[indices] if self.resident else self.device.put(self.patterns[to_numpy(indices)])
        return float32(found if places is None else found[..., self.device.put(places)]) * np.float32(self.scale)

    def read_out(self, weights: Array) -> Array:
        """See `PatternMatrix.read_out`."""
        out: Array = 0.0
        for rows, part in self._chunks():
            out = out + half_products.product(weights[:, rows], part.T)
        return out * self.scale

    def each_chunk(self, work: Callable[[slice, Array], object], queries: int = 1) -> None:
        """See `PatternMatrix.each_chunk`. A chunk is as large as a quarter of the free memory allows."""
        for rows, part in self._chunks(ARRAYS_PER_PAIR * queries):
            work(rows, float32(part))

    def query_parts(self, queries: int, pairs: int) -> list[slice]:
        """All queries at once: there is no cache for a chunk's results to stay in."""
        return [slice(0, queries)]

    def _chunks(self, values: int = 0) -> Iterator[tuple[slice, Array]]:
        """The memories as stored, in chunks; for each memory that many float32 values are computed at a time."""
        step = self.device.free_memory() // 4 // (4 * (self.dim + values))
        if self.resident:
            return ((rows, self.patterns[rows]) for rows in chunks(self.count, step))
        return self.device.send(self.patterns, chunks(self.count, min(step, SENT_BYTES // self.patterns[0].nbytes)))
