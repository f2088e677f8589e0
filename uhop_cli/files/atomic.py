"""Files that appear whole or not at all: a temporary file beside the target, flushed, renamed; a lock; litter of killed runs.

A temporary file holds a lock (flock) for as long as its writer lives, so that one whose lock is free is known to be left over,
whatever the clock says. The system frees the lock when a process dies, however it dies.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import stat
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from uhop_cli.files.lock import is_at, try_lock
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
                old = os.stat(self.path)
                with suppress(PermissionError):
                    os.fchown(self.descriptor, old.st_uid, old.st_gid)
                os.fchmod(self.descriptor, stat.S_IMODE(old.st_mode))
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
                count = os.pwrite(self.descriptor, rest, place)
                rest, place = rest[count:], place + count
        except OSError as error:
            raise failure(self.path, error, needed) from None

    def commit(self, *, durable: bool = True) -> None:
        """Puts the new version in the place of the old one. `durable`: it is on the disk, not only in its cache, before that."""
        assert self._temporary is not None
        try:
            if durable:
                os.fsync(self.descriptor)
            os.rename(self._temporary, self.path)
        except OSError as error:
            raise failure(self.path, error) from None
        self._temporary = None
        if durable:
            _sync_folder(self.path.parent)

    @property
    def name(self) -> str:
        """Name of the temporary file, in the folder of `path`; only within the block."""
        assert self._temporary is not None
        return self._temporary.name

    def discard(self) -> None:
        """Removes the temporary file, if it is still one, and closes it."""
        if self._temporary is not None:
            with suppress(OSError):
                self._temporary.unlink()
            self._temporary = None
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1


def clean(folder: Path) -> None:
    """Removes temporary and lock files that killed runs left in `folder`: those of our name whose lock nobody holds."""
    for path in temporary_files(folder):
        with suppress(OSError):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if is_at(descriptor, path):
                    os.unlink(path)
            finally:
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
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            # Between creation and lock a cleaning run may have taken the file for litter; then there is another name.
            if try_lock(descriptor) and is_at(descriptor, path):
                return path, descriptor
        except BaseException:
            os.close(descriptor)
            path.unlink(missing_ok=True)
            raise
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    # The file is in place already, so that a file system which cannot do this is no failure.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
