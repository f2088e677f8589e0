"""The original image behind an entry: the file where it was, if it is still the same, or the embedded copy."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from uhop_cli.errors import MemoryFileError
from uhop_cli.files.regular import open_regular
from uhop_cli.memory.memory import Memory

MAX_BYTES = 1 << 30
_PIECE = 1 << 20


def open_original(memory: Memory, index: int, path: str | Path, originals: str | Path | None = None) -> bytes | None:
    """The bytes of the stored file `index`, or None where neither the file nor a copy of it is to be had.

    A name in a memory file is somebody's claim: a file is read only if it is a regular file of the recorded size, and returned only
    if it has the recorded sha256.

    Args:
        path: the memory file, which names are relative to.
        originals: a folder to look in first: for the whole name, then for ever shorter ends of it.
    """
    name = Path(os.fsdecode(memory.entries.name(index)))
    places = [Path(os.path.realpath(path)).parent / name]
    if originals is not None:
        parts = [part for part in name.parts if part != ".."]
        places = [Path(originals, *parts[start:]) for start in range(len(parts))] + places
    size, digest = int(memory.entries.sizes[index]), memory.entries.digest(index)
    for place in places:
        content = _read(place, size)
        if content is not None and hashlib.sha256(content).digest() == digest:
            return content
    if memory.originals is None:
        return None
    content = memory.originals.content(index)
    return content if len(content) == size and hashlib.sha256(content).digest() == digest else None


def _read(path: Path, size: int) -> bytes | None:
    """The content of a regular file of exactly `size` bytes, or None."""
    try:
        descriptor = open_regular(path, MemoryFileError)
    except MemoryFileError:
        return None
    try:
        if os.fstat(descriptor).st_size != size or size > MAX_BYTES:
            return None
        pieces = []
        while piece := os.read(descriptor, min(_PIECE, size + 1)):
            pieces.append(piece)
            size -= len(piece)
            if size < 0:  # it grows while it is read
                return None
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(descriptor)
