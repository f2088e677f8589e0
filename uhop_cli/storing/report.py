"""What `uhop store` says at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.files.names import escape
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.memory import Memory
from uhop_cli.storing.ingest import Skipped
from uhop_cli.storing.learn import Learned
from uhop_cli.storing.self_test import SelfTest
from uhop_cli.storing.settings import StoreSettings


@dataclass(frozen=True)
class StoreReport:
    """The outcome of a store, an add or a remove. `to_json` is the document `uhop.store/1` of docs/cli.md.

    Attributes:
        memory: path of the memory file.
        stored: files in the memory, duplicates included.
        patterns: distinct patterns, M.
        added, changed, unchanged, removed: files, compared with the memory as it was.
        skipped: files that could not be stored, with the reason.
        duplicates: groups of file names with equal patterns; `identical` counts those groups whose files are equal byte for byte.
        pattern: size and channels.
        stage1: solver, iterations, losses, bound and seconds of Stage I.
        separation: R_Phi and the smallest margin.
        beta: inverse temperature of the plain kernel.
        self_test: one row for each corruption.
        bytes: size of the memory file (forecast, for a dry run).
        seconds: the whole run.
        dry_run: nothing was written.
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
    skipped: tuple[Skipped, ...] = ()
    duplicates: tuple[tuple[str, ...], ...] = ()
    identical: int = 0
    stage1: dict[str, Any] = field(default_factory=dict)
    separation: dict[str, Any] = field(default_factory=dict)
    beta: float | None = None
    self_test: tuple[dict[str, Any], ...] = ()
    bytes: int = 0
    seconds: float = 0.0
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
            "skipped": [{"path": item.path, "reason": item.reason} for item in self.skipped],
            "duplicates": [list(group) for group in self.duplicates],
            "pattern": {"width": spec.width, "height": spec.height, "channels": spec.channels},
            "stage1": self.stage1,
            "separation": self.separation,
            "beta": self.beta,
            "self_test": list(self.self_test),
            "bytes": self.bytes,
            "seconds": self.seconds,
            "dry_run": self.dry_run,
            "notes": list(self.notes),
        }


def report_of(
    target: Path,
    memory: Memory,
    learned: Learned,
    test: SelfTest,
    size: int,
    started: float,
    settings: StoreSettings,
    *,
    taken_over: int = 0,
    **counts: Any,
) -> StoreReport:
    """The report on a memory that was written.

    Args:
        target, size: the file and its bytes.
        memory, learned, test: what it holds, and how it came about.
        started: when the run began, by `time.perf_counter`.
        settings: asked for.
        taken_over: images that a killed run had decoded.
        counts: `added`, `changed`, ... of the report.
    """
    entries = memory.entries
    order = np.argsort(entries.name_entry, kind="stable")
    _, first, numbers = np.unique(entries.name_entry[order], return_index=True, return_counts=True)
    several = np.flatnonzero(numbers > 1)
    groups = [order[first[place] : first[place] + numbers[place]] for place in several]
    identical = sum(len(np.unique(entries.digests[group], axis=0)) == 1 for group in groups)
    flat = memory.patterns.reshape(len(memory), -1)
    constant = sum(int((part == part[:, :1]).all(axis=1).sum()) for part in (flat[i : i + 4096] for i in range(0, len(flat), 4096)))
    notes = []
    if taken_over:
        notes.append(f"{taken_over} images had been decoded by a run that was killed, and were not decoded again")
    if len(memory) == 1:
        notes.append("only one pattern is stored: whatever is asked, it is the answer")
    if constant > 1:
        notes.append(f"{constant} images are of one plain colour each; damaged copies of these cannot be told apart reliably")
    return StoreReport(
        str(target),
        len(entries),
        len(memory),
        memory.spec,
        duplicates=tuple(tuple(escape(entries.name(int(index))) for index in group) for group in groups),
        identical=identical,
        stage1=learned.stage1,
        separation=dict(memory.record["separation"]),
        beta=memory.beta,
        self_test=tuple(row.to_json() for row in test.rows),
        bytes=size,
        seconds=time.perf_counter() - started,
        notes=tuple(notes),
        config=settings.to_json(),
        **counts,
    )
