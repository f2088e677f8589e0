"""What differs between operating systems: flags, reading in place, the lock of an open file, files that are in use.

POSIX lets a file that is open or mapped be renamed, replaced and removed, and locks it with flock. Windows lets no open file go,
and locks ranges of bytes. Whatever a system lacks is asked for by name, so that nothing fails when a module is imported.
"""

from __future__ import annotations

import mmap
import os
import threading
from contextlib import suppress
from importlib import import_module
from pathlib import Path

IN_USE_MOVES = os.name != "nt"  # whether a file that is open or mapped can be renamed, replaced and removed
_LOCKED_BYTE = (1 << 31) - 2  # on Windows: one that nothing is written to, or not while anybody else reads the file
_PIECE = 1 << 30  # bytes that one call is sure to read

_place = threading.Lock()


def _flags(*names: str) -> int:
    """Those of the flags that there are here."""
    value = 0
    for name in names:
        value |= getattr(os, name, 0)
    return value


_PLAIN = ("O_BINARY", "O_CLOEXEC", "O_NOINHERIT")
READ = _flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", *_PLAIN)  # never waits for a pipe
READ_NO_LINK = READ | _flags("O_NOFOLLOW")
EDIT = _flags("O_RDWR", "O_CREAT", *_PLAIN)
EDIT_NO_LINK = EDIT | _flags("O_NOFOLLOW")


def read_at(descriptor: int, size: int, place: int) -> bytes:
    """Up to `size` bytes of an open file, from byte `place` on."""
    if hasattr(os, "pread"):
        return os.pread(descriptor, size, place)
    with _place:
        os.lseek(descriptor, place, os.SEEK_SET)
        return os.read(descriptor, min(size, _PIECE))


def write_at(descriptor: int, data: memoryview, place: int) -> int:
    """Writes `data`, or the beginning of it, at byte `place` of an open file; how many bytes."""
    if hasattr(os, "pwrite"):
        return os.pwrite(descriptor, data, place)
    with _place:
        os.lseek(descriptor, place, os.SEEK_SET)
        return os.write(descriptor, data[:_PIECE])


def content(descriptor: int, size: int) -> mmap.mmap | bytes:
    """The first `size` bytes of an open file: mapped where that does not keep the file from being replaced, else read.

    Raises:
        ValueError: it is shorter.
    """
    if IN_USE_MOVES:
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ)
    pieces, place = [], 0
    while place < size:
        piece = read_at(descriptor, min(_PIECE, size - place), place)
        if not piece:
            raise ValueError("shorter than it was")
        pieces.append(piece)
        place += len(piece)
    return b"".join(pieces)


def lock_now(descriptor: int) -> None:
    """Locks an open file for this process, without waiting.

    Raises:
        OSError: another one has it, or there are no locks on this file system.
    """
    try:
        import fcntl
    except ImportError:
        locks = import_module("msvcrt")
        with _place:
            os.lseek(descriptor, _LOCKED_BYTE, os.SEEK_SET)
            locks.locking(descriptor, locks.LK_NBLCK, 1)
    else:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def same_owner(descriptor: int, old: os.stat_result) -> None:
    """Gives an open file the owner and the permissions of another, as far as the system has them and this user may."""
    if hasattr(os, "fchown"):
        with suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    if hasattr(os, "fchmod") and IN_USE_MOVES:
        os.fchmod(descriptor, old.st_mode & 0o7777)


def is_users(info: os.stat_result) -> bool:
    """Whether a file belongs to this user; where files have no such owner, whoever may write to the folder is trusted."""
    return not hasattr(os, "geteuid") or info.st_uid == os.geteuid()


def remove_locked(path: Path, descriptor: int) -> None:
    """Removes a file that this process holds the lock of, and frees it: in this order where the system lets it."""
    if IN_USE_MOVES:
        with suppress(OSError):
            os.unlink(path)
        os.close(descriptor)
    else:
        os.close(descriptor)
        with suppress(OSError):  # another one has it open by now, and will remove it
            os.unlink(path)


def sync_folder(folder: Path) -> None:
    """Has the names in a folder on the disk, where the system can do this: the file is in place already."""
    if hasattr(os, "O_DIRECTORY"):
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
