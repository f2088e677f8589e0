"""The container of a memory file: a safetensors file, read as hostile.

Eight bytes with the length of the header, the header (JSON: the type, shape and place of each tensor, and text under
`__metadata__`), then the tensors end to end. Sizes are Python integers, nothing is allocated that the file's own size doesn't
justify, and what is wrong is said in one line. The safetensors library is not used for it: it needs NumPy, reads a whole tensor
where a mapped one will do, and accepts numbers and nesting that we would choke on later.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uhop_cli.errors import MemoryFileError
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular
from uhop_cli.files.system import read_at

MAX_HEADER = 16 << 20  # a header of ours is 64 KiB; parsing costs some ten times the text

# Bytes of one value, by the names that safetensors gives to the types.
ITEM_SIZE = {
    "BOOL": 1, "U8": 1, "I8": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip


class FaultError(Exception):
    """What is wrong with a file; whoever knows its name adds it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


@dataclass(frozen=True)
class TensorInfo:
    """Type, shape and place (bytes from the start of the data, end exclusive) of a tensor."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def open_memory_file(path: str | Path) -> int:
    """A descriptor of the file at `path`, which may be a memory file.

    Raises:
        MemoryFileError: there is no such file, it cannot be read, or it is not a regular file.
    """
    return open_regular(path, MemoryFileError, "memory file", "`uhop store FOLDER` makes one; or name another file")


def read_text(descriptor: int) -> bytes:
    """The text of the header, with the spaces that fill it up."""
    size = os.fstat(descriptor).st_size
    start = read_at(descriptor, 9, 0)
    if len(start) < 9 or start[8:] != b"{":
        raise FaultError("not a memory file (not a safetensors file)")
    length = int.from_bytes(start[:8], "little")
    if length > MAX_HEADER:
        raise FaultError(f"not a memory file (a header of {length} bytes; at most {MAX_HEADER} are read)")
    if 8 + length > size:
        raise FaultError(f"truncated: the header ends at byte {8 + length}, the file at {size}")
    text = read_at(descriptor, length, 8)
    if len(text) < length:
        raise FaultError("truncated: it became shorter while it was read")
    return text


def read_json(text: bytes | str) -> dict[str, Any]:
    """A JSON object; a fault for anything else, for deep nesting, duplicate keys, and numbers that aren't finite."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)
        # Text that has half a surrogate pair could be neither printed nor written again.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0][:120]
        raise FaultError(f"not a memory file (bad header: {escape(reason)})") from None
    if not isinstance(value, dict):
        raise FaultError("not a memory file (bad header: no JSON object)")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise ValueError("a key stands twice")
    return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number out of range")
    return value


def read_tensors(document: Mapping[str, Any]) -> dict[str, TensorInfo]:
    """Name -> place of every tensor that the header names."""
    tensors = {}
    for name, entry in document.items():
        if name == "__metadata__":
            continue
        if not (isinstance(entry, dict) and isinstance(entry.get("dtype"), str)):
            raise FaultError(f"inconsistent: tensor {ascii(name)[:80]} has no type")
        shape, offsets = _counts(entry.get("shape")), _counts(entry.get("data_offsets"))
        if shape is None or offsets is None or len(offsets) != 2 or offsets[0] > offsets[1]:
            raise FaultError(f"inconsistent: tensor {ascii(name)[:80]} has a bad shape or place")
        tensors[name] = TensorInfo(entry["dtype"], shape, offsets[0], offsets[1])
    return tensors


def _counts(value: object) -> tuple[int, ...] | None:
    """A short list of natural numbers of at most 63 bits, as a tuple; None for everything else."""
    fits = isinstance(value, list) and len(value) <= 64 and all(type(item) is int and 0 <= item < 1 << 63 for item in value)
    return tuple(value) if isinstance(value, list) and fits else None


def check_layout(tensors: Mapping[str, TensorInfo], data_size: int) -> None:
    """Tensors lie end to end, as safetensors demands: no holes, no overlaps, nothing after the last one."""
    place = 0
    for name, info in sorted(tensors.items(), key=lambda item: (item[1].begin, item[1].end)):
        if info.begin != place:
            raise FaultError(f"inconsistent: tensor {ascii(name)[:80]} overlaps another or leaves a hole")
        if info.dtype in ITEM_SIZE and math.prod(info.shape) * ITEM_SIZE[info.dtype] != info.end - info.begin:
            raise FaultError(f"inconsistent: the size of tensor {ascii(name)[:80]} is not that of its shape")
        place = info.end
    if place > data_size:
        raise FaultError(f"truncated: {place - data_size} bytes are missing", "store the images again, or take a backup")
    if place < data_size:
        raise FaultError(f"inconsistent: {data_size - place} bytes follow the last tensor")
