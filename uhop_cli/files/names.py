"""Names of files as they are shown: nothing in them can move the cursor, colour the terminal or fake a line."""

from __future__ import annotations

import os
import re

from uhop_cli.errors import ImageError

_PAGE = re.compile(rb"(.*\.[A-Za-z0-9]+)#([1-9][0-9]{0,3})", re.DOTALL)
_SHOWN_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


_JOINERS = "\u200c\u200d"  # invisible, harmless, and needed in Persian words and in emoji


def escape(name: str | bytes | os.PathLike[str]) -> str:
    r"""A printable form of any file name.

    Control characters, terminal escapes, direction marks and bytes that are not UTF-8 become visible as \n, \x1b, \u202e, \xff;
    everything printable stays as it is.
    """
    text = os.fsdecode(name)
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in _JOINERS else _visible(c) for c in text)


def relative_name(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> bytes:
    """The name under which a memory file in `folder` has a file: the way from there, in file-system bytes, with slashes.

    Raises:
        ImageError: there is no such way, as the two are on different drives.
    """
    try:
        way = os.path.relpath(path, folder)
    except ValueError:
        raise ImageError(
            f"{escape(path)}: on another drive than the memory file", "name a memory file on that drive with -m"
        ) from None
    return os.fsencode(way.replace(os.sep, "/"))


def page_name(name: bytes, page: int) -> bytes:
    """The name of a page or frame of a file: that of the file for the first, `file.tif#2` for the second."""
    return name if page == 1 else name + b"#%d" % page


def split_page(name: bytes) -> tuple[bytes, int]:
    """The file and the page that a name means, if no file of the whole name is there: the inverse of `page_name`."""
    match = _PAGE.fullmatch(name)
    return (match[1], int(match[2])) if match else (name, 1)


def _visible(char: str) -> str:
    code = ord(char)
    if char in _SHOWN_SHORT:
        return _SHOWN_SHORT[char]
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8, as os.fsdecode carries it
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
