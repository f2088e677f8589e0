"""What is asked of a memory and what comes back: settings, a prepared query, matches, the outcome for one picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool, Float32, Int64, UInt8
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.sheet import Sheet
from uhop_cli.images.decode import Image, decode
from uhop_cli.images.patterns import PatternSpec, to_pixels
from uhop_cli.memory.originals import Whereabouts
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.words.confidence import Words, confidence_words
from uhop_cli.querying.words.frames import frame_json
from uhop_cli.retrieval.states import settled

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage


@dataclass(frozen=True)
class Query:
    """A picture as the retrieval sees it.

    Attributes:
        name: as it was given.
        pattern: (d,) after the damage.
        visible: (d,) which values are known, None for all.
        truth: (d,) the undamaged pattern, where it is known.
        notes: what is odd about the file: it is cut short, or holds further pages.
        sheet: the picture at higher resolution, which originals are compared with; None where there is no more than the pattern.
        picture: decodes it again, for other frames: few queries need it, and all at a time would be large. Transparent where the
            query is missing; None: it can no longer be read. None instead of a function: no other frames.
        on_background: whether it is transparent itself, and lies on the background of the memory as stored pictures do.
    """

    name: str
    pattern: Float32
    visible: Bool | None
    truth: Float32 | None
    notes: tuple[str, ...] = ()
    sheet: Sheet | None = None
    picture: Callable[[], Image | None] | None = None
    on_background: bool = False


@dataclass(frozen=True)
class Answered:
    """Some of the queries of a run and the answers to them, with what takes less time for all of them together than for each.

    Attributes:
        queries: Q of them, prepared.
        answer: to all of them, in their order.
        spec: of the patterns.
        above: `size_threshold` of the separation function.
    """

    queries: Sequence[Query]
    answer: Answer
    spec: PatternSpec
    above: float

    @cached_property
    def settled(self) -> tuple[NDArray[np.str_], Int64]:
        """Kinds and sizes of the states, (Q,) each."""
        return settled(self.answer.weights, self.above)

    @cached_property
    def states(self) -> UInt8:
        """What the last steps read out, (Q, H, W, C)."""
        return to_pixels(self.answer.pictures[-1], self.spec)

    @cached_property
    def damaged(self) -> UInt8:
        """The queries, (Q, H, W, C)."""
        return to_pixels(np.stack([query.pattern for query in self.queries]), self.spec)


@dataclass(frozen=True, kw_only=True)
class Match:
    """A stored pattern as an answer.

    Attributes:
        rank, weight, similarity, row: its place among the matches, what it has of the weight, its score, its row in the memory.
        names: all its files, and those of stored pictures that are the same one, as their originals say.
        name, path: the one that was used, an existing one first.
        whereabouts: what became of that file; None where it was not looked for, since the match is not the answer.
        frame: where its original lies in the query; None: it is the whole of it, as far as one knows.
        verified: whether its original says that it is in the query; None: not decided or not verified.
    """

    rank: int
    name: str
    path: str
    weight: float
    similarity: float
    names: tuple[str, ...]
    row: int
    whereabouts: Whereabouts | None = None
    frame: Frame | None = None
    verified: bool | None = None

    def to_json(self) -> dict[str, Any]:
        """The match as JSON values."""
        values = {name: getattr(self, name) for name in ("rank", "name", "path", "weight", "similarity")}
        return {**values, "names": list(self.names), "frame": frame_json(self.frame), "verified": self.verified}


@dataclass(frozen=True, kw_only=True)
class Identification:
    """What the retrieval says: which memory, how sure, and how it came to it.

    Attributes:
        matches: the best ones, in falling weight.
        fits: whether the first one is sure enough to be the answer.
        why: the reason if it is not (`evidence.doubts.Reason`). Two that fit about equally are the first of `matches`, both.
        confidence: probability that it is right; None where no calibration applies.
        verified: whether the original says so: true, it does; false, it contradicts; None, not decided or not verified.
        verified_words, verified_reason: which of these, for a person, and why, where originals were compared.
        kernel: which kernel gave the answer.
        map: which retrieval map ran.
        steps, converged, energy: of the dynamics.
        settled: memory, metastable or diffuse; `metastable_size` counts the memories with a part in it.
        inside_radius: whether the query lay in the certified radius of its match; None for models that have none.
    """

    matches: tuple[Match, ...]
    fits: bool
    why: str | None
    confidence: float | None
    verified: bool | None
    verified_words: str
    verified_reason: str | None
    kernel: str
    map: str
    steps: int
    converged: bool
    energy: tuple[float, ...]
    settled: str
    metastable_size: int
    inside_radius: bool | None

    @property
    def frame(self) -> Frame | None:
        """Where the original of the answer lies in the query; None: it is the whole of it."""
        return self.matches[0].frame if self.fits else None

    @property
    def words(self) -> Words | None:
        """How sure the answer is, for a person."""
        return confidence_words(self.confidence, self.fits)

    def to_json(self) -> dict[str, Any]:
        """The fields after `match` of one of the results of `uhop.query/1`."""
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in ("matches", "fits")}
        confidence = values.pop("confidence")
        matches = [match.to_json() for match in self.matches]
        return {
            "confidence": confidence,
            "confidence_words": self.words,
            "frame": frame_json(self.frame),
            "matches": matches,
            **values,
            "energy": list(self.energy),
        }


@dataclass(frozen=True, kw_only=True)
class SquaredErrors:
    """sum (x - xi)^2 over the pixels, of the retrieved state and of the query, against the truth."""

    state: float
    query: float


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """What there is to see.

    Attributes:
        original: the stored file's bytes, if the output is the original; `suffix` is its file name's, `page` which of its pages.
        state, damaged: pixels (H, W, C) of the retrieved state and of the query.
        steps: pixels of every step, if the trace was asked for.
    """

    original: bytes | None
    suffix: str
    state: UInt8
    damaged: UInt8
    steps: tuple[UInt8, ...]
    page: int = 1

    @property
    def kind(self) -> Literal["original", "state"]:
        """What the output is."""
        return "state" if self.original is None else "original"


@dataclass(frozen=True, kw_only=True)
class Restoration:
    """The outcome for one picture. `to_json` is one of the results of `uhop.query/1`.

    Attributes:
        query: its name.
        answer: what it is a copy of.
        error: against the truth, where that is known.
        pictures: the output, and what it was made from.
        arrays: x, weights, energy, for `--states`.
        notes: those of the query.
    """

    query: str
    answer: Identification
    error: SquaredErrors | None
    pictures: Pictures
    arrays: dict[str, NDArray[Any]]
    notes: tuple[str, ...] = ()

    def __repr__(self) -> str:
        sure = self.answer.words or "no probability"
        found = f"is {self.match.name}" if self.match else f"nearest {self.answer.matches[0].name}"
        return f"<uhop Restoration: {self.query} {found}, {sure}>"

    @property
    def picture(self) -> PILImage:
        """The picture that comes back, as a PIL image: the original, else the retrieved pattern."""
        from PIL import Image

        if self.pictures.original is None:
            pixels = self.pictures.state
        else:
            found = decode(self.pictures.original, page=self.pictures.page)
            pixels = found.pixels if found.alpha is None else np.dstack((found.pixels, found.alpha))
        return Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the picture that comes back."""
        buffer = BytesIO()
        self.picture.save(buffer, "PNG")
        return buffer.getvalue()

    @property
    def match(self) -> Match | None:
        """The answer, or None where nothing stored fits."""
        return self.answer.matches[0] if self.answer.fits else None

    def to_json(self, output: str | None = None) -> dict[str, Any]:
        """The result; `output` is the file that was written, if any."""
        match = self.match
        return {
            "query": self.query,
            "match": None
            if match is None
            else {
                "name": match.name,
                "path": match.path,
                "weight": match.weight,
                "also": [name for name in match.names if name != match.name],
                "original": match.whereabouts,
            },
            **self.answer.to_json(),
            "sse": None if self.error is None else self.error.state,
            "sse_query": None if self.error is None else self.error.query,
            "notes": list(self.notes),
            "output": output,
            "output_kind": None if output is None else self.pictures.kind,
        }
