"""The files of a memory, be it one or an index and its shards: opened, and known by their headers; no tensor and no NumPy."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from uhop_cli.errors import MemoryFileError
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular
from uhop_cli.files.system import read_at
from uhop_cli.memory.file.container import TensorInfo, open_memory_file
from uhop_cli.memory.file.header import Header, parse
from uhop_cli.memory.file.header import read_header as header_of_file
from uhop_cli.memory.file.index import COMMON, Index, is_index, located, read_index

CURE = "put the file back beside the index from a copy, or store the images again"
_COUNTED = ("memories", "name_entry", "local")  # tensors whose first axis is told of the whole


@contextmanager
def opened(index: Index, number: int) -> Iterator[tuple[int, Header]]:
    """A descriptor of a shard, which is what the index says it is, and its header. No link is followed.

    Raises:
        MemoryFileError: it is missing, damaged, or not the one that the index was written for; the message names the shard.
    """
    place, known = index.place(number), index.shards[number]
    try:
        descriptor = open_regular(place, MemoryFileError, "shard", follow=False)
    except MemoryFileError as error:
        raise damaged(index, number, error.message) from None
    try:
        size = os.fstat(descriptor).st_size
        if size != known.size:
            raise damaged(index, number, f"it has {size:,} bytes, not {known.size:,}")
        try:
            header = parse(descriptor, place)
        except MemoryFileError as error:
            raise damaged(index, number, error.message) from None
        checksum = read_at(descriptor, 32, header.data_start + header.tensors["checksum"].begin).hex()
        if (header.patterns, header.files, checksum) != (known.memories, known.files, known.checksum):
            raise damaged(index, number, "it is not the file that the index was written for")
        yield descriptor, header
    finally:
        os.close(descriptor)


def read_header(path: str | Path) -> Header:
    """The checked header of a memory; of one in shards that of the first, with the counts and bytes of all.

    Raises:
        MemoryFileError: missing, damaged or of a newer version; a message about a shard names it.
    """
    place = located(path)
    if not is_index(place):
        return header_of_file(place)
    index = read_index(place)
    headers = []
    for number in range(len(index.shards)):
        with opened(index, number) as (_, header):
            headers.append(header)
    check_alike(index, headers)
    return _summed(headers)


def shard_count(path: str | Path) -> int:
    """In how many shards a memory is; 0: it is one file.

    Raises:
        MemoryFileError: its index is damaged.
    """
    place = located(path)
    return len(read_index(place).shards) if is_index(place) else 0


def stored_bytes(path: str | Path) -> int:
    """The size of a memory file, or of an index and all shards that it names."""
    place = located(path)
    size = os.stat(place).st_size
    return size + sum(shard.size for shard in read_index(place).shards) if is_index(place) else size


def stored_checksum(path: str | Path) -> bytes:
    """The checksum that a memory says it has, 32 bytes; that of shards is made of theirs. `verify` knows whether it is right.

    Raises:
        MemoryFileError: missing, damaged or of a newer version.
    """
    place = located(path)
    if is_index(place):
        return hashlib.sha256("".join(shard.checksum for shard in read_index(place).shards).encode()).digest()
    descriptor = open_memory_file(place)
    try:
        header = parse(descriptor, place)
        return read_at(descriptor, 32, header.data_start + header.tensors["checksum"].begin)
    finally:
        os.close(descriptor)


def check_alike(index: Index, headers: Sequence[Header]) -> None:
    """Refuses shards that are not of one memory: of another pattern, kernel or beta, or with tensors that others lack.

    Raises:
        MemoryFileError: so they are; the first that differs from the first shard is named.
    """
    first = headers[0]
    shapes = {name: info.shape for name, info in first.tensors.items() if name in COMMON}
    for number, header in enumerate(headers):
        own = {name: info.shape for name, info in header.tensors.items() if name in shapes}
        same = (first.pattern, first.rhos, first.chosen, first.beta) == (header.pattern, header.rhos, header.chosen, header.beta)
        if not same or own != shapes or first.tensors.keys() - {"padding"} != header.tensors.keys() - {"padding"}:
            raise damaged(index, number, "it is of another memory than the first shard")


def _summed(headers: Sequence[Header]) -> Header:
    first = headers[0]
    tensors = dict(first.tensors)
    for name in _COUNTED:
        if name in tensors:
            count = sum(header.tensors[name].shape[0] for header in headers)
            tensors[name] = TensorInfo(tensors[name].dtype, (count, *tensors[name].shape[1:]), 0, 0)
    return replace(first, tensors=tensors, file_size=sum(header.file_size for header in headers))


def damaged(index: Index, number: int, why: str) -> MemoryFileError:
    """The error of a shard: which it is, what is wrong with it, what to do."""
    said = why.removeprefix(f"{escape(index.place(number))}: ")
    return MemoryFileError(f"{index.named(number)}: {said}", CURE)
