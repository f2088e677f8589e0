"""Codes of queries of which a part is hidden under a heap of equal values: a cover of one colour, or values that were set to one.

What lies under a heap pulls the code of the whole far away from that of the memory. The directions of the codes are those of
pictures, so that what is visible tells the rest: with V_b the directions of quarter b at unit length, v_i the variances along them,
and m an offset,

    x_b = V_b^T a + m + e on what is visible,     a_i ~ N(0, v_i),  e ~ N(0, sigma^2),  sigma^2 = LEFT sum_i v_i / n_b,

the a that is most likely solves (V S V^T + sigma^2 diag(1 / v)) a = V S (x_b - m), S = 1 where a value is visible and 0 elsewhere;
its code is that of the picture with the rest filled in. Of a quarter of which nothing is visible it is 0, which costs nothing.

Black may also be what a picture shows. So these codes add to a shortlist, and do not take the place of those of the query as it is.
Heaps at both ends of the range, about equally large, are of values that were clipped there, as noise is when it is written to a
file: they hide nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.operations import inverse
from uhop_cli.arrays.threads import on_all_cores
from uhop_cli.arrays.types import Bool, Float32, Float64, Int64
from uhop_cli.evidence.shortlist.codes import Coder, parted

LEVELS = 1024  # of the range of a query's values: those of 8 bits are told apart
HEAP = 1 / 16  # of all values at one level: photographs have a hundredth or two
CLIPPED = 1 / 4  # of the larger heap at an end of the range; white in a picture of which a half is black is seldom as much
LEFT = 0.15  # of the power of a quarter lies beyond the directions of 32 x 32 photographs; half and twice as much name the same
TOGETHER = 8  # queries at a time


def visible(queries: Float32) -> Bool:
    """Which values of queries (Q, d) are in no heap: (Q, d)."""
    count, size = queries.shape
    low, high = queries.min(axis=1, keepdims=True), queries.max(axis=1, keepdims=True)
    levels = ((queries - low) * ((LEVELS - 1) * inverse(high - low)) + np.float32(0.5)).astype(np.int64) + LEVELS * np.arange(
        count
    )[:, None]
    counts = np.bincount(levels.ravel(), minlength=LEVELS * count).reshape(count, LEVELS)
    ends = np.sort(counts[:, [0, -1]], axis=1)
    clipped = (ends[:, 0] >= HEAP * size) & (ends[:, 0] >= CLIPPED * ends[:, 1])
    return np.asarray((counts.ravel()[levels] < HEAP * size) | clipped[:, None])


@dataclass(frozen=True)
class _Quarter:
    """One of the blocks of a code.

    Attributes:
        places: its values in a pattern, (n,).
        directions: V and below it a row of ones, (k + 1, n).
        prior: sigma^2 / v_i, and sigma^2 for the offset, of which no more is known: (k + 1,).
        lengths: of the directions that a code is made with, (k,).
    """

    places: Int64
    directions: Float32
    prior: Float64
    lengths: Float32

    def coordinates(self, queries: Float32, seen: Bool) -> Float32:
        """z_b of queries (Q, d) from what is seen of them (Q, d): (Q, k)."""
        mask = seen[:, self.places].astype(np.float32)
        masked = self.directions * mask[:, None]  # (Q, k + 1, n)
        normal = (masked @ self.directions.T).astype(np.float64)
        normal[:, np.arange(len(self.prior)), np.arange(len(self.prior))] += self.prior
        wanted = ((queries[:, self.places] * mask) @ self.directions.T).astype(np.float64)
        found: Float32 = np.linalg.solve(normal, wanted[:, :, None])[:, :-1, 0].astype(np.float32)
        return found * self.lengths


class VisibleCoder:
    """The map from what is visible of pictures to codes.

    Args:
        coder: of whole pictures.
    """

    def __init__(self, coder: Coder) -> None:
        self._quarters = []
        for part, powers in zip(coder.weight.reshape(coder.blocks, -1, coder.weight.shape[1]), coder.powers, strict=True):
            places = np.flatnonzero(part.any(axis=0))
            variances = np.maximum(powers.astype(np.float64) - powers.sum() / (2 * len(powers)), 1e-9)  # powers are v_i + rho
            directions = part[:, places] * np.sqrt(powers)[:, None]
            noise = LEFT * variances.sum() / max(len(places), 1)
            self._quarters.append(
                _Quarter(
                    places=places,
                    directions=np.concatenate([directions, np.ones((1, len(places)), np.float32)]),
                    prior=noise / np.append(variances, 1),
                    lengths=np.linalg.norm(part, axis=1),
                )
            )

    def split(self, queries: Float32, seen: Bool) -> tuple[Float32, Float32]:
        """As `Coder.split`, for queries (Q, d) of which the values `seen` (Q, d) are known."""
        z = np.empty((len(queries), len(self._quarters), len(self._quarters[0].lengths)), np.float32)

        def work(part: slice) -> None:
            for place, quarter in enumerate(self._quarters):
                z[part, place] = quarter.coordinates(queries[part], seen[part])

        on_all_cores(work, len(queries), TOGETHER)
        return parted(z)
