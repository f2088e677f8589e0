"""What a store has to do, found out before any decoding: the pattern, what is new, changed or gone, and the room that it takes."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from uhop_cli.errors import ImageError, OutputError, SettingsError
from uhop_cli.files.names import escape, page_name, split_page
from uhop_cli.files.normal_forms import normal_form
from uhop_cli.frames.local.describing import DIRECTIONS, MOST, is_describable
from uhop_cli.frames.local.keypoints import MISSING, installed
from uhop_cli.images.decode import Header
from uhop_cli.images.discover import Skipped
from uhop_cli.images.patterns import PatternSpec, choose_spec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress
from uhop_cli.storing.marks import Mark, Marks
from uhop_cli.storing.needs import check_memory, memory_needed
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.sources import Source, Sources, collect, headers

MOST_DESCRIBED = 20_000  # pictures that are described locally without being asked for
DESCRIBED = MOST * (DIRECTIONS + 4)  # bytes of the descriptors of a picture, at most
SPARE_DISK = 64 << 20  # left free on the disk beside what the memory file takes


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a store will do: `store --dry-run` tells it, `store` does it.

    Attributes:
        sources: the images to take in, new and changed ones.
        spec: their pattern.
        kept: what stays of the memory that is added to; None: nothing.
        unchanged: how many files are stored already as they are.
        changed: how many files replace one that is stored.
        removed: how many stored files are gone, and dropped.
        renamed: how many stored files have another name now.
        skipped: files that cannot be taken, as far as their names tell.
        needed: bytes of memory that learning takes, if no two images are equal.
        describable: how many of the sources are large enough to be described locally, if that is to be done; else 0.
        undescribed: why none is described although some might be; None where that needs no word.
        marks: of today's files whose content is known, by name.
        read: whether any file that is stored was read to see if it is as it was.
    """

    sources: Sources
    spec: PatternSpec
    kept: Memory | None
    unchanged: int
    changed: int
    removed: int
    renamed: int
    skipped: tuple[Skipped, ...]
    needed: int
    describable: int = 0
    undescribed: str | None = None
    marks: Mapping[bytes, Mark | None] = field(default_factory=dict)
    read: bool = False

    @property
    def changes(self) -> int:
        """How many stored files are other ones now, or gone, or have another name."""
        return self.changed + self.removed + self.renamed

    @property
    def files(self) -> int:
        """How many files the memory will hold, if all can be decoded."""
        return len(self.sources) + (0 if self.kept is None else len(self.kept.entries))

    @property
    def patterns(self) -> int:
        """How many patterns it will hold, if no two images are equal."""
        return len(self.sources) + (0 if self.kept is None else len(self.kept))

    @property
    def bytes(self) -> int:
        """About how large its file will be."""
        local = self.describable * DESCRIBED
        local += 0 if self.kept is None or self.kept.local is None else self.kept.local.nbytes
        return self.patterns * (self.spec.dim + 64) + 4 * min(self.patterns, self.spec.dim, 1024) * self.spec.dim + local

    def check(self, target: Path, settings: StoreSettings, *, learning: bool, copies: int = 1) -> None:
        """Refuses what doesn't fit on the disk, `copies` times the patterns, or, if there is something to learn, into memory.

        Raises:
            OutputError, ResourceError: there is too little room.
        """
        check_disk(Path(os.path.realpath(target)).parent, copies * self.patterns * self.spec.dim + 3 * self.describable * DESCRIBED)
        if self.patterns and learning:
            check_memory(self.patterns, self.spec.dim, settings)


def make_plan(
    paths: Sequence[str | Path],
    target: Path,
    settings: StoreSettings,
    *,
    old: Memory | None = None,
    marks: Marks | None = None,
    prune: bool = False,
    progress: OnProgress | None = None,
) -> Plan:
    """Looks at the images and at the memory `old` that they are added to, and decodes nothing.

    Args:
        paths: files, folders and arrays.
        target: the memory file.
        settings: what the pattern is chosen by, unless `old` has one.
        marks: of the files of `old`: those that have theirs still are not read; None: all are.
        prune: drop what is stored but gone.

    Raises:
        ImageError: a path is not there, or there is nothing to store.
    """
    folder = Path(os.path.realpath(target)).parent
    sources, skipped = collect(paths, folder, damaged=settings.damaged, pages=settings.pages, progress=progress)
    found = compare(old, sources, folder, marks=marks, prune=prune)
    today = {source.name: source.mark for source in sources.files if source.name not in found.unread}
    if found.unchanged:
        sources = Sources([source for source in sources if source.name not in found.unchanged])
    look = settings.local != "off" or (old is None and "auto" in (settings.size, settings.color))
    seen = headers(sources, progress) if look else Counter[Header]()
    spec = old.spec if old is not None else spec_of(sources, list(seen), settings, skipped)
    describable, undescribed = to_describe(seen, settings, found.kept)
    patterns = len(sources) + (0 if found.kept is None else len(found.kept))
    return Plan(
        sources=sources,
        spec=spec,
        kept=found.kept,
        unchanged=len(found.unchanged) - found.renamed,
        changed=found.changed,
        removed=found.removed,
        renamed=found.renamed,
        skipped=tuple(skipped),
        needed=memory_needed(patterns, spec.dim, settings),
        describable=describable,
        undescribed=undescribed,
        marks=today,
        read=found.read,
    )


@dataclass(frozen=True)
class Comparison:
    """A memory against the files of today.

    Attributes:
        kept: what stays of it, under the names of today; None: nothing.
        unchanged: names, as they are now, of the files that are stored as they are; the renamed ones are among them.
        changed, removed, renamed: how many files have new content, are gone and dropped, have another name.
        unread: names of stored files that cannot be read now; what is stored of them stays.
        read: whether any stored file was read.
    """

    kept: Memory | None = None
    unchanged: frozenset[bytes] = frozenset()
    changed: int = 0
    removed: int = 0
    renamed: int = 0
    unread: frozenset[bytes] = frozenset()
    read: bool = False


def compare(old: Memory | None, sources: Sources, folder: Path, *, marks: Marks | None = None, prune: bool) -> Comparison:
    """What has become of the stored files: known by name (in any Unicode form) or, where that is gone, by content. Those that have
    their marks still are as they were."""
    if old is None:
        return Comparison()
    entries = old.entries
    at = {name: index for index, name in enumerate(entries.names())}
    today = {source.name for source in sources.files}
    # `folder` in bytes: the names need not be UTF-8
    gone = {name: index for name, index in at.items() if name[-1:] != b"]" and not _exists(folder, name, today)}
    forms = {normal_form(name): index for name, index in gone.items() if not name.isascii()}
    keep = np.ones(len(entries), np.bool_)
    unchanged: set[bytes] = set()
    unread: set[bytes] = set()
    names: dict[int, bytes] = {}
    read = False
    new: list[Source] = []
    for source in sources:
        index = at.get(source.name)
        if index is None and not source.name.isascii():
            index = forms.pop(normal_form(source.name), None)
        if index is None:
            new.append(source)
            continue
        if marks is None or not marks.has(index, source.mark):
            digest, read = _digest(source), True
            if digest is None:  # unreadable now: what is stored stays, and is not asked for again
                unread.add(source.name)
            elif digest != entries.digest(index):
                keep[index] = False
                continue
        unchanged.add(source.name)
        names[index] = source.name
    lost = {_identity(entries, index): index for index in reversed(gone.values()) if keep[index] and index not in names}
    sizes = {int(entries.sizes[index]) for index in lost.values()}
    for source in new if lost else ():
        digest = _digest(source) if _size(folder, source.name) in sizes else None
        index = None if digest is None else lost.get(source.identity(digest))
        if index is not None and index not in names:
            unchanged.add(source.name)
            names[index] = source.name
    changed = int(np.count_nonzero(~keep))
    renames = {index: name for index, name in names.items() if name != entries.name(index)}
    dropped = [index for index in gone.values() if keep[index] and index not in names] if prune else []
    keep[dropped] = False
    kept = replace(old, entries=entries.renamed(renames)) if renames else old
    return Comparison(
        None if not keep.any() else kept if keep.all() else kept.keep(keep),
        frozenset(unchanged), changed, len(dropped), len(renames), frozenset(unread), read,
    )  # fmt: skip


def _exists(folder: Path, name: bytes, today: Collection[bytes]) -> bool:
    """Whether a stored file, or the page of one, is still there; `today`: names of the files and pages that were looked at."""
    if os.path.lexists(os.path.join(os.fsencode(folder), name)):
        return True
    file, page = split_page(name)
    if page == 1 or file in today:
        return name in today
    return os.path.lexists(os.path.join(os.fsencode(folder), file))


def _identity(entries: Entries, index: int) -> bytes:
    """The sha256 of a stored file and, where it is a page of one, which."""
    return page_name(entries.digest(index), split_page(entries.name(index))[1])


def _size(folder: Path, name: bytes) -> int | None:
    try:
        return os.stat(os.path.join(os.fsencode(folder), split_page(name)[0])).st_size
    except (OSError, ValueError):  # such as the row of an array
        return None


def _digest(source: Source) -> bytes | None:
    try:
        return hashlib.sha256(source.read()).digest()
    except ImageError:
        return None


def spec_of(sources: Sources, seen: Sequence[Header], settings: StoreSettings, skipped: Sequence[Skipped]) -> PatternSpec:
    """The pattern's size and colour: from the settings, and where these say 'auto' from the headers of all images."""
    if not len(sources):
        raise nothing_to_store(skipped)
    return choose_spec(seen, settings.size, settings.color, settings.background)


def to_describe(seen: Mapping[Header, int], settings: StoreSettings, kept: Memory | None) -> tuple[int, str | None]:
    """How many of the pictures with these headers are to be described locally, and why none is, where the user should know.

    Raises:
        SettingsError: it is asked for, and OpenCV is not there.
    """
    if settings.local == "off":
        return 0, None
    large = sum(count for header, count in seen.items() if is_describable(header))
    if not installed():
        if settings.local == "on":
            raise SettingsError(f"--local on: {MISSING}", "pip install opencv-python-headless; or leave out --local")
        return 0, f"{MISSING}: crops and screenshots of these pictures will be found less often" if large else None
    stored = 0 if kept is None or kept.local is None else kept.local.pictures
    if settings.local == "auto" and large + stored > MOST_DESCRIBED:
        why = f"more than {MOST_DESCRIBED:,} pictures are not described for crops and screenshots"
        return 0, f"{why}; --local on does it, at some hundredths of a second each"
    return large, None


def check_target(target: Path, *, add: bool, force: bool) -> None:
    """Refuses a memory file that cannot be written, or would replace one.

    Raises:
        OutputError: so it is.
    """
    shown = escape(target)
    if target.is_dir():
        raise OutputError(f"{shown}: a folder, not a file", f"name a file, such as {shown}/uhop.safetensors")
    if not target.parent.is_dir():
        raise OutputError(f"{escape(target.parent)}: no such folder", "make the folder first")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{escape(target.parent)}: the folder cannot be written", "choose another place with -m")
    if target.exists() and not (add or force):
        raise OutputError(f"{shown}: exists already", "use --add to add to it, or --force to replace it")


def check_disk(folder: Path, needed: int) -> None:
    """Refuses `needed` bytes of patterns that leave the disk without `SPARE_DISK`.

    Raises:
        OutputError: they do.
    """
    free = shutil.disk_usage(folder).free
    if needed + SPARE_DISK > free:
        raise OutputError(
            f"{escape(folder)}: {(needed + SPARE_DISK) / 1e6:.1f} MB are needed for the patterns and to spare, "
            f"{free / 1e6:.1f} MB are free",
            "free some space, choose a place on another disk, or a smaller --size",
        )


def nothing_to_store(skipped: Sequence[Skipped]) -> ImageError:
    """The error where no image is left."""
    if skipped:
        return ImageError(f"no image could be read; the first of {len(skipped)}: {skipped[0].shown}: {skipped[0].why}")
    return ImageError("no images found", "name image files, or a folder that holds some")
