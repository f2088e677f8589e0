"""Where an output may be written, and why it could not be."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from uhop_cli.errors import OutputError
from uhop_cli.files.names import escape

_NO_SPACE = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG)


def resolve(path: str | Path) -> Path:
    """The regular file, or the free name, that writing to `path` writes to: links are followed.

    Raises:
        OutputError: it is a folder, a device or read-only, or its folder is missing.
    """
    try:
        target = Path(os.path.realpath(path))
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        if not target.parent.is_dir():
            raise OutputError(f"{escape(path)}: its folder does not exist", f"mkdir -p {escape(target.parent)}") from None
        return target
    except (OSError, ValueError) as error:
        raise failure(path, error) from None
    if not stat.S_ISREG(mode):
        raise OutputError(f"{escape(path)}: {'a folder' if stat.S_ISDIR(mode) else 'a device or a pipe'}", "name a file")
    if not os.access(path, os.W_OK):  # renaming would replace it all the same
        raise OutputError(f"{escape(path)}: read-only", "chmod +w allows writing it; or name another file")
    return target


def failure(path: str | Path, error: OSError | ValueError, needed: int | None = None) -> OutputError:
    """The error that says why `path` could not be written; `needed`: how many bytes it takes."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _NO_SPACE:
        size = "" if needed is None else f": at least {needed} bytes are needed"
        return OutputError(f"{escape(path)}: no space to write it{size}", "free some space, or name a file on another disk")
    return OutputError(f"{escape(path)}: cannot be written: {getattr(error, 'strerror', None) or error}")
