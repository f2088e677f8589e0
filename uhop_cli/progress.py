"""How far a piece of work is: one callback type for every command."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is: `total` is None where it is not known."""

    stage: str
    done: int
    total: int | None
    note: str = ""


OnProgress = Callable[[Progress], None]


def started(progress: OnProgress | None, stage: str, total: int | None = None) -> None:
    """Tells that a stage has begun, so that it is seen also where it has no steps to tell of."""
    if progress:
        progress(Progress(stage, 0, total))
