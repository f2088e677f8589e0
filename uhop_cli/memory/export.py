"""Memories back as images, one PNG a pattern."""

from __future__ import annotations

import os
from pathlib import Path

from uhop_cli.errors import OutputError
from uhop_cli.files.atomic import AtomicFile, clean
from uhop_cli.files.names import escape, page_name, split_page
from uhop_cli.files.targets import failure
from uhop_cli.images.encode import to_png
from uhop_cli.images.own_mark import is_own_output
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress, Progress

LONGEST_STEM = 200  # bytes; file systems take names of 255, and a number and the suffix come on top


def export(memory: Memory, folder: str | Path, *, force: bool = False, progress: OnProgress | None = None) -> list[Path]:
    """Writes every pattern to `folder` as a PNG of its own pixels, named after the first of its files; returns the paths, by row.

    Only the last part of a name is used, without what a file system or a terminal could take amiss; equal names are numbered.
    The folder is made where it is missing, and PNGs that uhop wrote are replaced.

    Raises:
        OutputError: the folder or a file cannot be written, or, without `force`, something that uhop did not write is in the way;
            that is found before anything is written.
    """
    folder = Path(folder)
    paths = [folder / f"{stem}.png" for stem in _stems([memory.name(row) for row in range(len(memory))])]
    for path in paths:
        if not force and os.path.lexists(path) and not is_own_output(path):
            raise OutputError(f"{escape(path)}: exists, and uhop did not write it", "--force replaces it; or name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise failure(folder, error) from None
    clean(folder)
    for row, path in enumerate(paths):
        with AtomicFile(path) as file:
            file.write(to_png(memory.patterns[row]), 0)
            file.commit(durable=False)  # they can be exported again
        if progress:
            progress(Progress("export", row + 1, len(paths)))
    return paths


def _stems(names: list[bytes]) -> list[str]:
    """A safe and distinct stem for each name, also where the file system doesn't tell capitals apart."""
    taken: set[str] = set()
    counts: dict[str, int] = {}  # where to go on counting, so that a million equal names take no million times longer
    stems = []
    for name in names:
        stem = first = _safe_stem(name)
        number = counts.get(first.casefold(), 2)
        while stem.casefold() in taken:
            stem = f"{first}-{number}"
            number += 1
        counts[first.casefold()] = number
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _safe_stem(name: bytes) -> str:
    base = name.rsplit(b"/", 1)[-1].decode(errors="replace")
    file, page = split_page(base.encode(errors="replace"))
    stem = page_name((file.rpartition(b".")[0] or file), page).decode(errors="replace")
    plain = "".join(character if character.isprintable() and character not in '\\/:*?"<>|\ufffd' else "_" for character in stem)
    # A leading dot would hide the file, a leading dash would make an option of it.
    plain = plain.lstrip(".-").strip()
    return plain.encode()[:LONGEST_STEM].decode(errors="ignore") or "memory"
