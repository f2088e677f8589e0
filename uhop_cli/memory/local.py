"""Local descriptors of the stored pictures: what small parts of them look like, and where these lie."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool, Float32, Int64, UInt8


@dataclass(frozen=True, eq=False)
class LocalDescriptors:
    """N descriptors of M pictures, those of each picture together, in the order of the memory. May be views of a file.

    Attributes:
        codes: (N, K) int8, unit vectors times 127.
        places: (N, 4) uint8: x and y in 256ths of the picture's width and height, size, angle; `frames.local.places` reads them.
        offsets: (M + 1,) where those of each picture begin and end.
        directions: (K + 1, 128) float32, the mean of the set's descriptors and the K directions that the codes are made with.
    """

    codes: NDArray[np.int8]
    places: UInt8
    offsets: Int64
    directions: Float32

    @property
    def pictures(self) -> int:
        """How many pictures have descriptors."""
        return int(np.count_nonzero(self.described))

    @property
    def described(self) -> Bool:
        """Which of the pictures have descriptors, (M,)."""
        return np.diff(self.offsets) > 0

    @property
    def nbytes(self) -> int:
        """Bytes of all of it."""
        return self.codes.nbytes + self.places.nbytes + self.offsets.nbytes + self.directions.nbytes

    def select(self, rows: Bool) -> LocalDescriptors:
        """Those of the pictures that `rows` (M,) marks; the directions stay."""
        kept = np.repeat(rows, np.diff(self.offsets))
        return LocalDescriptors(self.codes[kept], self.places[kept], kept_offsets(self.offsets, rows), self.directions)


def kept_offsets(offsets: Int64, rows: Bool) -> Int64:
    """Where the parts of a packed array begin and end when only those of `rows` (M,) are left."""
    kept = np.zeros(int(np.count_nonzero(rows)) + 1, np.int64)
    np.cumsum(np.diff(offsets)[rows], out=kept[1:])
    return kept
