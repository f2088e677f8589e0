"""Opening a regular file without waiting on a pipe or waking a device."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from uhop_cli.errors import UhopError
from uhop_cli.files.names import escape
from uhop_cli.files.system import READ, READ_NO_LINK


def open_regular(
    path: str | Path, error: type[UhopError], what: str = "regular file", hint: str | None = None, *, follow: bool = True
) -> int:
    """A descriptor, for reading, of the regular file at `path`; never waits for a pipe and never touches a device.

    Args:
        path: the file.
        error: what to raise.
        what: what the file should be, for the message.
        hint: the cure where there is none.
        follow: whether `path` may be a link.

    Raises:
        UhopError: as `error`; there is no such file, it cannot be read, or it is not a regular file.
    """
    name = escape(path)
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # asked before opening: to open a device may do something
            raise error(f"{name}: {'a folder, ' if os.path.isdir(path) else ''}not a {what}")
        descriptor = os.open(path, READ if follow else READ_NO_LINK)
    except FileNotFoundError:
        raise error(f"{name}: no such {what.removeprefix('regular ')}", hint) from None
    except (OSError, ValueError) as cause:  # ValueError: a NUL in the name
        raise error(f"{name}: cannot be read: {getattr(cause, 'strerror', None) or cause}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # replaced between the two calls
        os.close(descriptor)
        raise error(f"{name}: not a {what}")
    return descriptor
