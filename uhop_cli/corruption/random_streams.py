"""Random numbers of which a row's share does not depend on the number of rows."""

from __future__ import annotations

import hashlib
from copy import copy

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Float32


class Draws:
    """A sequence of independent random arrays, each from its own stream, determined by a seed and a label.

    Each array is filled along its first axis, so its first rows are the same however many follow; one stream for all arrays would
    not have that, as the second would start where the first ended.
    """

    def __init__(self, seed: int, label: str) -> None:
        digest = hashlib.sha256(label.encode()).digest()
        self._entropy = [seed, *np.frombuffer(digest[:16], "<u4").tolist()]
        self._count = 0

    def row(self, index: int) -> Draws:
        """Draws of its own for row `index`, where rows need arrays of different shapes."""
        own = copy(self)
        own._entropy = [*self._entropy, index]
        return own

    def uniform(self, *shape: int) -> Float32:
        """Uniform in [0, 1), float32."""
        return self._next().random(shape, dtype=np.float32)

    def normal(self, *shape: int) -> Float32:
        """Standard normal, float32."""
        return self._next().standard_normal(shape, dtype=np.float32)

    def index(self, below: int, *shape: int) -> NDArray[np.intp]:
        """Whole numbers from 0 to below - 1, all alike."""
        return (self._next().random(shape) * below).astype(np.intp)

    def _next(self) -> np.random.Generator:
        self._count += 1
        return np.random.default_rng([*self._entropy, self._count])
