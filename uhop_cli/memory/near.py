"""Pairs of stored patterns that are nearly alike, and which of them are one picture, as their originals say."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool, Int64

VERIFIED, DIFFERENT, UNSEEN = 1, 0, -1


@dataclass(frozen=True, eq=False)
class NearPairs:
    """Near-duplicates.

    Attributes:
        pairs: (N, 2) int64, two rows of the memory each, the smaller first; no pair twice.
        verified: (N,) int8: 1: their originals are one picture; 0: they are not; -1: nobody looked.
    """

    pairs: Int64
    verified: NDArray[np.int8]

    def select(self, rows: Bool) -> NearPairs:
        """The pairs of which `rows` (M,) marks both, in the numbers that rows have when the others are gone."""
        kept = rows[self.pairs].all(axis=1)
        return NearPairs((np.cumsum(rows) - 1)[self.pairs[kept]].reshape(-1, 2), self.verified[kept])

    @cached_property
    def groups(self) -> dict[int, tuple[int, ...]]:
        """For each row that is one picture with others: all these rows, itself among them, rising."""
        parent: dict[int, int] = {}

        def root(row: int) -> int:
            while (up := parent.setdefault(row, row)) != row:
                parent[row] = row = parent[up]
            return row

        for first, second in self.pairs[self.verified == VERIFIED].tolist():
            low, high = sorted((root(first), root(second)))
            parent[high] = low
        members: dict[int, list[int]] = {}
        for row in sorted(parent):
            members.setdefault(root(row), []).append(row)
        return {row: tuple(rows) for rows in members.values() for row in rows}

    @cached_property
    def rows(self) -> frozenset[int]:
        """The rows that have a near-copy which is, or may be, another picture."""
        return frozenset(self.pairs[self.verified != VERIFIED].ravel().tolist())
