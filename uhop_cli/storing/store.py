"""Images -> patterns -> kernel family -> self-test -> memory file: what `uhop store` runs.

Patterns are written into the new file while they are decoded and used from there; the file takes the place of the old one only when
all is done, so that an interruption at any moment leaves the old memory as it was.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Literal

from uhop_cli.errors import ImageError, SettingsError
from uhop_cli.files.lock import lock
from uhop_cli.frames.local.collection import Collection
from uhop_cli.images.discover import Skipped
from uhop_cli.memory.file.index import file_of, located
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.replacing import clean_up, index_behind
from uhop_cli.memory.file.shard_writer import Destination, bounds_of
from uhop_cli.memory.file.shards import shard_count, stored_checksum
from uhop_cli.memory.file.writer import Writer
from uhop_cli.memory.lookup import look_up
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.originals import OriginalFiles
from uhop_cli.progress import OnProgress
from uhop_cli.storing import marks
from uhop_cli.storing.assemble import Draft, Stored, embedded, learn_memory
from uhop_cli.storing.ingest import Distinct, take
from uhop_cli.storing.near_duplicates import looked_at, pairs_to_look_at, propose
from uhop_cli.storing.needs import expected_seconds
from uhop_cli.storing.opacity import OpacityRows
from uhop_cli.storing.passes.passes import ByShard, Crew, Passes, Threads, Whole
from uhop_cli.storing.plan import Plan, check_target, make_plan, nothing_to_store
from uhop_cli.storing.record import SelfTested, is_of_today, settings_of
from uhop_cli.storing.report import StoreReport, forecast, report_of, unchanged_report
from uhop_cli.storing.resume import Records, recover
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.sources import Sources


def store(
    paths: Sequence[str | Path],
    memory_file: str | Path,
    settings: StoreSettings | None = None,
    *,
    add: bool = False,
    prune: bool = False,
    keep_kernel: bool = False,
    reread: bool = False,
    force: bool = False,
    dry_run: bool = False,
    shards: int | Literal["auto"] | None = None,
    crew: Crew | None = None,
    progress: OnProgress | None = None,
) -> StoreReport:
    """Learn on images and write a memory file; with `add` and nothing new it stays as it is.

    Args:
        paths: image files, folders and `.npy` arrays.
        memory_file: the file to write.
        settings: defaults for None; with `add`, pattern and Stage I settings come from the file where `settings` is None.
        add: keep what the file holds, add new files, replace changed ones.
        prune: with `add`, drop the files that are gone.
        keep_kernel: with `add`, encode with the kernel that is there instead of learning again.
        reread: with `add`, read also the files whose sizes and times say that they are as they were.
        force: replace an existing file.
        dry_run: say what would be done, and write nothing.
        shards: into how many files, with an index; 'auto': as many as keep each below 8 GiB; None: one file, or with `add` as
            many as there are.
        crew: does what is done shard by shard, and decodes files; by default threads of this process.
        progress: told how far the work is.

    Raises:
        UhopError: nothing to store, no space, a memory file in the way, ...
    """
    started = time.perf_counter()
    target = Path(memory_file)
    there = located(target)
    check_target(there, add=add, force=force)
    with nullcontext() if dry_run else lock(file_of(target)):
        if not dry_run:
            clean_up(index_behind(target))
        old = load(there) if add and there.exists() else None
        settings = settings or (StoreSettings() if old is None else settings_of(old.record))
        known = None if old is None or reread else marks.recall(old.entries, stored_checksum(target))
        plan = make_plan(paths, target, settings, old=old, marks=known, prune=prune, progress=progress)
        learning = not (keep_kernel and plan.kept is not None)
        place = Destination.of(target, shards, expected=plan.bytes, keep=old is not None)
        plan.check(target, settings, learning=learning, copies=2 if place.shards else 1)
        if crew is not None and not place.shards:
            raise SettingsError("a cluster stores a memory in shards, and this is one file", "add --shards N")
        if dry_run:
            expected = expected_seconds(plan, settings, learning=learning)
            return forecast(plan, target, settings, started, expected, shards=place.shards)
        if not len(plan.sources) and _stays(plan, place, settings):
            return _unchanged(plan, target, settings, started, _checked(plan.skipped, strict=settings.strict))
        return _carry_out(plan, place, target, settings, started, keep_kernel=keep_kernel, crew=crew, progress=progress)


def _stays(plan: Plan, place: Destination, settings: StoreSettings) -> bool:
    """Whether a memory to which nothing is added would be written as it is."""
    if plan.kept is None or plan.changes or not is_of_today(plan.kept, settings):
        return False
    return place.shards == shard_count(place.file)


def _unchanged(plan: Plan, target: Path, settings: StoreSettings, started: float, skipped: tuple[Skipped, ...]) -> StoreReport:
    """The report on a memory to which nothing was added; it is not written."""
    assert plan.kept is not None
    if plan.read:
        marks.keep(plan.kept.entries, stored_checksum(target), plan.marks)
    return unchanged_report(plan.kept, plan, target, settings, started, skipped)


def _carry_out(
    plan: Plan,
    place: Destination,
    target: Path,
    settings: StoreSettings,
    started: float,
    *,
    keep_kernel: bool,
    crew: Crew | None,
    progress: OnProgress | None,
) -> StoreReport:
    with ExitStack() as stack:
        recovered = stack.enter_context(recover(place.file, plan.spec))
        writer = stack.enter_context(Writer(place.file))
        folder = os.path.dirname(os.path.realpath(target))
        opacity = stack.enter_context(OpacityRows(plan.spec.height, plan.spec.width, folder))
        distinct = Distinct(writer, plan.spec, opacity)
        distinct.records = stack.enter_context(Records(place.file, plan.spec, *writer.place))
        originals = stack.enter_context(tempfile.TemporaryFile(dir=folder)) if settings.embed else None
        collection = stack.enter_context(_collecting(plan, settings, folder))
        found = take(plan.kept, plan.sources, distinct, originals, progress, recovered, collection, crew)
        skipped = _checked((*plan.skipped, *found.skipped), strict=settings.strict)
        entries = found.entries()
        if not len(entries):
            raise nothing_to_store(skipped)
        if plan.kept is not None and len(entries) == len(plan.kept.entries) and _stays(plan, place, settings):
            return _unchanged(plan, target, settings, started, skipped)
        copies = None if originals is None else embedded(originals, found.copies)
        local = None if collection is None else collection.finish()
        draft = Draft(plan.spec, distinct.close(), entries, found.transparent, copies, distinct.shapes, local, opacity.close())
        before = None if plan.kept is None else _before(plan.kept, settings, len(plan.sources) + plan.removed)
        passes = _passes(draft, place, writer, crew, progress)
        keep = plan.kept if keep_kernel else None
        stored = _learned(draft, settings, target, keep=keep, before=before, passes=passes, progress=progress)
        size = place.finish(stored.memory, writer)
        marks.keep(stored.memory.entries, stored_checksum(target), plan.marks)
    return report_of(
        stored, target, settings, started, size=size, shards=min(place.shards, len(stored.memory)),
        added=len(entries) - (0 if plan.kept is None else len(plan.kept.entries)) - plan.changed,
        changed=plan.changed, unchanged=plan.unchanged, removed=plan.removed, renamed=plan.renamed,
        skipped=skipped, taken_over=recovered.used, more_pages=found.more_pages if settings.pages == "first" else 0,
        described_in=0.0 if collection is None else collection.seconds, undescribed=plan.undescribed,
    )  # fmt: skip


@contextmanager
def _collecting(plan: Plan, settings: StoreSettings, folder: str) -> Iterator[Collection | None]:
    """What takes local descriptors, with those that are kept; None where there are none, or none are wanted."""
    before = None if plan.kept is None else plan.kept.local
    if settings.local == "off" or (before is None and not plan.describable):
        yield None
        return
    with tempfile.TemporaryFile(dir=folder) as waiting, tempfile.TemporaryFile(dir=folder) as coded:
        kept = 0 if plan.kept is None else len(plan.kept)
        yield Collection(waiting, coded, kept, before, describes=plan.describable > 0)


def _before(kept: Memory, settings: StoreSettings, changes: int) -> tuple[Memory, SelfTested] | None:
    """The memory that was there and what its self-test is of after so many changes, where it is kept."""
    tested = SelfTested.of(kept.record)
    after = None if tested is None else tested.after(changes)
    if after is None or settings.self_test != "auto" or not is_of_today(kept, settings):
        return None
    return kept, after


def _passes(draft: Draft, place: Destination, writer: Writer, crew: Crew | None, progress: OnProgress | None) -> Passes:
    """What goes through the patterns of a draft: shard by shard where there are to be some."""
    whole = Whole(draft.spec, draft.patterns, draft.opacity, progress)
    if not place.shards:
        return whole
    name, room = writer.place
    path = Path(os.path.realpath(place.file)).parent / name
    return ByShard.of(whole, path, room, bounds_of(len(draft.patterns), place.shards), crew or Threads())


def _learned(
    draft: Draft,
    settings: StoreSettings,
    target: Path,
    *,
    keep: Memory | None,
    before: tuple[Memory, SelfTested] | None,
    passes: Passes,
    progress: OnProgress | None,
) -> Stored:
    """The memory of a draft, with its self-test, which may be that of the memory before, and its near-duplicates."""
    test = settings.self_test != "off"
    stored = learn_memory(draft, settings, keep=keep, before=before, test=test, passes=passes, progress=progress)
    memory = stored.memory
    near = propose(memory, progress)
    if settings.self_test != "off":
        most = None if settings.self_test == "full" else pairs_to_look_at(len(memory))
        near = looked_at(near, memory, OriginalFiles(memory, target), most, progress)
    return replace(stored, memory=replace(memory, near=near))


def _checked(skipped: tuple[Skipped, ...], *, strict: bool) -> tuple[Skipped, ...]:
    if strict and skipped:
        raise ImageError(
            f"{skipped[0].shown}: {skipped[0].why}",
            f"{len(skipped)} files cannot be stored; leave out --strict to skip them",
        )
    return skipped


def remove(
    memory_file: str | Path, names: Sequence[str | bytes], *, keep_kernel: bool = False, progress: OnProgress | None = None
) -> StoreReport:
    """Take entries out of a memory file and learn again over the rest.

    Args:
        memory_file: the file.
        names: as `uhop info --list` shows them, paths of the stored files, or unique endings of their names.
        keep_kernel: keep the kernel as it is.

    Raises:
        MemoryFileError: a name is not in the memory, or means several files, or nothing would be left.
    """
    started = time.perf_counter()
    target = Path(memory_file)
    with lock(file_of(target)):
        clean_up(index_behind(target))
        old, place = load(target), Destination.of(target, None, keep=True)
        folder = Path(os.path.realpath(target)).parent
        wanted = look_up(old.entries, names, folder)
        kept = old.without(wanted)
        settings = settings_of(old.record)
        with Writer(place.file) as writer, OpacityRows(old.spec.height, old.spec.width, str(folder)) as opacity:
            distinct = Distinct(writer, old.spec, opacity)
            found = take(kept, Sources([]), distinct, None, progress)
            patterns, transparent = distinct.close(), found.transparent
            draft = Draft(
                old.spec, patterns, found.entries(), transparent, kept.originals, distinct.shapes, kept.local, opacity.close()
            )
            before = _before(kept, settings, len(wanted))
            passes, keep = _passes(draft, place, writer, None, progress), kept if keep_kernel else None
            stored = _learned(draft, settings, target, keep=keep, before=before, passes=passes, progress=progress)
            size = place.finish(stored.memory, writer)
    return report_of(
        stored, target, settings, started, size=size, shards=min(place.shards, len(stored.memory)),
        removed=len(wanted), unchanged=len(kept.entries),
    )  # fmt: skip
