"""What a file looked like when it was stored: its place on the disk, size and times, so that `store --add` need not read it again.

Marks are kept in the user's cache folder, one file for each memory file, under a name made of what that holds: its checksum, the
files' names and their digests. They are a shortcut and nothing else: without them, or where one is not that of today, the file is
read and its content decides. The memory file has no times in it. A mark is a proof only of a file that has been left alone for a
while: one that was written in the last `FRESH` seconds may be written again without its times telling.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np

from uhop_cli.arrays.types import UInt64
from uhop_cli.errors import MemoryFileError, OutputError
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.files.regular import open_regular
from uhop_cli.files.system import is_users
from uhop_cli.memory.entries import Entries

FRESH = 2.0  # seconds: the coarsest times that file systems keep
KEPT_BYTES = 64 << 20  # of all marks together; the oldest files of them go
_BITS = (1 << 64) - 1
_SUFFIX = ".marks"


class Mark(NamedTuple):
    """A file as `os.stat` has it: device, number on it, bytes, nanoseconds of the last change of the content and of anything."""

    device: int
    number: int
    size: int
    modified: int
    changed: int

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Mark | None:
        """The mark of the file at `path`; None where it cannot be looked at, or was changed a moment ago."""
        try:
            info = os.stat(path)
        except (OSError, ValueError):
            return None
        latest = time.time_ns() - int(FRESH * 1e9)
        if max(info.st_mtime_ns, info.st_ctime_ns) > latest:
            return None
        parts = (info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)
        return cls(*(part & _BITS for part in parts))


class Marks:
    """The marks of the files of a memory.

    Args:
        rows: (N, 5), zeros where a file has none.
    """

    def __init__(self, rows: UInt64) -> None:
        self._rows = rows

    def has(self, index: int, mark: Mark | None) -> bool:
        """Whether file `index` of the memory had this mark when it was stored."""
        return mark is not None and any(mark) and mark == tuple(self._rows[index].tolist())


def recall(entries: Entries, checksum: bytes) -> Marks:
    """The marks that were kept of the files of a memory; none of them has one if nothing was kept, or something else."""
    nothing = np.zeros((len(entries), 5), np.uint64)
    with suppress(MemoryFileError, OSError):
        descriptor = open_regular(_place(entries, checksum), MemoryFileError, follow=False)
        with open(descriptor, "rb") as file:
            info = os.fstat(descriptor)
            if is_users(info) and info.st_size == nothing.nbytes:
                data = file.read(nothing.nbytes)
                return Marks(np.frombuffer(data, "<u8").reshape(nothing.shape)) if len(data) == nothing.nbytes else Marks(nothing)
    return Marks(nothing)


def keep(entries: Entries, checksum: bytes, marks: Mapping[bytes, Mark | None]) -> None:
    """Keeps the marks of the files of a memory, by their names, for `recall`. What cannot be kept is not."""
    if not any(marks.values()):
        return
    rows = np.array([marks.get(name) or (0,) * 5 for name in entries.names()], "<u8")
    place = _place(entries, checksum)
    with suppress(OutputError, OSError):
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _make_room(place.parent, rows.nbytes)
        with AtomicFile(place) as file:
            file.write(rows.tobytes(), 0)
            file.commit(durable=False)


def _place(entries: Entries, checksum: bytes) -> Path:
    from platformdirs import user_cache_path

    key = hashlib.sha256(checksum)
    for part in (entries.name_bytes, entries.name_offsets, entries.digests):
        key.update(np.ascontiguousarray(part).data)
    return user_cache_path("uhop") / "stored" / (key.hexdigest() + _SUFFIX)


def _make_room(folder: Path, size: int) -> None:
    """Removes the oldest marks as far as they leave no room for `size` bytes."""
    found = [(os.stat(path), path) for path in folder.glob("*" + _SUFFIX)]
    room = KEPT_BYTES - size
    for info, path in sorted(found, key=lambda item: -item[0].st_mtime_ns):
        room -= info.st_size
        if room < 0:
            with suppress(OSError):
                path.unlink()
