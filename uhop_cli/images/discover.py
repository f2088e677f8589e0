"""Which files are images: walks folders in natural order; needs neither numpy nor Pillow, so that errors come fast."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.images.formats import HEAD_BYTES, NOT_A_PICTURE, SUFFIXES, Signature, foreign_suffix, sniff
from uhop_cli.images.own_mark import is_own_picture

_OWN_NAME = re.compile(r"\.retrieved\.[^.]+$", re.IGNORECASE)
_DIGITS = re.compile(r"([0-9]+)")


class Found(NamedTuple):
    """An image file: its path, and its name in printable form."""

    path: Path
    shown: str


class Skipped(NamedTuple):
    """A file that was left out.

    Attributes:
        path: the file.
        shown: its name in printable form.
        reason: why, in a few words.
        hint: the cure, where there is one.
        ignored: True where the file never was meant as an image (a text, an output of uhop's own), False where an image could
            not be taken.
    """

    path: Path
    shown: str
    reason: str
    hint: str | None = None
    ignored: bool = False

    @property
    def why(self) -> str:
        """Reason and cure in one line."""
        return self.reason if self.hint is None else f"{self.reason}: {self.hint}"


class _Leave(Exception):
    """Raised inside the walk when a file is left out; carries what `Skipped` says of it."""

    def __init__(self, reason: str, hint: str | None = None, *, ignored: bool = False) -> None:
        super().__init__(reason)
        self.reason, self.hint, self.ignored = reason, hint, ignored


def discover(paths: Iterable[str | Path], *, on_skip: Callable[[Skipped], None] | None = None) -> list[Found]:
    """The image files among `paths`: files as named, folders searched with all their subfolders in natural order.

    Inside folders, hidden files and folders are passed over, and so are `*.retrieved.*` and pictures with uhop's own mark. A file
    counts as an image by its suffix or, failing that, by its first bytes. A file that is named itself is always taken, whatever it
    is called (decoding says what is wrong with it), unless it is a camera raw or HEIC file. Links are followed, each folder is
    entered once, each path is taken once.

    Args:
        paths: files and folders.
        on_skip: told of every file that was left out, with the reason.

    Raises:
        ImageError: a path that does not exist, or is neither file nor folder.
    """
    found: dict[str, Found] = {}
    entered: set[tuple[int, int]] = set()

    def skip(path: str, why: _Leave) -> None:
        if on_skip:
            on_skip(Skipped(Path(path), escape(path), why.reason, why.hint, why.ignored))

    def take(path: str) -> None:
        found.setdefault(os.path.abspath(path), Found(Path(path), escape(path)))

    for given in paths:
        name = os.fspath(given)
        try:
            mode = os.stat(name).st_mode
        except (OSError, ValueError) as error:
            raise ImageError(f"{escape(name)}: {_why(error)}", "check the path") from None
        if stat.S_ISDIR(mode):
            _walk(name, entered, take, skip)
        elif stat.S_ISREG(mode):
            try:
                _check_suffix(name)
                take(name)
            except _Leave as why:
                skip(name, why)
        else:
            raise ImageError(f"{escape(name)}: neither a file nor a folder", "name image files or folders of them")
    return list(found.values())


def natural_key(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """Sorting key by which img2 comes before img10, letters compare without case, and no two names are equal."""
    parts = _DIGITS.split(name.casefold())  # text and digits in turn, so that numbers are compared with numbers
    return tuple((int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)), name


def _walk(
    top: str,
    entered: set[tuple[int, int]],
    take: Callable[[str], None],
    skip: Callable[[str, _Leave], None],
) -> None:
    """Visits `top` and what is below it, depth first, without recursion: no nesting is too deep."""
    pending = [top]
    while pending:
        path = pending.pop()
        try:
            info = os.stat(path)
            if stat.S_ISDIR(info.st_mode):
                if (info.st_dev, info.st_ino) not in entered:
                    entered.add((info.st_dev, info.st_ino))
                    names = sorted((n for n in os.listdir(path) if not n.startswith(".")), key=natural_key, reverse=True)
                    pending.extend(os.path.join(path, n) for n in names)
            elif stat.S_ISREG(info.st_mode):
                _check_file(path)
                take(path)
            else:
                raise _Leave("neither a file nor a folder", ignored=True)
        except (OSError, ValueError) as error:
            skip(path, _Leave("a broken link" if os.path.islink(path) else _why(error)))
        except _Leave as why:
            skip(path, why)


def _check_suffix(path: str) -> None:
    refused = foreign_suffix(os.path.splitext(path)[1])
    if refused:
        raise _refusal(refused)


def _check_file(path: str) -> None:
    """Raises `_Leave` where a file of a folder is no image to take."""
    if _OWN_NAME.search(os.path.basename(path)):
        raise _Leave("an output of uhop", ignored=True)
    _check_suffix(path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES and suffix not in (".png", ".apng"):
        return
    with open(path, "rb") as file:
        head = file.read(512)
    if is_own_picture(head):
        raise _Leave("an output of uhop", ignored=True)
    if suffix not in SUFFIXES:
        signature = sniff(head[:HEAD_BYTES])
        if not signature.format:
            raise _refusal(signature)


def _refusal(signature: Signature) -> _Leave:
    if signature.cure is None:
        return _Leave(NOT_A_PICTURE.name if signature == NOT_A_PICTURE else f"a {signature.name}", ignored=True)
    return _Leave(f"{signature.name} pictures are not read", signature.cure)


def _why(error: OSError | ValueError) -> str:
    """The reason of a failed look-up in plain words."""
    if isinstance(error, FileNotFoundError):
        return "no such file or folder"
    if isinstance(error, PermissionError):
        return "no permission to read it"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror[:1].lower() + error.strerror[1:]
    return "no valid path"  # such as a name with a null character
