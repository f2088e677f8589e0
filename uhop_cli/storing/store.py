"""Images -> patterns -> kernel family -> self-test -> memory file: what `uhop store` runs.

Patterns are written into the new file while they are decoded and used from there; the file takes the place of the old one only when
all is done, so that an interruption at any moment leaves the old memory as it was.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO

from uhop_cli.errors import ImageError
from uhop_cli.files.lock import lock
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.writer import Writer
from uhop_cli.progress import OnProgress
from uhop_cli.storing.assemble import finish
from uhop_cli.storing.ingest import Distinct, Skipped, take
from uhop_cli.storing.needs import check_memory
from uhop_cli.storing.plan import check_disk, check_target, compare, entry_name, forecast, nothing_to_store, spec_of
from uhop_cli.storing.record import settings_of
from uhop_cli.storing.report import StoreReport, report_of
from uhop_cli.storing.resume import Records, recover
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.sources import Sources, collect


def store(
    paths: Sequence[str | Path],
    memory_file: str | Path,
    settings: StoreSettings | None = None,
    *,
    add: bool = False,
    prune: bool = False,
    keep_kernel: bool = False,
    force: bool = False,
    dry_run: bool = False,
    progress: OnProgress | None = None,
) -> StoreReport:
    """Learn on images and write a memory file.

    Args:
        paths: image files, folders and `.npy` arrays.
        memory_file: the file to write.
        settings: defaults for None; with `add`, pattern and Stage I settings come from the file where `settings` is None.
        add: keep what the file holds, add new files, replace changed ones.
        prune: with `add`, drop the files that are gone.
        keep_kernel: with `add`, encode with the kernel that is there instead of learning again.
        force: replace an existing file.
        dry_run: say what would be done, and write nothing.
        progress: told how far the work is.

    Raises:
        UhopError: nothing to store, no space, a memory file in the way, ...
    """
    started = time.perf_counter()
    target = Path(memory_file)
    check_target(target, add=add, force=force)
    if dry_run:
        return forecast(paths, target, settings or StoreSettings(), started, progress)
    with lock(target):
        old = load(target) if add and target.exists() else None
        settings = settings or settings_of(old) or StoreSettings()
        folder = Path(os.path.realpath(target)).parent
        sources, left_out = collect(paths, folder)
        skipped = [Skipped(name, reason) for name, reason in left_out]
        spec = old.spec if old is not None else spec_of(sources, settings, skipped, progress)
        kept, unchanged, changed, removed = compare(old, sources, folder, prune=prune)
        if unchanged:
            sources = Sources([source for source in sources if source.name not in unchanged])
        with ExitStack() as stack:
            recovered = stack.enter_context(recover(target, spec))
            writer = stack.enter_context(Writer(target))
            distinct = Distinct(writer, spec)
            distinct.records = stack.enter_context(Records(target, spec, *writer.place))
            originals = stack.enter_context(tempfile.TemporaryFile(dir=folder)) if settings.embed else None
            count = len(sources) + (0 if kept is None else len(kept))
            check_disk(folder, count * spec.dim)
            if count and not (keep_kernel and kept is not None):
                check_memory(count, spec.dim, settings)  # of all files, though some may turn out to be equal
            found = take(kept, sources, distinct, originals, progress, recovered)
            skipped += found.skipped
            if settings.strict and skipped:
                raise ImageError(
                    f"{skipped[0].path}: {skipped[0].reason}",
                    f"{len(skipped)} files cannot be stored; leave out --strict to skip them",
                )
            entries = found.entries()
            if not len(entries):
                raise nothing_to_store(skipped)
            memory, learned, test = finish(
                distinct.close(), spec, entries, found.transparent, originals, settings, kept if keep_kernel else None, progress
            )
            size = writer.finish(memory)
        return report_of(
            target, memory, learned, test, size, started, settings,
            added=len(entries) - (0 if kept is None else len(kept.entries)) - changed,
            changed=changed, unchanged=len(unchanged), removed=removed, skipped=tuple(skipped), taken_over=recovered.used,
        )  # fmt: skip


def remove(
    memory_file: str | Path, names: Sequence[str | bytes], *, keep_kernel: bool = False, progress: OnProgress | None = None
) -> StoreReport:
    """Take entries out of a memory file and learn again over the rest.

    Args:
        memory_file: the file.
        names: as `uhop info --list` shows them, or paths of the stored files.
        keep_kernel: keep the kernel as it is.

    Raises:
        MemoryFileError: a name is not in the memory, or nothing would be left.
    """
    started = time.perf_counter()
    target = Path(memory_file)
    with lock(target):
        old = load(target)
        folder = Path(os.path.realpath(target)).parent
        wanted = [entry_name(old, name, folder) for name in names]
        kept = old.without(wanted)
        settings = settings_of(old) or StoreSettings()
        with Writer(target) as writer:
            distinct = Distinct(writer, old.spec)
            originals: IO[bytes] | None = None
            found = take(kept, Sources([]), distinct, originals, progress)
            memory, learned, test = finish(
                distinct.close(),
                old.spec,
                found.entries(),
                found.transparent,
                None,
                settings,
                kept if keep_kernel else None,
                progress,
            )
            memory = replace(memory, originals=kept.originals)
            size = writer.finish(memory)
    return report_of(target, memory, learned, test, size, started, settings, removed=len(wanted), unchanged=len(kept.entries))
