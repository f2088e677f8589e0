"""Files that appear whole or not at all: a temporary file beside the target, flushed, renamed; a lock; litter of killed runs.

A temporary file holds a lock for as long as its writer lives, so that one whose lock is free is known to be left over,
whatever the clock says. The system frees the lock when a process dies, however it dies.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from uhop_cli.files.lock import is_at, try_lock
from uhop_cli.files.system import (
    EDIT_NO_LINK,
    IN_USE_MOVES,
    READ_NO_LINK,
    lock_now,
    remove_locked,
    same_owner,
    sync_folder,
    write_at,
)
from uhop_cli.files.targets import failure, resolve

_OURS = re.compile(r"\.uhop-[0-9a-f]{16}\.(tmp|lock)")


class AtomicFile:
    """A new version of the file at `path`, which stays as it is until `commit`; leaving the block without it discards the new one.

    Used as a context manager; `descriptor` is open for reading and writing while the block runs. A symbolic link is followed: its
    target is replaced. Permissions are those of the file replaced, or follow the umask.

    Raises:
        OutputError: the target is a folder or a device, its folder is missing or cannot be written, or there is no space.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = resolve(path)
        self.descriptor = -1
        self._temporary: Path | None = None

    def __enter__(self) -> AtomicFile:
        try:
            self._temporary, self.descriptor = _create(self.path.parent)
            with suppress(FileNotFoundError):
                same_owner(self.descriptor, os.stat(self.path))
        except OSError as error:
            self.discard()
            raise failure(self.path, error) from None
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.discard()

    def write(self, data: bytes | memoryview, place: int, needed: int | None = None) -> None:
        """Writes all of `data` at byte `place`. `needed`: what the whole file takes, for the message when there is no space."""
        rest = memoryview(data).cast("B")
        try:
            while rest:
                count = write_at(self.descriptor, rest, place)
                rest, place = rest[count:], place + count
        except OSError as error:
            raise failure(self.path, error, needed) from None

    def commit(self, *, durable: bool = True) -> None:
        """Puts the new version in the place of the old one. `durable`: it is on the disk, not only in its cache, before that."""
        assert self._temporary is not None
        try:
            if durable:
                os.fsync(self.descriptor)
            if not IN_USE_MOVES:
                os.close(self.descriptor)
                self.descriptor = -1
            os.replace(self._temporary, self.path)
        except OSError as error:
            raise failure(self.path, error) from None
        self._temporary = None
        if durable:
            sync_folder(self.path.parent)

    @property
    def name(self) -> str:
        """Name of the temporary file, in the folder of `path`; only within the block."""
        assert self._temporary is not None
        return self._temporary.name

    def discard(self) -> None:
        """Removes the temporary file, if it is still one, and closes it."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()
            self._temporary = None


def clean(folder: Path) -> None:
    """Removes temporary and lock files that killed runs left in `folder`: those of our name whose lock nobody holds."""
    for path in temporary_files(folder):
        with suppress(OSError):
            descriptor = os.open(path, READ_NO_LINK)
            try:
                lock_now(descriptor)
            except OSError:
                os.close(descriptor)
                continue
            if is_at(descriptor, path):
                remove_locked(path, descriptor)
            else:
                os.close(descriptor)


def temporary_files(folder: Path) -> list[Path]:
    """The temporary and lock files in `folder`, by their names: those of running writers, and those that killed ones left."""
    try:
        named = [entry for entry in os.scandir(folder) if _OURS.fullmatch(entry.name)]
        return sorted(Path(entry.path) for entry in named if entry.is_file(follow_symlinks=False))
    except OSError:
        return []


def _create(folder: Path) -> tuple[Path, int]:
    """A new temporary file, locked, with the permissions of the umask."""
    while True:
        path = folder / f".uhop-{secrets.token_hex(8)}.tmp"
        descriptor = os.open(path, EDIT_NO_LINK | os.O_EXCL, 0o666)
        try:
            # Between creation and lock a cleaning run may have taken the file for litter; then there is another name.
            if try_lock(descriptor) and is_at(descriptor, path):
                return path, descriptor
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        os.close(descriptor)
