"""A picture from standard input, read in the main thread: only there does Ctrl-C end the waiting."""

from __future__ import annotations

import sys

from uhop_cli.errors import ImageError


def read_picture() -> bytes:
    """What comes through standard input, as much of it as may be in a file; at a terminal it is said that this waits.

    Raises:
        ImageError: nothing comes, or too much.
    """
    from uhop_cli.images.decode import MAX_FILE_BYTES

    if sys.stdin is None:  # closed by the caller
        raise ImageError("standard input is closed", "give the picture through a pipe: uhop query - < picture.png")
    if sys.stdin.isatty() and sys.stderr is not None:
        sys.stderr.write("waiting for a picture on standard input; Ctrl-C stops it\n")
        sys.stderr.flush()
    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if not data:
        raise ImageError("standard input is empty", "give the picture through a pipe: uhop query - < picture.png")
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"standard input: larger than {MAX_FILE_BYTES >> 20} MiB", "save it as a smaller JPEG or PNG")
    return data
