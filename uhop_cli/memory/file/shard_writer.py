"""Where a memory goes: one file, or an index and shards; and how the one takes the place of the other, whole or not at all.

All shards are written under temporary names. Then they take names that nothing has, then the index takes its place, and then those
that the old index named are removed (`replacing.py`): at every moment an index names shards that are whole and its own. So names
alternate, `NAME-00001-of-00004.safetensors` and `NAME.2-00001-of-00004.safetensors`, as one version takes the place of another.
"""

from __future__ import annotations

import math
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from itertools import count as numbers
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np

from uhop_cli.errors import SettingsError
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.memory.file.index import COMMON, Index, ShardPlace, file_of, is_index, located, read_index
from uhop_cli.memory.file.replacing import index_behind, replaced, retire
from uhop_cli.memory.file.writer import CHUNK, Writer
from uhop_cli.memory.memory import Memory

LARGEST = 8 << 30  # bytes of a shard that `auto` aims at
MOST_WRITTEN = 500  # shards that are written at once, each an open file


@dataclass(frozen=True)
class Destination:
    """Where a memory is written.

    Attributes:
        file: the memory's name, which is that of its file if it is one.
        shards: how many; 0: one file without an index.
    """

    file: Path
    shards: int = 0

    @classmethod
    def of(cls, target: Path, shards: int | Literal["auto"] | None, *, expected: int = 0, keep: bool = False) -> Destination:
        """From what was asked for.

        Args:
            target: a memory file, or an index.
            shards: N; 'auto': as many as keep each below `LARGEST`, one file if that does; None: one file.
            expected: bytes of the memory.
            keep: None stands for as many as there are.

        Raises:
            SettingsError: no such number of shards can be written, or it isn't known.
        """
        file = file_of(target)
        if shards is None:
            if keep and is_index(there := located(target)):
                return cls(file, len(read_index(there).shards))
            if is_index(target):
                raise SettingsError("an index of shards is to be written, and of how many is not said", "add --shards N, or auto")
            return cls(file)
        if shards == "auto":
            return cls(file, 0 if expected <= LARGEST else min(math.ceil(expected / LARGEST), MOST_WRITTEN))
        if not 1 <= shards <= MOST_WRITTEN:
            raise SettingsError(f"a memory is not written in {shards} shards", f"give a number from 1 to {MOST_WRITTEN}, or auto")
        return cls(file, shards)

    def finish(self, memory: Memory, writer: Writer) -> int:
        """Writes the memory, whose patterns `writer` has been given, and removes what it takes the place of; its size in bytes.

        Raises:
            MemoryFileError: the parts of the memory don't fit each other.
            OutputError: there is no space.
        """
        if not self.shards:
            size = writer.finish(memory)
            retire(index_behind(self.file))
            return size
        size = write_shards(memory, self.file, self.shards)
        with suppress(OSError):
            self.file.unlink()
        return size


def bounds_of(count: int, shards: int) -> list[int]:
    """The rows at which shards of M memories begin, and M: about equally many in each, and at least one."""
    bounds: list[int] = np.linspace(0, count, min(shards, count) + 1).astype(int).tolist()
    return bounds


def write_shards(memory: Memory, file: Path, shards: int) -> int:
    """Writes a memory as `shards` files of about equally many memories each, and their index; returns the bytes of all of them.

    Args:
        memory: with its statistics.
        file: the memory's name, NAME.safetensors; it is not written itself.
        shards: how many; at most one for each memory.
    """
    bounds = bounds_of(len(memory), shards)
    path = index_behind(file)
    places = _free_names(file_of(path), len(bounds) - 1)
    known: list[ShardPlace] = []
    with ExitStack() as stack:
        writers = []
        for place, (begin, end) in zip(places, pairwise(bounds), strict=True):
            shard = _between(memory, begin, end)
            writer = stack.enter_context(Writer(place))
            size = _written(shard, writer)
            known.append(ShardPlace(place.name, size, len(shard), len(shard.entries), writer.checksum))
            writers.append(writer)
        index = Index(path, tuple(known), _across(memory, bounds), _common(memory))
        text = index.text().encode()
        with replaced(path, known):
            for writer in writers:
                writer.commit()
            with AtomicFile(path) as file_of_index:
                file_of_index.write(text, 0)
                file_of_index.commit()
    return sum(shard.size for shard in known) + len(text)


def _written(shard: Memory, writer: Writer) -> int:
    rows = max(1, CHUNK // shard.spec.dim)
    writer.begin(shard.spec)
    for begin in range(0, len(shard), rows):
        writer.append(shard.patterns[begin : begin + rows])
    return writer.finish(shard, commit=False)


def _between(memory: Memory, begin: int, end: int) -> Memory:
    """The memories of the rows from `begin` to `end` alone, with their files."""
    rows = memory.entries.name_entry
    return memory.keep((rows >= begin) & (rows < end))


def _across(memory: Memory, bounds: list[int]) -> tuple[tuple[int, int, int], ...] | None:
    """The pairs of nearly equal patterns of which the two lie in different shards."""
    if memory.near is None:
        return None
    owners = np.searchsorted(bounds, memory.near.pairs, side="right")
    apart = owners[:, 0] != owners[:, 1]
    columns = (*memory.near.pairs[apart].T.tolist(), memory.near.verified[apart].tolist())
    return tuple(zip(*columns, strict=True))


def _common(memory: Memory) -> tuple[str, ...]:
    """The tensors of the file that are the same in all shards."""
    there = {
        "spectrum": memory.kernel.spectrum is not None,
        "variances": memory.statistics is not None,
        "compact_map": memory.compact_map is not None,
        "local_map": memory.local is not None,
    }
    return tuple(name for name in COMMON if there.get(name, True))


def _free_names(file: Path, count: int) -> list[Path]:
    """Names for shards beside `file`, none of which is taken."""
    stem, suffix = (file.stem, file.suffix) if file.suffix else (file.name, ".safetensors")
    for version in numbers(1):
        name = stem if version == 1 else f"{stem}.{version}"
        places = [file.with_name(f"{name}-{number:05d}-of-{count:05d}{suffix}") for number in range(1, count + 1)]
        if not any(os.path.lexists(place) for place in places):
            return places
    raise AssertionError("numbers don't end")
