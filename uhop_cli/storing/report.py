"""What `uhop store` says at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.arrays.types import Int64
from uhop_cli.files.names import escape
from uhop_cli.images.discover import Skipped
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.file.shards import shard_count, stored_bytes
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.near import UNSEEN, VERIFIED, NearPairs
from uhop_cli.storing.assemble import Stored
from uhop_cli.storing.plan import Plan
from uhop_cli.storing.record import SelfTested, stage1_of
from uhop_cli.storing.settings import StoreSettings

DESCRIBING = 0.01  # seconds of a core for each picture


@dataclass(frozen=True, kw_only=True)
class StoreReport:
    """The outcome of a store, an add or a remove. `to_json` is the document `uhop.store/1` of docs/json.md.

    Attributes:
        memory: path of the memory file.
        stored: files in the memory, duplicates included.
        patterns: distinct patterns, M.
        added, changed, unchanged, removed, renamed: files, compared with the memory as it was.
        skipped: files that could not be stored, with the reason.
        duplicates: groups of file names with equal patterns; `identical` counts those groups whose files are equal byte for byte.
        near_duplicates: pairs of names whose patterns are nearly equal and whose originals are one picture.
        near: pairs of nearly equal patterns, of which `near_unseen` were not looked at.
        pattern: size and channels.
        stage1: solver, iterations, losses, bound and seconds of Stage I.
        separation: R_Phi and the smallest margin.
        beta: inverse temperature of the plain kernel.
        self_test: one row for each corruption.
        local: what is described locally: `pictures`, `descriptors`, their `bytes`, and the `seconds` that describing took in this
            run, of all threads together; None: nothing is.
        bytes: size of the memory file, or of all shards and their index (forecast, for a dry run).
        shards: how many; 0: it is one file.
        seconds: the whole run; `seconds_expected`: what a dry run thinks that the real one will take.
        written: whether the memory file was written; not where it would be the same.
        dry_run: nothing was written, as was asked for.
        notes: what the user should know: constant images, a memory of one image and the like.
    """

    memory: str
    stored: int
    patterns: int
    pattern: PatternSpec
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    renamed: int = 0
    skipped: tuple[Skipped, ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    identical: int = 0
    near_duplicates: tuple[tuple[str, str], ...] = ()
    near: int = 0
    near_unseen: int = 0
    stage1: dict[str, Any] = field(default_factory=dict)
    separation: dict[str, Any] = field(default_factory=dict)
    beta: float | None = None
    self_test: tuple[dict[str, Any], ...] = ()
    local: dict[str, Any] | None = None
    bytes: int = 0
    shards: int = 0
    seconds: float = 0.0
    seconds_expected: float | None = None
    written: bool = True
    dry_run: bool = False
    notes: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document `uhop.store/1`."""
        spec = self.pattern
        return {
            "schema": "uhop.store/1",
            "config": self.config,
            "memory": self.memory,
            "stored": self.stored,
            "patterns": self.patterns,
            "added": self.added,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "removed": self.removed,
            "renamed": self.renamed,
            "skipped": [{"path": item.shown, "reason": item.why} for item in self.skipped],
            "duplicates": [list(group) for group in self.duplicates],
            "near_duplicates": [list(pair) for pair in self.near_duplicates],
            "near": self.near,
            "near_unseen": self.near_unseen,
            "pattern": {"width": spec.width, "height": spec.height, "channels": spec.channels},
            "stage1": self.stage1,
            "separation": self.separation,
            "beta": self.beta,
            "self_test": list(self.self_test),
            "local": self.local,
            "bytes": self.bytes,
            "shards": self.shards,
            "seconds": self.seconds,
            "seconds_expected": self.seconds_expected,
            "written": self.written,
            "dry_run": self.dry_run,
            "notes": list(self.notes),
        }


def forecast(plan: Plan, target: Path, settings: StoreSettings, started: float, expected: float, *, shards: int = 0) -> StoreReport:
    """What a plan comes to: how many images, of which size, how many bytes, how much memory, how many seconds (`expected`)."""
    return StoreReport(
        memory=str(target),
        stored=plan.files,
        patterns=plan.patterns,
        added=len(plan.sources) - plan.changed,
        changed=plan.changed,
        unchanged=plan.unchanged,
        removed=plan.removed,
        renamed=plan.renamed,
        skipped=plan.skipped,
        pattern=plan.spec,
        bytes=plan.bytes,
        shards=shards,
        seconds=time.perf_counter() - started,
        seconds_expected=expected,
        written=False,
        dry_run=True,
        notes=tuple(_forecast_notes(plan)),
        config=settings.to_json(),
    )


def unchanged_report(
    memory: Memory, plan: Plan, target: Path, settings: StoreSettings, started: float, skipped: tuple[Skipped, ...]
) -> StoreReport:
    """The report on the memory in the file `target` to which there was nothing to add."""
    return StoreReport(
        memory=str(target),
        unchanged=plan.unchanged,
        skipped=skipped,
        stage1=stage1_of(memory.record),
        local=_local(memory.local, 0.0),
        bytes=stored_bytes(target),
        shards=shard_count(target),
        seconds=time.perf_counter() - started,
        written=False,
        config=settings.to_json(),
        **_held(memory),
    )


def report_of(
    stored: Stored,
    target: Path,
    settings: StoreSettings,
    started: float,
    *,
    size: int,
    shards: int = 0,
    added: int = 0,
    changed: int = 0,
    unchanged: int = 0,
    removed: int = 0,
    renamed: int = 0,
    skipped: tuple[Skipped, ...] = (),
    taken_over: int = 0,
    more_pages: int = 0,
    described_in: float = 0.0,
    undescribed: str | None = None,
) -> StoreReport:
    """The report on a memory that was written.

    Args:
        stored: the memory, and how it came about.
        target: its file, of `size` bytes; with `shards` these are so many.
        settings: asked for.
        started: when the run began, by `time.perf_counter`.
        added, changed, unchanged, removed, renamed, skipped: of the report.
        taken_over: images that a killed run had decoded.
        more_pages: files of which only the first of several pages or frames was taken.
        described_in: seconds that describing took.
        undescribed: why nothing was described, if that needs a word.
    """
    memory = stored.memory
    return StoreReport(
        memory=str(target),
        added=added,
        changed=changed,
        unchanged=unchanged,
        removed=removed,
        renamed=renamed,
        skipped=skipped,
        stage1=stored.learned.stage1,
        local=_local(memory.local, described_in),
        bytes=size,
        shards=shards,
        seconds=time.perf_counter() - started,
        notes=(*_notes(memory, taken_over, more_pages), *([] if undescribed is None else [undescribed])),
        config=settings.to_json(),
        **_held(memory),
    )


def _held(memory: Memory) -> dict[str, Any]:
    """What a report says of a memory, whatever was done. Its record may be a file's claim."""
    entries, separation, rows = memory.entries, memory.record.get("separation"), memory.record.get("self_test")
    groups = _equal_files(entries)
    near = memory.near or NearPairs(np.zeros((0, 2), np.int64), np.zeros(0, np.int8))
    return {
        "stored": len(entries),
        "patterns": len(memory),
        "duplicates": tuple(tuple(escape(entries.name(int(index))) for index in group) for group in groups),
        "identical": sum(len(np.unique(entries.digests[group], axis=0)) == 1 for group in groups),
        "near_duplicates": tuple(
            (escape(memory.name(a)), escape(memory.name(b))) for a, b in near.pairs[near.verified == VERIFIED].tolist()
        ),
        "near": len(near.pairs),
        "near_unseen": int((near.verified == UNSEEN).sum()),
        "pattern": memory.spec,
        "separation": dict(separation) if isinstance(separation, dict) else {},
        "beta": memory.beta,
        "self_test": tuple(row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else (),
    }


def _forecast_notes(plan: Plan) -> Iterator[str]:
    yield f"learning takes about {plan.needed / 1e9:.1f} GB of memory"
    if plan.describable:
        yield f"{plan.describable:,} pictures will be described locally, in about {plan.describable * DESCRIBING:.0f} s of one core"
    if plan.undescribed is not None:
        yield plan.undescribed


def _local(local: LocalDescriptors | None, seconds: float) -> dict[str, Any] | None:
    if local is None:
        return None
    return {"pictures": local.pictures, "descriptors": len(local.codes), "bytes": local.nbytes, "seconds": seconds}


def _equal_files(entries: Entries) -> list[Int64]:
    """The files of each pattern that has more than one."""
    order = np.argsort(entries.name_entry, kind="stable")
    _, first, numbers = np.unique(entries.name_entry[order], return_index=True, return_counts=True)
    return [order[first[place] : first[place] + numbers[place]] for place in np.flatnonzero(numbers > 1)]


def _notes(memory: Memory, taken_over: int, more_pages: int) -> Iterator[str]:
    flat = memory.patterns.reshape(len(memory), -1)
    constant = sum(int((part == part[:, :1]).all(axis=1).sum()) for part in (flat[i : i + 4096] for i in range(0, len(flat), 4096)))
    if taken_over:
        yield f"{taken_over} images had been decoded by a run that was killed, and were not decoded again"
    if more_pages:
        have = "1 file has" if more_pages == 1 else f"{more_pages} files have"
        yield f"{have} more pages or frames than the first, which was taken; --pages all stores each"
    tested = SelfTested.of(memory.record)
    if tested is not None and tested.changed:
        yield f"the self-test is kept: it is that of {tested.patterns:,} pictures, of which few have changed ({tested.changed:,})"
    if len(memory) == 1:
        yield "only one pattern is stored: whatever is asked, it is the answer"
    if constant > 1:
        yield f"{constant} images are of one plain colour each; damaged copies of these cannot be told apart reliably"
