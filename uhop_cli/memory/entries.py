"""The stored files: name, content hash and size of each, and the pattern that it shares with its duplicates.

Held as columns, not as objects, so that a million files load as fast as ten: nothing here walks over the files in Python but
the methods that say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from uhop_cli.arrays.types import Bool, Int64, UInt8


def pack(items: Sequence[bytes]) -> tuple[UInt8, Int64]:
    """Byte strings end to end, and the N+1 offsets at which they begin and end."""
    offsets = np.zeros(len(items) + 1, np.int64)
    np.cumsum([len(item) for item in items], out=offsets[1:])
    return np.frombuffer(b"".join(items), np.uint8), offsets


def subset(data: UInt8, offsets: Int64, keep: Bool) -> tuple[UInt8, Int64]:
    """Of packed byte strings, those that `keep` (N,) marks, in the same order."""
    lengths = np.diff(offsets)
    kept = np.zeros(int(np.count_nonzero(keep)) + 1, np.int64)
    np.cumsum(lengths[keep], out=kept[1:])
    return data[np.repeat(keep, lengths)], kept


@dataclass(frozen=True, eq=False)
class Entries:
    """N stored files.

    Attributes:
        name_bytes: (B,) the names end to end, in the bytes of the file system, which need not be UTF-8; paths relative to the
            folder of the memory file, with `/` between their parts.
        name_offsets: (N+1,) where each name begins and ends.
        name_entry: (N,) the row of the pattern of each file.
        digests: (N, 32) sha256 of the content of each file.
        sizes: (N,) bytes of each file.
    """

    name_bytes: UInt8
    name_offsets: Int64
    name_entry: Int64
    digests: UInt8
    sizes: Int64

    @classmethod
    def build(cls, names: Sequence[bytes], rows: Sequence[int], digests: Sequence[bytes], sizes: Sequence[int]) -> Entries:
        """From one item a file: its name, the row of its pattern, the sha256 (32 bytes) and the size of its content."""
        data, offsets = pack(names)
        columns = np.frombuffer(b"".join(digests), np.uint8).reshape(len(digests), 32)
        return cls(data, offsets, np.asarray(rows, np.int64), columns, np.asarray(sizes, np.int64))

    def __len__(self) -> int:
        return int(self.name_entry.shape[0])

    def name(self, index: int) -> bytes:
        """The name of file `index`."""
        begin, end = self.name_offsets[index : index + 2]
        return bytes(self.name_bytes[begin:end])

    def digest(self, index: int) -> bytes:
        """The sha256 of the content of file `index`."""
        return bytes(self.digests[index])

    def names(self) -> list[bytes]:
        """All names, in order. Walks over the files."""
        data, bounds = self.name_bytes.tobytes(), self.name_offsets.tolist()
        return [data[begin:end] for begin, end in pairwise(bounds)]

    def files_of(self, row: int) -> Int64:
        """The files that share the pattern in `row`, in order."""
        order, bounds = self._by_row
        last = len(bounds) - 1  # rows beyond have no files
        return order[bounds[min(row, last)] : bounds[min(row + 1, last)]]

    @cached_property
    def _by_row(self) -> tuple[Int64, Int64]:
        """The files in the order of their patterns' rows, (N,), and where those of each row begin, and the last end, (M + 1,)."""
        order: Int64 = np.argsort(self.name_entry, kind="stable")
        return order, np.searchsorted(self.name_entry[order], np.arange(self.name_entry.max(initial=-1) + 2))

    @cached_property
    def first_files(self) -> Int64:
        """The first file of each pattern, shape (M,)."""
        first = np.zeros(int(self.name_entry.max(initial=-1)) + 1, np.int64)
        # Of several values for one place the last one stays, so the files are taken in reverse.
        first[self.name_entry[::-1]] = np.arange(len(self) - 1, -1, -1)
        return first

    def find(self, name: bytes) -> int | None:
        """The file of that name, or None."""
        begins = self.name_offsets[:-1]
        candidates = np.flatnonzero(np.diff(self.name_offsets) == len(name))
        for place, value in reversed(list(enumerate(name))):  # names differ at their ends more than at their beginnings
            if not candidates.size:
                return None
            candidates = candidates[self.name_bytes[begins[candidates] + place] == value]
        return int(candidates[0]) if candidates.size else None

    def select(self, keep: Bool) -> Entries:
        """The files that `keep` (N,) marks, in the same order, with the rows that they had."""
        data, offsets = subset(self.name_bytes, self.name_offsets, keep)
        return Entries(data, offsets, self.name_entry[keep], self.digests[keep], self.sizes[keep])

    def with_rows(self, rows: Int64) -> Entries:
        """The same files with their patterns in `rows` (N,)."""
        return Entries(self.name_bytes, self.name_offsets, np.asarray(rows, np.int64), self.digests, self.sizes)

    def renamed(self, names: Mapping[int, bytes]) -> Entries:
        """The same files, of which those with a number in `names` have another name. Walks over the files."""
        data, offsets = pack([names.get(index, name) for index, name in enumerate(self.names())])
        return Entries(data, offsets, self.name_entry, self.digests, self.sizes)

    @classmethod
    def joined(cls, parts: Sequence[Entries]) -> Entries:
        """The files of all parts, one part after the other; rows stay as they are."""
        if not parts:
            return cls.build([], [], [], [])
        ends = np.cumsum([0, *(part.name_offsets[-1] for part in parts)])
        offsets = [part.name_offsets[:-1] + end for part, end in zip(parts, ends, strict=False)]
        return cls(
            np.concatenate([part.name_bytes for part in parts]),
            np.concatenate([*offsets, ends[-1:]]),
            np.concatenate([part.name_entry for part in parts]),
            np.concatenate([part.digests for part in parts]),
            np.concatenate([part.sizes for part in parts]),
        )
