"""What is asked of a memory and what comes back: settings, a prepared query, matches, the outcome for one picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool, Float32, UInt8


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
    visible: Bool | None
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
    state: UInt8
    damaged: UInt8
    pictures: tuple[UInt8, ...]
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
