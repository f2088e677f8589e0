"""The original image behind an entry: the file where it was, one that `--originals` finds, or the embedded copy."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from uhop_cli.errors import ImageError, MemoryFileError
from uhop_cli.files.names import split_page
from uhop_cli.files.normal_forms import on_disk
from uhop_cli.files.regular import open_regular
from uhop_cli.images.decode import Image, decode
from uhop_cli.memory.memory import Memory

MAX_BYTES = 1 << 30
MAX_VISITED = 2_000_000  # files and folders below `--originals` that are looked at
_PIECE = 1 << 20
_ANSWER = ".retrieved."  # in the names that `uhop query` gives

Whereabouts = Literal["file", "embedded", "changed", "missing", "array"]


@dataclass(frozen=True)
class Original:
    """What became of a stored file.

    Attributes:
        index: which of the entries.
        path: the file that was read; for a file that is not to be had, the place where it was.
        content: the stored bytes, None where they are not to be had.
        page: of that file, from 1, where it has several.
        whereabouts: 'file': at `path`; 'embedded': only in the memory file; 'changed': at `path` is a file with other bytes;
            'missing': at `path` is nothing; 'array': the entry is a row of an array and never was a file of its own.
    """

    index: int
    path: Path
    content: bytes | None
    whereabouts: Whereabouts
    page: int = 1

    def picture(self, draft: tuple[int, int]) -> Image | None:
        """The picture, decoded for patterns of that size; None where it is not to be had, or no decoder takes it."""
        try:
            return None if self.content is None else decode(self.content, draft=draft, page=self.page)
        except ImageError:  # the row of an array, or a claim of the memory file
            return None


class OriginalFiles:
    """Finds the stored files of one memory.

    A name in a memory file is somebody's claim: a file is read only if it is a regular file of the recorded size, and returned only
    if it has the recorded sha256.

    Args:
        memory: the memory.
        path: its file, which names are relative to.
        folder: where to look as well: first for the whole name and for ever shorter ends of it, then anywhere below for a file of
            the recorded size and sha256, whatever it is called. Links are not followed out of it. Its files are listed once, when
            the first name fails, and each is hashed at most once.
    """

    def __init__(self, memory: Memory, path: str | Path, folder: str | Path | None = None) -> None:
        self.memory = memory
        self.folder = None if folder is None else Path(folder)
        self._place = Path(os.path.realpath(path)).parent
        given = Path(path).parent  # what people know, unless the file itself is a link
        self.base = given if Path(os.path.realpath(given)) == self._place else self._place
        self._unread: dict[int, list[Path]] | None = None  # of each recorded size, the files below `folder` not hashed yet
        self._read: dict[bytes, Path] = {}  # sha256 -> a file below `folder` that had it
        self.truncated = False

    def of(self, row: int) -> Original:
        """The original of the pattern in `row`: of its files the first that exists unchanged, else one that is embedded, if any."""
        best: Original | None = None
        for index in self.memory.entries.files_of(row):
            found = self.open(int(index))
            if found.whereabouts == "file":
                return found
            if best is None or (best.content is None and found.content is not None):
                best = found
        assert best is not None  # every pattern has a file
        return best

    def open(self, index: int) -> Original:
        """The file `index`, by its name, below the folder, or embedded."""
        entries = self.memory.entries
        whole = entries.name(index)
        size, digest = int(entries.sizes[index]), entries.digest(index)
        file, page = split_page(whole)
        readings = [(whole, 1), (file, page)][: 1 if file == whole else 2]  # a file may be called so, or it is a page
        for given, number in readings:
            name = Path(os.fsdecode(given))
            recorded = _tidy(on_disk(self.base / name))
            for place, path in self._named(name, recorded):
                content = _read(place, size)
                if content is not None and hashlib.sha256(content).digest() == digest:
                    return Original(index, path, content, "file", number)
        if self.folder is not None and (found := self._below(size, digest)) is not None:
            return Original(index, found[0], found[1], "file", page)
        for given, number in readings if self.memory.originals is not None else ():
            content = self._embedded(entries.find(given))
            if len(content) == size and hashlib.sha256(content).digest() == digest:
                return Original(index, recorded, content, "embedded", number)
        if _row_of_an_array(name):
            return Original(index, recorded, None, "array")
        there = os.path.lexists(self._place / name)
        return Original(index, recorded, None, "changed" if there else "missing", page)

    def _embedded(self, index: int | None) -> bytes:
        """The embedded copy of a file, empty if there is none."""
        return b"" if index is None or self.memory.originals is None else self.memory.originals.content(index)

    def _named(self, name: Path, recorded: Path) -> Iterator[tuple[Path, Path]]:
        """Places where the name leads, each with the path to show."""
        if self.folder is not None:
            top = os.path.realpath(self.folder)
            parts = [part for part in name.parts if part not in ("..", name.anchor)]
            for start in range(len(parts)):
                path = on_disk(Path(self.folder, *parts[start:]))
                if os.path.commonpath([top, os.path.realpath(path)]) == top:
                    yield path, path
        yield on_disk(self._place / name), recorded

    def _below(self, size: int, digest: bytes) -> tuple[Path, bytes] | None:
        """A file anywhere below the folder with that size and sha256, and its bytes."""
        if self._unread is None:
            self._unread = self._by_size()
        if digest in self._read:
            content = _read(self._read[digest], size)
            if content is not None and hashlib.sha256(content).digest() == digest:
                return self._read[digest], content
        waiting = self._unread.get(size, [])
        while waiting:
            path = waiting.pop()
            content = _read(path, size)
            if content is not None:
                seen = hashlib.sha256(content).digest()
                self._read.setdefault(seen, path)
                if seen == digest:
                    return path, content
        return None

    def _by_size(self) -> dict[int, list[Path]]:
        """The files below the folder that have one of the recorded sizes, by size, last in order first.

        A copy that `uhop query` wrote comes after all others: people ask for the file that they know.
        """
        wanted = set(self.memory.entries.sizes.tolist())
        found: dict[int, list[Path]] = defaultdict(list)
        visited, pending = 0, [str(self.folder)]
        while pending:
            folders = []
            try:
                with os.scandir(pending.pop()) as listing:
                    for item in sorted(listing, key=lambda item: item.name):
                        visited += 1
                        if item.is_dir(follow_symlinks=False):
                            folders.append(item.path)
                        elif item.is_file(follow_symlinks=False) and (size := item.stat(follow_symlinks=False).st_size) in wanted:
                            found[size].append(Path(item.path))
            except OSError:
                continue  # a folder that cannot be read holds nothing that could be handed out
            if visited > MAX_VISITED:
                self.truncated = True
                break
            pending += reversed(folders)
        return {size: sorted(paths, key=lambda path: _ANSWER in path.name)[::-1] for size, paths in found.items()}


def _tidy(path: Path) -> Path:
    """The path without detours (`a/../b`), where it leads to the same place: a link on the way may mean another."""
    short = Path(os.path.normpath(path))
    if short == path:
        return path
    return short if os.path.realpath(short) == os.path.realpath(path) else path


def _row_of_an_array(name: Path) -> bool:
    return name.name.endswith("]") and ".npy[" in name.name


def _read(path: Path, size: int) -> bytes | None:
    """The content of a regular file of exactly `size` bytes, or None."""
    try:
        descriptor = open_regular(path, MemoryFileError)
    except MemoryFileError:
        return None
    try:
        if os.fstat(descriptor).st_size != size or size > MAX_BYTES:
            return None
        pieces = []
        while piece := os.read(descriptor, min(_PIECE, size + 1)):
            pieces.append(piece)
            size -= len(piece)
            if size < 0:  # it grows while it is read
                return None
        return b"".join(pieces)
    except OSError:
        return None
    finally:
        os.close(descriptor)
