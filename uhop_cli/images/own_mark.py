"""The mark that uhop puts into the PNG files it writes, so that it knows them again; needs neither numpy nor Pillow."""

from __future__ import annotations

from pathlib import Path

KEYWORD = "uhop"
TEXT = "written by uhop"

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = b"tEXt" + KEYWORD.encode() + b"\x00" + TEXT.encode()
_HEAD_BYTES = 512  # the mark is written straight after the header, so the start of the file tells


def is_own_output(path: Path) -> bool:
    """Whether the file at `path` is a PNG that uhop wrote (`encode.to_png`). False where it cannot be read."""
    try:
        if not path.is_file():  # never open a pipe or a device
            return False
        with path.open("rb") as file:
            return is_own_picture(file.read(_HEAD_BYTES))
    except (OSError, ValueError):
        return False


def is_own_picture(head: bytes) -> bool:
    """Whether these first bytes of a file carry the mark."""
    return head.startswith(_SIGNATURE) and _CHUNK in head[:_HEAD_BYTES]
