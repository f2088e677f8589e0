"""One writer at a time: a lock file beside the target, which the system frees when its holder dies, however it dies."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uhop_cli.errors import OutputError
from uhop_cli.files.names import escape
from uhop_cli.files.system import EDIT_NO_LINK, lock_now, remove_locked
from uhop_cli.files.targets import failure, resolve

_TRIES, _PAUSE = 10, 0.01  # seconds
_holders: dict[Path, int] = {}  # target -> the thread of this process that holds its lock


_holders_guard = threading.Lock()


@contextmanager
def lock(path: str | Path) -> Iterator[None]:
    """Excludes other writers of the file at `path`, in this process and in others, while the block runs; doesn't wait for them.

    The thread that holds the lock may take it again. Held around reading, changing and writing, it keeps a change from being lost.

    Raises:
        OutputError: another writer holds the lock, or the folder cannot be written.
    """
    target, thread = resolve(path), threading.get_ident()
    with _holders_guard:
        again = _holders.get(target) == thread
        if not again and target in _holders:
            raise _busy(path)
        _holders[target] = thread
    if again:
        yield
        return
    name = f".uhop-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]}.lock"
    try:
        try:
            descriptor = _take(target.parent / name)
        except OSError as error:
            raise failure(path, error) from None
        if descriptor is None:
            raise _busy(path)
        try:
            yield
        finally:
            remove_locked(target.parent / name, descriptor)
    finally:
        with _holders_guard:
            del _holders[target]


def _busy(path: str | Path) -> OutputError:
    return OutputError(f"{escape(path)}: another uhop is writing it", "wait until that one is done")


def _take(path: Path) -> int | None:
    """The lock file at `path`, created and locked; None if another holds it."""
    for _ in range(_TRIES):
        descriptor = os.open(path, EDIT_NO_LINK, 0o666)
        if try_lock(descriptor) and is_at(descriptor, path):
            return descriptor
        os.close(descriptor)
        # Its holder may just be removing it, or `clean` be asking whether it has one.
        time.sleep(_PAUSE)
    return None


def try_lock(descriptor: int) -> bool:
    """Locks the open file for this process, without waiting; False where another one has it."""
    try:
        lock_now(descriptor)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK):
            return False
        if error.errno not in (errno.ENOTSUP, errno.ENOLCK, errno.ENOSYS, errno.EINVAL):
            raise
        # A file system without locks: files are still replaced whole, and nothing is taken for litter (`clean` fails the same way).
    return True


def is_at(descriptor: int, path: str | Path) -> bool:
    """Whether `path` still names the open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
