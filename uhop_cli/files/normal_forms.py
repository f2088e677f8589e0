"""One name in several Unicode forms: macOS writes an accent as a character of its own (NFD), most others don't (NFC)."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path


def normal_form(name: str | bytes) -> str:
    """The form by which two names are compared: NFC. Bytes that are not UTF-8 stay as `os.fsdecode` carries them."""
    return unicodedata.normalize("NFC", os.fsdecode(name))


def on_disk(path: Path) -> Path:
    """`path`, or the path of an existing file whose parts are the same names in another form; `path` where there is none."""
    if str(path).isascii() or os.path.lexists(path):
        return path
    found = Path(path.anchor)
    for part in path.parts[len(found.parts) :]:
        step = found / part
        if not os.path.lexists(step):
            try:
                same = sorted(name for name in os.listdir(found) if normal_form(name) == normal_form(part))
            except (OSError, ValueError):
                return path
            if not same:
                return path
            step = found / same[0]
        found = step
    return found
