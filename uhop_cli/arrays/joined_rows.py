"""Rows of several arrays, taken as one array without copying any of them: the patterns of shards, each mapped from its own file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAPPED = 32 << 20  # bytes from which on what had to be copied lies in a temporary file, not in memory
PIECE = 8 << 20  # bytes of rows that are copied at a time


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


def concatenated(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """The parts end to end along their first axis, read-only where they are large: then in a temporary file that is mapped."""
    if len(parts) == 1:
        return parts[0]
    size = sum(part.nbytes for part in parts)
    if size <= MAPPED:
        return np.concatenate(parts)
    count = sum(len(part) for part in parts)
    with tempfile.TemporaryFile() as file:
        whole: NDArray[Any] = np.memmap(file, parts[0].dtype, "w+", shape=(count, *parts[0].shape[1:]))
    place = 0
    for part in parts:
        step = max(1, PIECE // max(1, part.nbytes // max(1, len(part))))
        for begin in range(0, len(part), step):
            piece = part[begin : begin + step]
            whole[place : place + len(piece)] = piece
            place += len(piece)
    whole.flags.writeable = False
    return whole
