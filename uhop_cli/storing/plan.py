"""What a store has to do, found out before any decoding: the pattern, what is new, changed or gone, room on the disk."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from uhop_cli.errors import ImageError, OutputError
from uhop_cli.files.names import escape
from uhop_cli.images.patterns import PatternSpec, choose_spec
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress
from uhop_cli.storing.ingest import Skipped
from uhop_cli.storing.needs import memory_needed
from uhop_cli.storing.report import StoreReport
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.sources import Sources, collect, headers

SPARE_DISK = 64 << 20  # left free on the disk beside what the memory file takes


def compare(old: Memory | None, sources: Sources, folder: Path, *, prune: bool) -> tuple[Memory | None, set[bytes], int, int]:
    """What of the old memory stays; the names of unchanged files; how many are changed, and how many are gone and dropped."""
    if old is None:
        return None, set(), 0, 0
    import hashlib

    entries = old.entries
    at = {name: index for index, name in enumerate(entries.names())}
    keep = np.ones(len(entries), np.bool_)
    unchanged: set[bytes] = set()
    changed = removed = 0
    for source in sources:
        index = at.get(source.name)
        if index is None:
            continue
        try:
            same = hashlib.sha256(source.read()).digest() == entries.digest(index)
        except ImageError:
            same = True  # unreadable now: what is stored stays, and the file is not asked for again
        if same:
            unchanged.add(source.name)
        else:
            keep[index] = False
            changed += 1
    if prune:
        for name, index in at.items():
            if keep[index] and not os.path.lexists(os.path.join(os.fsencode(folder), name)) and not name.endswith(b"]"):
                keep[index] = False
                removed += 1
    if not keep.any():
        return None, unchanged, changed, removed
    return (old if keep.all() else old.keep(keep)), unchanged, changed, removed


def spec_of(sources: Sources, settings: StoreSettings, skipped: Sequence[Skipped], progress: OnProgress | None) -> PatternSpec:
    """The pattern's size and colour: from the settings, and where these say 'auto' from the headers of all images."""
    if not len(sources):
        raise nothing_to_store(skipped)
    seen = headers(sources, progress) if "auto" in (settings.size, settings.color) else []
    return choose_spec(seen, settings.size, settings.color, settings.background)


def check_target(target: Path, *, add: bool, force: bool) -> None:
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
    free = shutil.disk_usage(folder).free
    if needed + SPARE_DISK > free:
        raise OutputError(
            f"{escape(folder)}: {needed / 1e6:.0f} MB are needed for the patterns, {free / 1e6:.0f} MB are free",
            "free some space, choose another place with -m, or a smaller --size",
        )


def nothing_to_store(skipped: Sequence[Skipped]) -> ImageError:
    if skipped:
        return ImageError(f"no image could be read; the first of {len(skipped)}: {skipped[0].path}: {skipped[0].reason}")
    return ImageError("no images found", "name image files, or a folder that holds some")


def entry_name(memory: Memory, name: str | bytes, folder: Path) -> bytes:
    """The stored name that is meant by a name or a path."""
    raw = os.fsencode(name)
    if memory.entries.find(raw) is not None:
        return raw
    return os.fsencode(os.path.relpath(os.fsdecode(raw), folder))


def forecast(
    paths: Sequence[str | Path], target: Path, settings: StoreSettings, started: float, progress: OnProgress | None
) -> StoreReport:
    """What `store` would do: how many images, of which size, how many bytes; memory and disk are checked as for the real run."""
    folder = Path(os.path.realpath(target)).parent
    sources, left_out = collect(paths, folder)
    skipped = tuple(Skipped(name, reason) for name, reason in left_out)
    spec = spec_of(sources, settings, skipped, progress)
    count = len(sources)
    size = count * (spec.dim + 64) + 4 * min(count, spec.dim, 1024) * spec.dim
    check_disk(folder, count * spec.dim)
    note = f"learning takes about {memory_needed(count, spec.dim, settings) / 1e9:.1f} GB of memory"
    return StoreReport(
        str(target), count, count, spec, skipped=skipped, bytes=size, seconds=time.perf_counter() - started,
        dry_run=True, notes=(note,), config=settings.to_json(),
    )  # fmt: skip
