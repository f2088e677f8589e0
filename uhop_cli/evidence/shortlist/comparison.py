"""The comparison of the codes of some queries with those of a chunk of memories, quarter by quarter.

With u_b and l_b of `codes` and c_b = <u_b(x), u_b(xi)>, each query x and each memory xi of the chunk have

    quarters   -prod_b (1 - max(c_b, 0)^2)
    sums       sum_b l_b(xi) <a_b, u_b(xi)>      of vectors a_b; of a = l u of the query it is the cosine of the codes

A few queries read no vector twice. Of many, the sums are one product over all quarters: a product of one quarter is thin, and
costs more in what it writes than in what it multiplies.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from uhop_cli.arrays.operations import inverse
from uhop_cli.arrays.scratch import Scratch
from uhop_cli.arrays.types import Float32

FEW = 8  # queries


@dataclass(frozen=True)
class Comparison:
    """What is compared with every chunk.

    Attributes:
        probes, gains: u_b and l_b of the Q queries, (B, Q, k) and (B, Q, 1).
        asked: a_b, (B, R, k); the first Q of them are l_b u_b.
    """

    probes: Float32
    gains: Float32
    asked: Float32

    def __call__(self, vectors: Float32, shares: Float32, scratch: Scratch) -> tuple[Float32, Float32]:
        """Quarters (Q, m) and sums (R, m), which stay until the next chunk.

        Args:
            vectors: u_b of the chunk, (B, k, m).
            shares: l_b, (B, m).
            scratch: where the results lie.
        """
        few = self.probes.shape[1] <= FEW
        return self._of_few(vectors, shares, scratch) if few else self._of_many(vectors, shares, scratch)

    @cached_property
    def _ungained(self) -> Float32:
        """-1 / l_b^2, (B, Q, 1)."""
        ungained: Float32 = -np.square(inverse(self.gains))
        return ungained

    @cached_property
    def _rows(self) -> Float32:
        """a, (R, B k)."""
        rows: Float32 = np.ascontiguousarray(self.asked.swapaxes(0, 1)).reshape(self.asked.shape[1], -1)
        return rows

    def _of_few(self, vectors: Float32, shares: Float32, scratch: Scratch) -> tuple[Float32, Float32]:
        count, rows, length = self.probes.shape[1], self.asked.shape[1], vectors.shape[2]
        sums, values, spare = (scratch.empty(name, (rows, length), vectors) for name in ("sums", "values", "spare"))
        quarters, own = scratch.empty("quarters", (count, length), vectors), values[:count]
        sums[:], quarters[:] = 0, -1
        for asked, ungained, vector, share in zip(self.asked, self._ungained, vectors, shares, strict=True):
            np.matmul(asked, vector, out=values)  # of the query's own: l_b(x) c_b
            sums += np.multiply(values, share, out=spare)
            np.maximum(own, 0, out=own)
            own *= own
            own *= ungained
            own += 1
            quarters *= own
        return quarters, sums

    def _of_many(self, vectors: Float32, shares: Float32, scratch: Scratch) -> tuple[Float32, Float32]:
        count, length = self.probes.shape[1], vectors.shape[2]
        weighed = np.multiply(vectors, shares[:, None], out=scratch.empty("weighed", vectors.shape, vectors))
        sums = scratch.empty("sums", (len(self._rows), length), vectors)
        np.matmul(self._rows, weighed.reshape(-1, length), out=sums)
        quarters, values = (scratch.empty(name, (count, length), vectors) for name in ("quarters", "values"))
        quarters[:] = -1
        for probe, vector in zip(self.probes, vectors, strict=True):
            np.matmul(probe, vector, out=values)  # c_b
            np.maximum(values, 0, out=values)
            values *= values
            quarters *= np.subtract(1, values, out=values)
        return quarters, sums
