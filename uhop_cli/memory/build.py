"""Images -> patterns -> kernel family -> self-test -> memory file: what `uhop store` runs.

Patterns are written into the new file while they are decoded and used from there; the file takes the place of the old one only when
all is done, so that an interruption at any moment leaves the old memory as it was.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

import uhop_cli
from uhop_cli.errors import ImageError, MemoryFileError, OutputError, SettingsError
from uhop_cli.images.discover import escape
from uhop_cli.images.patterns import PatternSpec, choose_spec
from uhop_cli.memory.atomic import lock
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.file import load
from uhop_cli.memory.ingest import Distinct, Ingested, Skipped, ingest
from uhop_cli.memory.learn import Learned, learn, loss_of, margins, separation_loss
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.memory.needs import check_memory, memory_needed
from uhop_cli.memory.partial import Records, recover
from uhop_cli.memory.report import StoreReport, report_of
from uhop_cli.memory.self_test import SelfTest, self_test
from uhop_cli.memory.settings import OnProgress, StoreSettings
from uhop_cli.memory.sources import Sources, collect, headers
from uhop_cli.memory.statistics import compact_codes, encode
from uhop_cli.memory.writer import Writer

SPARE_DISK = 64 << 20  # left free on the disk beside what the memory file takes


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
    _check_target(target, add=add, force=force)
    if dry_run:
        return _forecast(paths, target, settings or StoreSettings(), started, progress)
    with lock(target):
        old = load(target) if add and target.exists() else None
        settings = settings or _settings_of(old) or StoreSettings()
        folder = Path(os.path.realpath(target)).parent
        sources, left_out = collect(paths, folder)
        skipped = [Skipped(name, reason) for name, reason in left_out]
        spec = old.spec if old is not None else _spec(sources, settings, skipped, progress)
        kept, unchanged, changed, removed = _compare(old, sources, folder, prune=prune)
        if unchanged:
            sources = Sources([source for source in sources if source.name not in unchanged])
        with ExitStack() as stack:
            recovered = stack.enter_context(recover(target, spec))
            writer = stack.enter_context(Writer(target))
            distinct = Distinct(writer, spec)
            distinct.records = stack.enter_context(Records(target, spec, *writer.place))
            originals = stack.enter_context(tempfile.TemporaryFile(dir=folder)) if settings.embed else None
            count = len(sources) + (0 if kept is None else len(kept))
            _check_disk(folder, count * spec.dim)
            if count and not (keep_kernel and kept is not None):
                check_memory(count, spec.dim, settings)  # of all files, though some may turn out to be equal
            found = _take(kept, sources, distinct, originals, progress, recovered)
            skipped += found.skipped
            if settings.strict and skipped:
                raise ImageError(
                    f"{skipped[0].path}: {skipped[0].reason}",
                    f"{len(skipped)} files cannot be stored; leave out --strict to skip them",
                )
            entries = found.entries()
            if not len(entries):
                raise _nothing(skipped)
            memory, learned, test = _finish(
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
        wanted = [_entry_name(old, name, folder) for name in names]
        kept = old.without(wanted)
        settings = _settings_of(old) or StoreSettings()
        with Writer(target) as writer:
            distinct = Distinct(writer, old.spec)
            originals: IO[bytes] | None = None
            found = _take(kept, Sources([]), distinct, originals, progress)
            memory, learned, test = _finish(
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


def learn_memory(
    patterns: NDArray[np.uint8],
    spec: PatternSpec,
    entries: Entries,
    settings: StoreSettings,
    *,
    originals: Originals | None = None,
    transparent: bool = False,
    progress: OnProgress | None = None,
) -> tuple[Memory, Learned, SelfTest]:
    """Stage I and the self-test on distinct patterns (M, H, W, C): the memory that `store` writes.

    `transparent` says whether any stored image has transparent parts, which were laid on the background.
    """
    learned = learn(patterns, settings, progress)
    return _tested(patterns, spec, entries, originals, learned, settings, transparent, progress)


def _finish(
    patterns: NDArray[np.uint8],
    spec: PatternSpec,
    entries: Entries,
    transparent: bool,
    originals: IO[bytes] | None,
    settings: StoreSettings,
    keep: Memory | None,
    progress: OnProgress | None,
) -> tuple[Memory, Learned, SelfTest]:
    """The memory of what was found; with `keep`, its kernel instead of a new one."""
    embedded = None if originals is None else _embedded(originals, entries.sizes)
    if keep is None:
        return learn_memory(patterns, spec, entries, settings, originals=embedded, transparent=transparent, progress=progress)
    learned = Learned(keep.kernel, _stage1_of(keep))
    return _tested(patterns, spec, entries, embedded, learned, settings, transparent, progress)


def _tested(
    patterns: NDArray[np.uint8],
    spec: PatternSpec,
    entries: Entries,
    originals: Originals | None,
    learned: Learned,
    settings: StoreSettings,
    transparent: bool,
    progress: OnProgress | None,
) -> tuple[Memory, Learned, SelfTest]:
    resolved = settings.resolved()
    norms, statistics = encode(learned.kernel, spec, patterns, progress)
    codes, directions = compact_codes(spec, patterns, settings.seed, progress) or (None, None)
    draft = Memory(spec, patterns, learned.kernel, norms, entries, 1.0, {}, statistics, codes, directions)
    test = self_test(draft, resolved, progress)
    kernel = learned.kernel.with_chosen(test.chosen)
    loss = loss_of(resolved)
    detail = dict(learned.stage1)
    if detail.get("solver") == "closed-form":
        detail["loss_initial"] = separation_loss(None, patterns, loss, settings.seed)
        detail["loss_final"] = separation_loss(kernel, patterns, loss, settings.seed)
        detail["loss_bound"] = loss.bound(len(patterns), kernel.feature_dim) if len(patterns) > 1 else None
        detail["rho"] = kernel.rhos[kernel.chosen]
    separation = margins(kernel, norms, patterns, settings.seed)
    record: dict[str, Any] = {
        "settings": {key: value for key, value in settings.to_json().items() if key != "device"},
        "stage1": {key: value for key, value in detail.items() if key != "seconds"},
        "separation": separation,
        "self_test": [row.to_json() for row in test.rows],
        "calibration": test.calibration,
        "transparent": transparent,
        "retrieval": "paper" if settings.protocol == "paper" else "evidence",
        "seed": settings.seed,
        "versions": {"uhop": uhop_cli.__version__, "numpy": np.__version__, "python": platform.python_version()},
    }
    memory = replace(draft, kernel=kernel, beta=test.beta, record=record, originals=originals)
    return memory, replace(learned, kernel=kernel, stage1=detail), test


def _take(
    kept: Memory | None,
    sources: Sources,
    distinct: Distinct,
    originals: IO[bytes] | None,
    progress: OnProgress | None,
    decoded: Callable[[bytes], tuple[NDArray[np.uint8], bool] | None] = lambda digest: None,
) -> Ingested:
    """What was kept, then the new sources, in that order. A file whose content is stored already is not decoded again, nor is one
    that a killed run had `decoded`."""
    found = Ingested()
    rows_of: dict[bytes, int] = {}
    if kept is not None:
        rows = np.array([distinct.add(pattern) for pattern in kept.patterns])
        entries = kept.entries.with_rows(rows[kept.entries.name_entry])
        found = Ingested(entries, transparent=bool(kept.record.get("transparent")))
        digests = (entries.digest(index) for index in range(len(entries)))
        rows_of = dict(zip(digests, entries.name_entry.tolist(), strict=True))
        if originals is not None:
            if kept.originals is None:
                raise MemoryFileError(
                    "the memory holds no copies of its files, so --embed cannot be added to it",
                    "store all files again with --force --embed",
                )
            originals.write(kept.originals.data.tobytes())
    ingest(sources, distinct, found, originals=originals, known=rows_of.get, decoded=decoded, progress=progress)
    return found


def _compare(old: Memory | None, sources: Sources, folder: Path, *, prune: bool) -> tuple[Memory | None, set[bytes], int, int]:
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


def _spec(sources: Sources, settings: StoreSettings, skipped: Sequence[Skipped], progress: OnProgress | None) -> PatternSpec:
    """The pattern's size and colour: from the settings, and where these say 'auto' from the headers of all images."""
    if not len(sources):
        raise _nothing(skipped)
    seen = headers(sources, progress) if "auto" in (settings.size, settings.color) else []
    return choose_spec(seen, settings.size, settings.color, settings.background)


def _check_target(target: Path, *, add: bool, force: bool) -> None:
    shown = escape(target)
    if target.is_dir():
        raise OutputError(f"{shown}: a folder, not a file", f"name a file, such as {shown}/uhop.safetensors")
    if not target.parent.is_dir():
        raise OutputError(f"{escape(target.parent)}: no such folder", "make the folder first")
    if not os.access(target.parent, os.W_OK | os.X_OK):
        raise OutputError(f"{escape(target.parent)}: the folder cannot be written", "choose another place with -m")
    if target.exists() and not (add or force):
        raise OutputError(f"{shown}: exists already", "use --add to add to it, or --force to replace it")


def _check_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + SPARE_DISK > free:
        raise OutputError(
            f"{escape(folder)}: {needed / 1e6:.0f} MB are needed for the patterns, {free / 1e6:.0f} MB are free",
            "free some space, choose another place with -m, or a smaller --size",
        )


def _nothing(skipped: Sequence[Skipped]) -> ImageError:
    if skipped:
        return ImageError(f"no image could be read; the first of {len(skipped)}: {skipped[0].path}: {skipped[0].reason}")
    return ImageError("no images found", "name image files, or a folder that holds some")


def _embedded(originals: IO[bytes], sizes: NDArray[np.int64]) -> Originals:
    """The files' bytes, mapped from the temporary file."""
    originals.flush()
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    data = np.memmap(originals, np.uint8, "r") if offsets[-1] else np.zeros(0, np.uint8)
    return Originals(data, offsets)


def _settings_of(memory: Memory | None) -> StoreSettings | None:
    """The settings that a memory was made with; a record that does not fit (it is somebody's claim) gives the defaults."""
    if memory is None or not isinstance(memory.record.get("settings"), dict):
        return None
    try:
        return StoreSettings(**memory.record["settings"])
    except (TypeError, SettingsError):
        return None


def _stage1_of(memory: Memory) -> dict[str, Any]:
    """What a memory says about its Stage I: its known fields, as far as they are what they should be."""
    stage1 = memory.record.get("stage1")
    if not isinstance(stage1, dict) or stage1.get("solver") not in ("closed-form", "gradient"):
        return {}
    counts = {name: stage1[name] for name in ("iterations", "feature_dim") if type(stage1.get(name)) is int}
    numbers = ("learning_rate", "loss_initial", "loss_final", "loss_bound", "rho")
    known = {name: stage1.get(name) for name in numbers if isinstance(stage1.get(name), float | None)}
    return {"solver": stage1["solver"], **counts, **known}


def _entry_name(memory: Memory, name: str | bytes, folder: Path) -> bytes:
    """The stored name that is meant by a name or a path."""
    raw = os.fsencode(name)
    if memory.entries.find(raw) is not None:
        return raw
    return os.fsencode(os.path.relpath(os.fsdecode(raw), folder))


def _forecast(
    paths: Sequence[str | Path], target: Path, settings: StoreSettings, started: float, progress: OnProgress | None
) -> StoreReport:
    """What `store` would do: how many images, of which size, how many bytes; memory and disk are checked as for the real run."""
    folder = Path(os.path.realpath(target)).parent
    sources, left_out = collect(paths, folder)
    skipped = tuple(Skipped(name, reason) for name, reason in left_out)
    spec = _spec(sources, settings, skipped, progress)
    count = len(sources)
    size = count * (spec.dim + 64) + 4 * min(count, spec.dim, 1024) * spec.dim
    _check_disk(folder, count * spec.dim)
    note = f"learning takes about {memory_needed(count, spec.dim, settings) / 1e9:.1f} GB of memory"
    return StoreReport(
        str(target), count, count, spec, skipped=skipped, bytes=size, seconds=time.perf_counter() - started,
        dry_run=True, notes=(note,), config=settings.to_json(),
    )  # fmt: skip
