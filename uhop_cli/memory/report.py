"""What `uhop store` says at the end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.ingest import Skipped


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
