"""Rows of several arrays, taken as one array without copying any of them: the patterns of shards, each mapped from its own file."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAPPED = 32 << 20  # bytes from which on what had to be copied lies in a temporary file, not in memory


class JoinedRows:
    """Arrays (m_i, ...) of one type and one shape but for m_i, as one of shape (sum m_i, ...), read-only.

    Slices within one part are views; what crosses parts is copied, as are rows by number or by mark. An index is a slice, a number,
    or an array of numbers or of marks; nothing else of NumPy's is there.
    """

    def __init__(self, parts: Sequence[NDArray[Any]]) -> None:
        self._parts = tuple(parts)
        self._begins = np.cumsum([0, *(len(part) for part in self._parts)])

    @property
    def shape(self) -> tuple[int, ...]:
        """(sum m_i, ...)."""
        return (int(self._begins[-1]), *self._parts[0].shape[1:])

    @property
    def dtype(self) -> np.dtype[Any]:
        """That of the parts."""
        return self._parts[0].dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._parts[0].ndim

    def __len__(self) -> int:
        return int(self._begins[-1])

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for part in self._parts:
            yield from part

    def reshape(self, count: int, *shape: int) -> JoinedRows:
        """Every row in another shape; `count` is the number of rows, or -1."""
        if count not in (-1, len(self)):
            raise ValueError(f"{len(self)} joined rows cannot become {count}")
        return JoinedRows([part.reshape(len(part), *shape) for part in self._parts])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            return self._between(start, stop) if step == 1 else self._gathered(np.arange(start, stop, step))
        if isinstance(index, int | np.integer):
            place = int(np.arange(len(self))[index]) if index < 0 else int(index)
            if place >= len(self):
                raise IndexError(f"row {index} of {len(self)}")
            part = int(np.searchsorted(self._begins, place, side="right")) - 1
            return self._parts[part][place - int(self._begins[part])]
        rows = np.asarray(index)
        return self._gathered(np.flatnonzero(rows) if rows.dtype == np.bool_ else rows)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.concatenate(self._parts)
        return whole if dtype is None else whole.astype(dtype, copy=False)

    def _between(self, start: int, stop: int) -> NDArray[Any]:
        pieces = [
            part[max(start - begin, 0) : stop - begin]
            for part, (begin, end) in zip(self._parts, pairwise(self._begins.tolist()), strict=True)
            if start < end and begin < stop
        ]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces) if pieces else self._parts[0][:0]

    def _gathered(self, rows: NDArray[Any]) -> NDArray[Any]:
        flat = rows.reshape(-1).astype(np.int64)
        flat = np.where(flat < 0, flat + len(self), flat)
        if flat.size and (flat.min() < 0 or flat.max() >= len(self)):
            raise IndexError(f"rows from {flat.min()} to {flat.max()} of {len(self)}")
        found = np.empty((len(flat), *self.shape[1:]), self.dtype)
        owners = np.searchsorted(self._begins, flat, side="right") - 1
        for number in np.unique(owners).tolist():
            mine = owners == number
            found[mine] = self._parts[number][flat[mine] - self._begins[number]]
        return found.reshape(*rows.shape, *self.shape[1:])


class EndToEnd:
    """Arrays that come one after the other, put end to end along an axis; where they are large, in a temporary file that is mapped,
    so that none of them has to be kept until the last has come.

    Args:
        length: of the axis, all of them together.
        axis: that one.
    """

    def __init__(self, length: int, axis: int = 0) -> None:
        self._length, self._axis, self._filled = length, axis, 0
        self._whole: NDArray[Any] | None = None

    def add(self, part: NDArray[Any]) -> None:
        """Puts the next one behind those that have come. One that is all of them is taken as it is."""
        length = part.shape[self._axis]
        if length == self._length:
            self._whole = part
        elif self._whole is None:
            self._whole = _room(tuple(self._length if axis == self._axis else n for axis, n in enumerate(part.shape)), part.dtype)
        if 0 < length < self._length:
            self._whole[(slice(None),) * self._axis + (slice(self._filled, self._filled + length),)] = part
        self._filled += length

    def close(self) -> NDArray[Any]:
        """All of them; to be read only, where they are mapped."""
        assert self._whole is not None, "some have come"
        assert self._filled == self._length, "all have come"
        whole = self._whole.view()
        whole.flags.writeable = False
        return whole


def _room(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    if math.prod(shape) * dtype.itemsize <= MAPPED:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        mapped: NDArray[Any] = np.memmap(file, dtype, "w+", shape=shape)
    return mapped


def concatenated(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The parts end to end along their first axis, as `EndToEnd` puts them."""
    whole = EndToEnd(sum(len(part) for part in parts))
    for part in parts:
        whole.add(part)
    return whole.close()
