"""Which files are images: walks folders in natural order; needs neither numpy nor Pillow, so that errors come fast."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.images.formats.signatures import HEAD_BYTES, NOT_A_PICTURE, RAW_SUFFIXES, SUFFIXES, Signature, sniff_named
from uhop_cli.images.own_mark import is_own_picture

# What file servers, archivers and systems leave beside pictures: thumbnails, deleted files, forks.
_LEFT_BY_SYSTEMS = frozenset(("@eadir", "@recycle", "#recycle", "#snapshot", "$recycle.bin", "__macosx", "lost+found"))
_LEFT_BY_SYSTEMS |= frozenset(("system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"))
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
    """The image files among `paths`, as `look_through` finds them.

    Args:
        paths: files and folders.
        on_skip: told of every file that was left out, with the reason.

    Raises:
        ImageError: a path that does not exist, or is neither file nor folder.
    """
    found = []
    for item in look_through(paths):
        if isinstance(item, Found):
            found.append(item)
        elif on_skip:
            on_skip(item)
    return found


def look_through(paths: Iterable[str | Path]) -> Iterator[Found | Skipped]:
    """Files as named, folders searched with all their subfolders in natural order: images, and what is left out, as they come.

    Inside folders, hidden files and folders are passed over, and so are those that systems leave (`@eaDir`, `__MACOSX`, ...),
    `*.retrieved.*` and pictures with uhop's own mark. A file counts as an image by its suffix or by its first bytes. A file that is
    named itself is always taken, whatever it is called (decoding says what is wrong with it), unless it is a camera raw file. Links
    are followed, each folder is entered once, each path is taken once.

    Raises:
        ImageError: a path that does not exist, or is neither file nor folder.
    """
    entered: set[tuple[int, int]] = set()
    taken: set[str] = set()
    for given in paths:
        name = os.fspath(given)
        try:
            mode = os.stat(name).st_mode
        except (OSError, ValueError) as error:
            raise ImageError(f"{escape(name)}: {_why(error)}", "check the path") from None
        if stat.S_ISDIR(mode):
            items = _walk(name, entered)
        elif stat.S_ISREG(mode):
            items = iter([_checked(name, _check_raw)])
        else:
            raise ImageError(f"{escape(name)}: neither a file nor a folder", "name image files or folders of them")
        for item in items:
            place = os.path.abspath(item.path)
            if place not in taken:
                taken.add(place)
                yield item


def natural_key(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """Sorting key by which img2 comes before img10, letters compare without case, and no two names are equal."""
    parts = _DIGITS.split(name.casefold())  # text and digits in turn, so that numbers are compared with numbers
    return tuple((int(part), "") if i % 2 else (0, part) for i, part in enumerate(parts)), name


def _walk(top: str, entered: set[tuple[int, int]]) -> Iterator[Found | Skipped]:
    """Visits `top` and what is below it, depth first, without recursion: no nesting is too deep."""
    pending = [top]
    while pending:
        path = pending.pop()
        try:
            info = os.stat(path)
            if stat.S_ISDIR(info.st_mode):
                if (info.st_dev, info.st_ino) not in entered:
                    entered.add((info.st_dev, info.st_ino))
                    names = sorted(filter(_looked_at, os.listdir(path)), key=natural_key, reverse=True)
                    pending.extend(os.path.join(path, n) for n in names)
                continue
        except (OSError, ValueError) as error:
            yield _skipped(path, _Leave("a broken link" if os.path.islink(path) else _why(error)))
            continue
        if stat.S_ISREG(info.st_mode):
            yield _checked(path, _check_file)
        else:
            yield _skipped(path, _Leave("neither a file nor a folder", ignored=True))


def _looked_at(name: str) -> bool:
    """Whether a file or folder inside a folder is neither hidden nor left by some system."""
    return not name.startswith(".") and name.lower() not in _LEFT_BY_SYSTEMS


def _checked(path: str, check: Callable[[str], None]) -> Found | Skipped:
    """The file, unless `check` raises that it is none to take."""
    try:
        check(path)
    except _Leave as why:
        return _skipped(path, why)
    except (OSError, ValueError) as error:
        return _skipped(path, _Leave(_why(error)))
    return Found(Path(path), escape(path))


def _skipped(path: str, why: _Leave) -> Skipped:
    return Skipped(Path(path), escape(path), why.reason, why.hint, why.ignored)


def _check_raw(path: str) -> None:
    """Raises `_Leave` where a file that is named itself is a camera raw file, which decoding would take for a TIFF."""
    suffix = os.path.splitext(path)[1]
    if suffix.lower() in RAW_SUFFIXES:
        with open(path, "rb") as file:
            signature = sniff_named(file.read(HEAD_BYTES), suffix)
        if signature.format is None:
            raise _refusal(signature)


def _check_file(path: str) -> None:
    """Raises `_Leave` where a file of a folder is no image to take."""
    if _OWN_NAME.search(os.path.basename(path)):
        raise _Leave("an output of uhop", ignored=True)
    suffix = os.path.splitext(path)[1].lower()
    if suffix in SUFFIXES and suffix not in (".png", ".apng"):
        return
    with open(path, "rb") as file:
        head = file.read(512)
    if is_own_picture(head):
        raise _Leave("an output of uhop", ignored=True)
    if suffix not in SUFFIXES:
        signature = sniff_named(head[:HEAD_BYTES], suffix)
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
