"""What `uhop query` can be told."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from uhop_cli.corruption.corruption import Corruption
from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.separation import Separation

SIMILARITY_NAMES = ("auto", "kernel", "dot", "cosine", "l2", "l2-squared", "l1")


@dataclass(frozen=True)
class RetrievalSettings:
    """How to retrieve.

    Attributes:
        steps: T, or 'auto': to a fixed point.
        beta: inverse temperature, or 'auto': the stored one for the kernel, found from the memories' margins for the others.
        separation: as `Separation.parse` reads it.
        similarity: 'auto', 'kernel', 'dot', 'cosine', 'l2', 'l2-squared' or 'l1' (`retrieval.similarity`).
    """

    steps: int | Literal["auto"] = "auto"
    beta: float | Literal["auto"] = "auto"
    separation: str = "softmax"
    similarity: str = "auto"

    @property
    def limit(self) -> int | None:
        """T; None: as many steps as it takes to a fixed point."""
        return None if self.steps == "auto" else self.steps

    def __post_init__(self) -> None:
        Separation.parse(self.separation)
        if self.similarity not in SIMILARITY_NAMES:
            raise SettingsError(f"unknown similarity '{self.similarity}'", "one of " + ", ".join(SIMILARITY_NAMES))
        if self.steps != "auto" and self.steps < 1:
            raise SettingsError("a retrieval takes at least one step")
        if self.beta != "auto" and not 0 < self.beta < float("inf"):
            raise SettingsError("beta must be positive")
        if self.similarity == "auto" and (self.beta != "auto" or self.separation != "softmax"):
            raise SettingsError(
                "beta and separation belong to a plain kernel, not to the choice by evidence", "add --similarity kernel"
            )


ENTRIES_SHOWN = 5


@dataclass(frozen=True)
class QuerySettings:
    """Settings of `uhop query`, under the names of its options.

    Attributes:
        damage: corruptions applied first, in their order: frames to the picture at its own size, then the others to the pattern.
        known_mask: tell the retrieval which pixels `damage` removed.
        mask_file: a picture whose white parts are missing in the query.
        alpha: 'missing', 'blend', or 'auto': missing where the stored images are all opaque.
        truth: the undamaged picture, for the error.
        top: matches listed.
        min_confidence: below it nothing stored fits.
        originals: folder to look for the original files in.
        verify: 'auto': the best candidates are compared with their originals, where that may add something; 'never'.
        frames: 'auto': crops, borders, screenshots, mirror images, turns and rotations are looked for where the same frame gives no
            certain answer; 'same': never; 'all': always.
        trace: keep the picture of every step.
        seed: of the damage.
        device: where retrieval runs.
        retrieval: steps, beta, separation, similarity.
    """

    damage: tuple[Corruption, ...] = ()
    known_mask: bool = False
    mask_file: str | Path | None = None
    alpha: Literal["auto", "missing", "blend"] = "auto"
    truth: str | Path | None = None
    top: int = ENTRIES_SHOWN
    min_confidence: float = 0.5
    originals: str | Path | None = None
    verify: Literal["auto", "never"] = "auto"
    frames: Literal["auto", "same", "all"] = "auto"
    trace: bool = False
    seed: int = 0
    device: str = "auto"
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)

    def __post_init__(self) -> None:
        if self.alpha not in ("auto", "missing", "blend"):
            raise SettingsError(f"unknown treatment of transparency '{self.alpha}'", "use auto, missing or blend")
        if self.verify not in ("auto", "never"):
            raise SettingsError(f"unknown verification '{self.verify}'", "use auto or never")
        if self.frames not in ("auto", "same", "all"):
            raise SettingsError(f"unknown frames '{self.frames}'", "use auto, same or all")
        if self.frames == "all" and self.damage != self.framing:
            raise SettingsError("a query damaged here has no other frames", "leave out --frames all, or all damage but frames")
        if self.top < 1:
            raise SettingsError("at least one match has to be listed")
        if not 0 <= self.min_confidence <= 1:
            raise SettingsError("the least confidence is a probability, from 0 to 1")
        ordered = sorted(self.damage, key=lambda item: not item.is_frame)
        if ordered != list(self.damage):
            cure = " ".join(f"--corrupt {item}" for item in ordered)
            raise SettingsError("a frame is of the picture, and comes before damage to its pattern", f"write {cure}")

    @property
    def framing(self) -> tuple[Corruption, ...]:
        """Those of the damages that put the picture into another frame."""
        return tuple(item for item in self.damage if item.is_frame)

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        paths = {
            name: None if getattr(self, name) is None else str(getattr(self, name)) for name in ("mask_file", "truth", "originals")
        }
        own = {key: value for key, value in vars(self).items() if key not in ("damage", "retrieval", *paths)}
        return {**own, **paths, "damage": [item.label for item in self.damage], **asdict(self.retrieval)}
