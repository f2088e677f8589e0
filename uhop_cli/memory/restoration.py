"""What is asked of a memory and what comes back: settings, a prepared query, matches, the outcome for one picture."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.images.corrupt import Corruption
from uhop_cli.memory.retriever import RetrievalSettings

Float32 = NDArray[np.float32]
ENTRIES_SHOWN = 5


@dataclass(frozen=True)
class QuerySettings:
    """Settings of `uhop query`; cli.md's names.

    Attributes:
        damage: corruptions applied to the pattern first, in their order.
        known_mask: tell the retrieval which pixels `damage` removed.
        mask_file: a picture whose white parts are missing in the query.
        alpha: 'missing', 'blend', or 'auto': missing where the stored images are all opaque.
        truth: the undamaged picture, for the error.
        top: matches listed.
        min_confidence: below it nothing stored fits.
        originals: folder to look for the original files in.
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
    trace: bool = False
    seed: int = 0
    device: str = "auto"
    retrieval: RetrievalSettings = field(default_factory=RetrievalSettings)

    def __post_init__(self) -> None:
        if self.alpha not in ("auto", "missing", "blend"):
            raise SettingsError(f"unknown treatment of transparency '{self.alpha}'", "use auto, missing or blend")
        if self.top < 1:
            raise SettingsError("at least one match has to be listed")
        if not 0 <= self.min_confidence <= 1:
            raise SettingsError("the least confidence is a probability, from 0 to 1")

    def to_json(self) -> dict[str, Any]:
        """The settings as JSON values."""
        paths = {
            name: None if getattr(self, name) is None else str(getattr(self, name)) for name in ("mask_file", "truth", "originals")
        }
        own = {key: value for key, value in vars(self).items() if key not in ("damage", "retrieval", *paths)}
        return {**own, **paths, "damage": [item.label for item in self.damage], **asdict(self.retrieval)}


@dataclass(frozen=True)
class Query:
    """A picture as the retrieval sees it.

    Attributes:
        name: as it was given.
        pattern: (d,) after the damage.
        visible: (d,) which values are known, None for all.
        truth: (d,) the undamaged pattern, where it is known.
    """

    name: str
    pattern: Float32
    visible: NDArray[np.bool_] | None
    truth: Float32 | None


@dataclass(frozen=True)
class Match:
    """A stored pattern as an answer; `names` are all its files, the first of which names it."""

    rank: int
    name: str
    path: str
    weight: float
    similarity: float
    names: tuple[str, ...]
    row: int


@dataclass(frozen=True)
class Restoration:
    """The outcome for one picture. `to_json` is one of the results of `uhop.query/1`.

    Attributes:
        query: its name.
        matches: the best ones, in falling weight; `match` is the first, unless nothing stored fits.
        confidence: probability that the first match is right; None where no calibration applies.
        kernel: which kernel gave the answer.
        map: which retrieval map ran.
        steps, converged, energy: of the dynamics.
        settled: memory, metastable or diffuse; `metastable_size` counts the memories with a part in it.
        inside_radius: whether the query lay in the certified radius of its match; None for models that have none.
        sse, sse_query: squared error of the state and of the query, where the truth is known.
        output_kind: 'original' or 'state'.
        original: the stored file's bytes, if the output is the original; `suffix` is its file name's.
        state, damaged: pixels (H, W, C) of the retrieved state and of the query.
        pictures: pixels of every step, if the trace was asked for.
        arrays: x, weights, energy, for `--states`.
    """

    query: str
    matches: tuple[Match, ...]
    fits: bool
    confidence: float | None
    kernel: str
    map: str
    steps: int
    converged: bool
    energy: tuple[float, ...]
    settled: str
    metastable_size: int
    inside_radius: bool | None
    sse: float | None
    sse_query: float | None
    output_kind: Literal["original", "state"]
    original: bytes | None
    suffix: str
    state: NDArray[np.uint8]
    damaged: NDArray[np.uint8]
    pictures: tuple[NDArray[np.uint8], ...]
    arrays: dict[str, NDArray[Any]]

    @property
    def match(self) -> Match | None:
        """The answer, or None where nothing stored fits."""
        return self.matches[0] if self.fits else None

    def to_json(self, output: str | None = None) -> dict[str, Any]:
        """The result; `output` is the file that was written, if any."""
        match = self.match
        return {
            "query": self.query,
            "match": None if match is None else {"name": match.name, "path": match.path, "weight": match.weight},
            "confidence": self.confidence,
            "matches": [
                {
                    "rank": item.rank,
                    "name": item.name,
                    "path": item.path,
                    "weight": item.weight,
                    "similarity": item.similarity,
                    "names": list(item.names),
                }
                for item in self.matches
            ],
            "kernel": self.kernel,
            "map": self.map,
            "steps": self.steps,
            "converged": self.converged,
            "energy": list(self.energy),
            "settled": self.settled,
            "metastable_size": self.metastable_size,
            "inside_radius": self.inside_radius,
            "sse": self.sse,
            "sse_query": self.sse_query,
            "output": output,
            "output_kind": None if output is None else self.output_kind,
        }
