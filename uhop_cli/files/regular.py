"""Opening a regular file without waiting on a pipe or waking a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from uhop_cli.errors import MemoryFileError
from uhop_cli.files.names import escape


def open_regular(path: str | Path) -> int:
    """A descriptor, for reading, of the regular file at `path`; never waits for a pipe and never touches a device.

    Raises:
        MemoryFileError: there is no such file, it cannot be read, or it is not a regular file.
    """
    name = escape(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise MemoryFileError(f"{name}: {'a folder, ' if os.path.isdir(path) else ''}not a memory file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise MemoryFileError(f"{name}: no such memory file", "`uhop store FOLDER` makes one; -m names another") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise MemoryFileError(f"{name}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # replaced between the two calls
        os.close(descriptor)
        raise MemoryFileError(f"{name}: not a memory file")
    return descriptor
