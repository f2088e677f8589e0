"""Arrays that are written anew for every chunk of a pass, in memory that is kept from one chunk to the next.

Some megabytes that are freed go back to the system, and the next array of that size is faulted in again page by page: that takes
half as long as the product that is written into it.
"""

from __future__ import annotations

import math
from threading import local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.library import Array, float32, namespace
from uhop_cli.arrays.types import Int64


class Scratch:
    """Memory for the arrays of one pass, of each thread its own. A device of torch keeps its memory by itself."""

    def __init__(self) -> None:
        self._kept = local()

    def empty(self, name: str, shape: tuple[int, ...], like: Array) -> Array:
        """A float32 array of a shape, beside `like`, of any content; the next one of that name takes its place."""
        if not isinstance(like, np.ndarray):
            xp = namespace(like)
            return xp.empty(shape, dtype=xp.float32, device=like.device)
        return self._empty(name, shape, np.dtype(np.float32))

    def floats(self, name: str, stored: Array) -> Array:
        """The values of an array in float32; under a name as above."""
        if not isinstance(stored, np.ndarray):
            return float32(stored)
        out = self._empty(name, stored.shape, np.dtype(np.float32))
        np.copyto(out, stored, casting="unsafe")
        return out

    def copy(self, name: str, view: Array) -> Array:
        """The float32 values of a view one after the other; under a name as above. On a device a view is left as it is."""
        if not isinstance(view, np.ndarray):
            return view
        out = self._empty(name, view.shape, np.dtype(np.float32))
        np.copyto(out, view)
        return out

    def rows(self, name: str, stored: Array, rows: Int64) -> NDArray[Any]:
        """Rows by number (n,) of an array (M, ...) of NumPy's, as they are stored; under a name as above."""
        if not isinstance(stored, np.ndarray):  # joined of several
            return np.asarray(stored[rows])
        out = self._empty(name, (len(rows), *stored.shape[1:]), stored.dtype)
        return np.take(stored, rows, axis=0, out=out, mode="clip")  # the other modes take another copy

    def _empty(self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        size, kept = math.prod(shape), getattr(self._kept, name, None)
        if kept is None or kept.size < size or kept.dtype != dtype:
            kept = np.empty(size, dtype)
            setattr(self._kept, name, kept)
        return kept[:size].reshape(shape)


def product_into(left: Array, right: Array, out: Array) -> Array:
    """left @ right; of NumPy's arrays in `out`."""
    return np.matmul(left, right, out=out) if isinstance(out, np.ndarray) else left @ right
