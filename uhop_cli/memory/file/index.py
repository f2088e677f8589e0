"""The index of a memory in shards: which memory files it is made of, read as hostile, without NumPy and without opening them.

    NAME.safetensors.index.json                 this
    NAME-00001-of-00004.safetensors, ...        whole memory files with the common kernel, in the same folder

`weight_map` says, as such indices do, in which file a tensor is: those that all shards have in common are in the first. What is
ours stands under `uhop`: the schema; of each shard its file's name, its size, how many memories and files it holds, and its
checksum, by which a file of another version is known; and the pairs of nearly equal patterns that lie in different shards.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uhop_cli.errors import MemoryFileError
from uhop_cli.files.names import escape
from uhop_cli.files.system import read_at
from uhop_cli.memory.file.container import MAX_HEADER, FaultError, open_memory_file, read_json

SCHEMA, VERSION = "uhop.index/", 1
SUFFIX = ".index.json"
MOST_SHARDS = 10_000
COMMON = ("W", "gains", "spectrum", "variances", "compact_map", "local_map")  # tensors that are the same in all shards
_CHECKSUM = re.compile("[0-9a-f]{64}")
_LARGEST = 1 << 62


@dataclass(frozen=True)
class ShardPlace:
    """One shard as the index knows it.

    Attributes:
        file: its name, in the folder of the index.
        size: bytes of it.
        memories, files: M and N.
        checksum: its tensor `checksum`, as 64 hexadecimal digits.
    """

    file: str
    size: int
    memories: int
    files: int
    checksum: str


@dataclass(frozen=True)
class Index:
    """A memory in shards.

    Attributes:
        path: of the index.
        shards: in the order of the memory's rows.
        near: (row, row, verified) of pairs in different shards, rows numbered through; None: nobody looked for pairs.
        common: the tensors that all shards have in common; what an index says of them is not read.
        alone: where this is one shard of an index by itself, which one it is, from 1 on, and of how many.
    """

    path: Path
    shards: tuple[ShardPlace, ...]
    near: tuple[tuple[int, int, int], ...] | None
    common: tuple[str, ...] = ()
    alone: tuple[int, int] | None = None

    def place(self, number: int) -> Path:
        """Where a shard lies: beside the index, wherever a link to that leads."""
        return Path(os.path.realpath(self.path)).parent / self.shards[number].file

    def named(self, number: int) -> str:
        """A shard in words, for messages."""
        which, count = self.alone or (number + 1, len(self.shards))
        return f"{escape(self.shards[number].file)}: shard {which} of {count} of {escape(self.path.name)}"

    def text(self) -> str:
        """The file's content; equal indices, equal text."""
        first = self.shards[0].file
        document = {
            "metadata": {"total_size": sum(shard.size for shard in self.shards)},
            "uhop": {
                "schema": f"{SCHEMA}{VERSION}",
                "shards": [vars(shard) for shard in self.shards],
                "near": None if self.near is None else [list(pair) for pair in self.near],
            },
            "weight_map": dict.fromkeys(self.common, first),
        }
        return json.dumps(document, sort_keys=True, indent=1, ensure_ascii=True) + "\n"


def is_index(path: str | Path) -> bool:
    """Whether a path is that of an index, by its name."""
    return os.fspath(path).endswith(SUFFIX)


def index_of(path: str | Path) -> Path:
    """The index that a memory called `path` has if it is in shards."""
    return Path(path) if is_index(path) else Path(f"{os.fspath(path)}{SUFFIX}")


def file_of(path: str | Path) -> Path:
    """The name of a memory without the suffix of an index."""
    return Path(os.fspath(path).removesuffix(SUFFIX))


def located(path: str | Path) -> Path:
    """What is meant by the name of a memory: the file or, where there is none but an index of that name, the index."""
    index = index_of(path)
    return index if not os.path.lexists(path) and os.path.isfile(index) else Path(path)


def read_index(path: str | Path) -> Index:
    """The checked index at `path`.

    Raises:
        MemoryFileError: missing, no index, of a newer version, or not to be trusted: a name that is a path, no shards, ...
    """
    descriptor = open_memory_file(path)
    try:
        size = os.fstat(descriptor).st_size
        if size > MAX_HEADER:
            raise FaultError(f"not an index of shards ({size} bytes; at most {MAX_HEADER} are read)")
        return _parsed(Path(path), read_json(read_at(descriptor, size, 0)))
    except FaultError as fault:
        raise MemoryFileError(f"{escape(path)}: {fault}", fault.hint) from None
    except OSError as error:
        raise MemoryFileError(f"{escape(path)}: cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _parsed(path: Path, document: dict[str, Any]) -> Index:
    ours = document.get("uhop")
    if not isinstance(ours, dict) or not str(ours.get("schema")).startswith(SCHEMA):
        raise FaultError("not an index of a memory of uhop")
    version = str(ours["schema"]).removeprefix(SCHEMA)
    if version != str(VERSION):
        raise FaultError(f"an index of version {escape(version)[:9]}; this uhop reads version {VERSION}", "a newer uhop reads it")
    items = ours.get("shards")
    if not isinstance(items, list) or not 0 < len(items) <= MOST_SHARDS:
        raise FaultError(f"inconsistent: an index names 1 to {MOST_SHARDS} shards")
    shards = tuple(_shard(item) for item in items)
    if len({shard.file for shard in shards}) < len(shards):
        raise FaultError("inconsistent: a shard is named twice")
    return Index(path, shards, _near(ours.get("near"), sum(shard.memories for shard in shards)))


def _shard(item: Any) -> ShardPlace:
    if not isinstance(item, dict) or item.keys() != ShardPlace.__dataclass_fields__.keys():
        raise FaultError("inconsistent: a shard is not described by file, size, memories, files and checksum")
    file, numbers = item["file"], [item[name] for name in ("size", "memories", "files")]
    if not isinstance(file, str) or file in ("", ".", "..") or re.search(r"[/\\:\0]", file):
        raise FaultError(f"inconsistent: {ascii(file)[:80]} is no name of a file in the folder of the index")
    if not all(type(number) is int and 0 < number < _LARGEST for number in numbers):
        raise FaultError(f"inconsistent: size and counts of {escape(file)[:80]} are not positive numbers")
    if not isinstance(item["checksum"], str) or not _CHECKSUM.fullmatch(item["checksum"]):
        raise FaultError(f"inconsistent: the checksum of {escape(file)[:80]} is not 64 hexadecimal digits")
    return ShardPlace(**item)


def _near(items: Any, count: int) -> tuple[tuple[int, int, int], ...] | None:
    if items is None:
        return None
    if not isinstance(items, list) or not all(_is_pair(item, count) for item in items):
        raise FaultError("inconsistent: near has a pair that is none of two memories")
    return tuple((first, second, verified) for first, second, verified in items)


def _is_pair(item: Any, count: int) -> bool:
    if not isinstance(item, Sequence) or len(item) != 3 or not all(type(number) is int for number in item):
        return False
    first, second, verified = (int(number) for number in item)
    return 0 <= first < second < count and -1 <= verified <= 1
