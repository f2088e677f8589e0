"""Which stored file a person means by a name: the whole of it, a path that leads to it, or any unique ending."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path

from uhop_cli.errors import ImageError, MemoryFileError
from uhop_cli.files.names import escape, relative_name
from uhop_cli.files.normal_forms import normal_form
from uhop_cli.memory.entries import Entries

NAMED = 3  # names that an error shows


def look_up(entries: Entries, names: Sequence[str | bytes], folder: Path) -> list[bytes]:
    """The stored name that each of `names` means.

    In this order: the name itself; the path, seen from the current folder, of a file whose name is stored relative to `folder`;
    the only stored name that ends in it, whole parts of a path being compared ("cat.png" is no ending of "tomcat.png"). Unicode
    forms of a name (NFC, NFD) are the same name.

    Raises:
        MemoryFileError: a name means none of the files, or several; the hint names what is near.
    """
    forms: dict[str, list[bytes]] = {}
    endings: dict[str, list[bytes]] = {}
    for stored in entries.names():
        form = normal_form(stored)
        forms.setdefault(form, []).append(stored)
        endings.setdefault(form.rsplit("/", 1)[-1], []).append(stored)
    return [_one(entries, name, folder, forms, endings) for name in names]


def _one(
    entries: Entries, name: str | bytes, folder: Path, forms: dict[str, list[bytes]], endings: dict[str, list[bytes]]
) -> bytes:
    raw = os.fsencode(name)
    try:
        relative = relative_name(os.fsdecode(raw), folder)
    except ImageError:  # on another drive: no path to a stored file
        relative = raw
    for candidate in (raw, relative):
        if entries.find(candidate) is not None:
            return candidate
    for candidate in (raw, relative):
        if len(same := forms.get(normal_form(candidate), [])) == 1:
            return same[0]
    form = normal_form(raw).replace(os.sep, "/").removeprefix("./").rstrip("/")
    last = form.rsplit("/", 1)[-1]
    fitting = [stored for stored in endings.get(last, []) if f"/{normal_form(stored)}".endswith(f"/{form}")]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise MemoryFileError(f"{escape(name)}: {len(fitting)} stored images end so", f"say more of the path: {_listed(fitting)}")
    near = endings.get(last) or [
        stored for match in difflib.get_close_matches(last, list(endings), NAMED, 0.6) for stored in endings[match]
    ]
    raise MemoryFileError(
        f"{escape(name)}: not in the memory",
        f"near it: {_listed(near)}" if near else "`uhop info --list` shows what is",
    )


def _listed(names: Sequence[bytes]) -> str:
    """A few of the names."""
    shown = ", ".join(escape(name) for name in names[:NAMED])
    return shown if len(names) <= NAMED else f"{shown} and {len(names) - NAMED} more"
