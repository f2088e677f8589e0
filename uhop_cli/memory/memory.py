"""The thing that is kept: the patterns, the kernel learned on them, and what is known about their files."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Bool, Float32, Int64, UInt8
from uhop_cli.errors import MemoryFileError
from uhop_cli.evidence.statistics import Statistics
from uhop_cli.files.names import escape
from uhop_cli.images.encode import album
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.memory.entries import Entries, pack, subset
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.near import NearPairs


@dataclass(frozen=True, eq=False)
class Originals:
    """Embedded copies of the stored files, end to end; an empty one stands for a file that isn't embedded.

    Attributes:
        data: (B,) their bytes.
        offsets: (N+1,) where each begins and ends.
    """

    data: UInt8
    offsets: Int64

    @classmethod
    def build(cls, contents: Sequence[bytes]) -> Originals:
        """From the content of each file, in the order of the entries."""
        return cls(*pack(contents))

    def content(self, index: int) -> bytes:
        """The copy of file `index`, empty if there is none."""
        begin, end = self.offsets[index : index + 2]
        return self.data[begin:end].tobytes()


@dataclass(frozen=True, eq=False)
class Memory:
    """An associative memory of M patterns from N files.

    Attributes:
        spec: size, channels and background of the patterns.
        patterns: (M, H, W, C) uint8; the vector of a pattern is its values in order, divided by 255. May be a view of a file.
        kernel: the kernel family that Stage I learned.
        norms: (M, R) float32, ||Phi_r(xi)|| of each pattern for each member of the family.
        entries: the files.
        beta: inverse temperature, positive.
        record: how it came about: settings, stage1, separation, calibration, self_test, seed, versions. JSON values, without
            times and absolute paths. Read from a file it is somebody's claim: no more is checked than that it is JSON.
        statistics: of the memories, for the choice by evidence; None: computed when they are needed.
        compact: (k, M) float32 with k <= 128, the codes of `evidence.shortlist`, one a column; None: all memories are
            examined.
        compact_map: (k - B, d) float32, the directions that the codes are made with, or None.
        originals: embedded copies of the files, or None.
        near: pairs of nearly equal patterns, or None where they were not looked for.
        shapes: (M, 2) int64, width and height of each original as the eye sees it; None: those of the patterns.
        local: local descriptors of the originals, or None.
        opacity: (M, H, W) uint8, of the cells of each pattern; None: all are opaque, or nobody kept it.
        shards: the memories that this one is joined of, in the order of its rows (`memory.joining`); empty for one that isn't. Then
            patterns and opacity are `JoinedRows`, and statistics and codes are the shards' own.
    """

    spec: PatternSpec
    patterns: UInt8
    kernel: KernelFamily
    norms: Float32
    entries: Entries
    beta: float
    record: Mapping[str, Any]
    statistics: Statistics | None = None
    compact: Float32 | None = None
    compact_map: Float32 | None = None
    originals: Originals | None = None
    near: NearPairs | None = None
    shapes: Int64 | None = None
    local: LocalDescriptors | None = None
    opacity: UInt8 | None = None
    shards: tuple[Memory, ...] = ()

    def __len__(self) -> int:
        """M, the number of patterns."""
        return int(self.patterns.shape[0])

    def __repr__(self) -> str:
        spec, files = self.spec, len(self.entries)
        colours = "grey" if spec.channels == 1 else "RGB"
        size = f"{spec.width} x {spec.height} {colours}"
        return f"<uhop Memory: {len(self):,} patterns of {size} from {files:,} files, D = {len(self.W)}>"

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the first patterns."""
        return album(self.patterns)

    @property
    def W(self) -> Float32:
        """The learned feature map Phi(x) = W x, (D, d)."""
        return self.kernel.weight

    @property
    def raw_features(self) -> bool:
        """Whether retrieval is that of the paper's protocol: <W x, W xi>, features not divided by their lengths (U-Hop eq. 2.1)."""
        return self.record.get("retrieval") == "paper"

    def name(self, row: int) -> bytes:
        """The first of the names of the pattern in `row`."""
        return self.entries.name(int(self.entries.first_files[row]))

    def same(self, row: int) -> tuple[int, ...]:
        """The rows whose originals are one picture with that of `row`, itself among them."""
        return (row,) if self.near is None else self.near.groups.get(row, (row,))

    def keep(self, files: Bool) -> Memory:
        """The memory of the files that `files` (N,) marks, in the same order, and of their patterns; the kernel stays.

        Raises:
            MemoryFileError: no file would be left.
        """
        if not files.any():
            raise MemoryFileError("no image would be left in the memory", "delete the file instead")
        entries = self.entries.select(files)
        rows: Bool = np.bincount(entries.name_entry, minlength=len(self)) > 0
        first, last = rows.argmax(), len(rows) - rows[::-1].argmax()
        taken = slice(first, last) if rows[first:last].all() else rows  # neighbours are a view, others a copy
        originals = self.originals
        return replace(
            self,
            patterns=self.patterns[taken],
            norms=self.norms[taken],
            entries=entries.with_rows((np.cumsum(rows) - 1)[entries.name_entry]),
            statistics=None if self.statistics is None else self.statistics.select(taken),
            compact=None if self.compact is None else self.compact[:, taken],
            near=None if self.near is None else self.near.select(rows),
            shapes=None if self.shapes is None else self.shapes[taken],
            local=None if self.local is None else self.local.select(rows),
            opacity=None if self.opacity is None else self.opacity[taken],
            shards=(),
            originals=None if originals is None else Originals(*subset(originals.data, originals.offsets, files)),
        )

    @property
    def without_opacity(self) -> Memory:
        """The same as if all pictures were opaque."""
        return replace(self, opacity=None, shards=tuple(replace(shard, opacity=None) for shard in self.shards))

    def without(self, names: Collection[bytes]) -> Memory:
        """The memory without the files of these names.

        Raises:
            MemoryFileError: a name is not stored, or no file would be left.
        """
        files = np.ones(len(self.entries), np.bool_)
        for name in names:
            index = self.entries.find(name)
            if index is None:
                raise MemoryFileError(f"{escape(name)}: not in the memory", "`uhop info --list` shows what is")
            files[index] = False
        return self.keep(files)
