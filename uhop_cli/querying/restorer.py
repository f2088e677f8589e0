"""A damaged picture -> its pattern -> retrieval -> match, confidence, original or state: what `uhop query` runs."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from uhop_cli.arrays.device import resolve_device
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.types import Float32
from uhop_cli.files.names import escape
from uhop_cli.images.formats.signatures import HEAD_BYTES, SUFFIXES, sniff, suffix_of
from uhop_cli.images.given import Given
from uhop_cli.images.patterns import to_pixels
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.originals import Original, OriginalFiles
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.certificate import certified_radius
from uhop_cli.querying.reading import QueryReader
from uhop_cli.querying.restoration import Answered, Identification, Match, Pictures, Query, Restoration, SquaredErrors
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import QuerySettings
from uhop_cli.querying.verifying import CANDIDATES, Verdict, Verifier
from uhop_cli.querying.words.confidence import CERTAIN
from uhop_cli.retrieval.states import size_threshold

if TYPE_CHECKING:
    from uhop_cli.frames.search import Found
    from uhop_cli.querying.framing import Framer
    from uhop_cli.querying.shards.asking import Asker

ORIGINAL_WEIGHT = 0.99  # of the weight on one memory: from there on the answer is that memory, not a mixture


class Restorer:
    """Answers queries from one memory.

    Args:
        memory: a memory, or the path of a memory file.
        settings: what to do with every query.
        expected: how many queries will come, where that is known.
        asker: asks the shards of a memory in shards; by default one after the other.
    """

    def __init__(
        self,
        memory: Memory | str | Path,
        settings: QuerySettings | None = None,
        *,
        expected: int = 0,
        asker: Asker | None = None,
    ) -> None:
        self.settings = settings or QuerySettings()
        self.path = None if isinstance(memory, Memory) else Path(memory)
        self.memory = memory if isinstance(memory, Memory) else load(memory)
        flop = 2.0 * len(self.memory) * self.memory.spec.dim * 10
        self.device = resolve_device(self.settings.device, flop)
        self._expected, self._asker = expected, asker
        self.retriever = self._retriever(self.memory)
        self.originals = None if self.path is None else OriginalFiles(self.memory, self.path, self.settings.originals)
        self._radii: dict[int, float | None] = {}
        self._verifier = Verifier(self.memory) if self.originals is not None and self.settings.verify == "auto" else None
        self._reader = QueryReader(self.memory, self.settings, verifies=self._verifier is not None)
        self._alone = expected <= 1

    def prepare(self, source: Given, name: str | None = None) -> Query:
        """The query that a picture is: decoded, brought to the pattern's size, and damaged if that was asked for.

        Args:
            source: a path, bytes, a PIL image, an array (`images.given`).
            name: what to call it; by default its path.

        Raises:
            ImageError: it cannot be read, or nothing of it is visible.
        """
        return self._reader.query(source, name)

    @overload
    def restore(self, source: list[Given] | tuple[Given, ...], name: str | None = None) -> list[Restoration]: ...
    @overload
    def restore(self, source: Given, name: str | None = None) -> Restoration: ...
    def restore(self, source: Given, name: str | None = None) -> Restoration | list[Restoration]:
        """Prepare and answer one picture, or each of a list of them together."""
        if isinstance(source, list | tuple):
            return self.answer([self.prepare(item, name) for item in source]) if source else []
        return self.answer([self.prepare(source, name)])[0]

    def answer(self, queries: Sequence[Query]) -> list[Restoration]:
        """Answer prepared queries together: those on the background, others without and those with a mask each in batches."""
        results: list[Restoration | None] = [None] * len(queries)
        alone = self._alone and len(queries) == 1
        kinds = [(query.visible is not None, query.visible is None and query.on_background) for query in queries]
        for masked, on_background in sorted(set(kinds)):
            chosen = [index for index, kind in enumerate(kinds) if kind == (masked, on_background)]
            retriever = self._on_background if on_background else self.retriever
            patterns = np.stack([queries[index].pattern for index in chosen])
            visible = np.stack([queries[index].visible for index in chosen]) if masked else None  # type: ignore[misc]
            for part, answer in retriever.batches(patterns, visible, trace=self.settings.trace):
                answered = self._answered([queries[index] for index in chosen[part]], answer)
                for place, index in enumerate(chosen[part]):
                    results[index] = self._restoration(answered, place, alone=alone)
        found = [result for result in results if result is not None]
        return [self._looked_further(query, result) for query, result in zip(queries, found, strict=True)]

    def _answered(self, queries: Sequence[Query], answer: Answer) -> Answered:
        return Answered(queries, answer, self.memory.spec, size_threshold(self.retriever.separation.alpha))

    def _looked_further(self, query: Query, result: Restoration) -> Restoration:
        """The answer in another frame, where the same frame leaves it open and another one settles it."""
        if not self._is_open(query, result):
            return result
        found, left_out = self._in_another_frame(query), self._framer.left_out
        if found is not None or left_out is None:
            return found or result
        return replace(result, notes=(*result.notes, left_out))

    @cached_property
    def _on_background(self) -> Retriever:
        """For queries that lie on the memory's own background: then no other one need be thought of."""
        return self.retriever if self.memory.opacity is None else self._retriever(self.memory.without_opacity)

    def _retriever(self, memory: Memory) -> Retriever:
        return Retriever(memory, self.settings.retrieval, self.device, features_expected=self._expected, asker=self._asker)

    def _is_open(self, query: Query, result: Restoration) -> bool:
        """Whether a query is looked for in other frames, after what the same frame has said."""
        answer = result.answer
        if query.picture is None or answer.verified is True:
            return False
        return self.settings.frames == "all" or (answer.confidence is not None and answer.confidence < CERTAIN)

    def _in_another_frame(self, query: Query) -> Restoration | None:
        """The answer in the frame of a stored picture that confirms it; None where there is none."""
        opened: dict[int, Original] = {}
        most = self.settings.top if self.settings.frames == "all" else 1
        framed = self._framer.framed(query, lambda row: self._original(row, opened), most)
        if framed is None:
            return None
        known, found = framed
        visible = None if known.visible is None else known.visible[None]
        answer = self.retriever.retrieve(known.pattern[None], visible, trace=self.settings.trace)
        return self._restoration(self._answered([known], answer), 0, alone=True, found=found)

    def _restoration(self, answered: Answered, place: int, *, alone: bool, found: Sequence[Found] = ()) -> Restoration:
        """The answer to one of the queries; what was found in frames comes first, in its order."""
        query, answer = answered.queries[place], answered.answer
        confidence = None if answer.confidence is None else float(answer.confidence[place])
        by_pattern = answer.best if self._fits(confidence) else answer.doubtful
        best = by_pattern(place, max(self.settings.top, CANDIDATES))
        settled_in = best[0][0]
        opened: dict[int, Original] = {}
        frames = {one.row: one for one in reversed(found)}
        if found:
            from uhop_cli.querying.framing import verdict_on

            verdict = verdict_on(found[0])
            best = [*(answer.of(place, row) for row in reversed(frames)), *(one for one in best if one[0] not in frames)]
        else:
            verdict = self._verdict(query, [row for row, _, _ in best], confidence, opened, alone)
            best.insert(0, best.pop(verdict.best))
        fits = self._fits(verdict.confidence)
        original = self._original(best[0][0], opened) if fits else None
        ranked = enumerate(best[: self.settings.top], 1)
        matches = tuple(self._match(rank, *one, original if rank == 1 else None, frames.get(one[0])) for rank, one in ranked)
        if not found:
            matches = (replace(matches[0], verified=verdict.verified), *matches[1:])
        state, truth, other = answer.pictures[-1][place], query.truth, None
        if best[0][0] != settled_in:  # the originals name another one than the dynamics came to
            state = other = unit_rows(self.memory.patterns[matches[0].row : matches[0].row + 1])[0]
        identification = self._identification(answered, place, matches, verdict, fits=fits)
        same = self.memory.same(matches[0].row)
        is_one = verdict.verified is True or sum(weight for row, weight, _ in best if row in same) >= ORIGINAL_WEIGHT
        arrays = {
            "x": np.stack([query.pattern, *(picture[place] for picture in answer.pictures)]),
            "weights": answer.weights[place],
            "energy": np.array(identification.energy),
        }
        return Restoration(
            query=query.name,
            answer=identification,
            error=None
            if truth is None
            else SquaredErrors(state=squared_error(state, truth), query=squared_error(query.pattern, truth)),
            pictures=self._pictures(answered, place, other, original if is_one else None),
            arrays=arrays if answer.rows is None else {**arrays, "rows": answer.rows[place]},
            notes=query.notes,
        )

    def _fits(self, confidence: float | None) -> bool:
        return confidence is None or confidence >= self.settings.min_confidence

    def _why(self, answer: Answer, place: int, verdict: Verdict) -> str | None:
        """Why an answer is refused."""
        if verdict.verified is False:
            return verdict.words
        return None if answer.why is None else answer.why[place].reason.value

    def _verdict(
        self, query: Query, rows: list[int], confidence: float | None, opened: dict[int, Original], alone: bool
    ) -> Verdict:
        if self._verifier is None:
            return Verdict(None, "not verified", None, 0, confidence)
        return self._verifier.verdict(query, rows, confidence, lambda row: self._original(row, opened), alone=alone)

    def _original(self, row: int, opened: dict[int, Original]) -> Original | None:
        """The original of a row, read once for a query; None where no originals are to be had."""
        if self.originals is None:
            return None
        if row not in opened:
            opened[row] = self.originals.of(row)
        return opened[row]

    def _identification(
        self, answered: Answered, place: int, matches: tuple[Match, ...], verdict: Verdict, *, fits: bool
    ) -> Identification:
        (kinds, sizes), answer = answered.settled, answered.answer
        steps = int(answer.steps[place])
        return Identification(
            matches=matches,
            fits=fits,
            why=None if fits else self._why(answer, place, verdict),
            confidence=verdict.confidence,
            verified=verdict.verified,
            verified_words=verdict.words,
            verified_reason=verdict.reason,
            kernel=answer.kernels[place],
            map=answer.map,
            steps=steps,
            converged=bool(answer.converged[place]),
            energy=() if answer.energies is None else tuple(map(float, answer.energies[: steps + 1, place])),
            settled=str(kinds[place]),
            metastable_size=int(sizes[place]),
            inside_radius=self._inside_radius(answered.queries[place], matches[0]),
        )

    def _pictures(self, answered: Answered, place: int, other: Float32 | None, found: Original | None) -> Pictures:
        """The pictures of an answer; the state is an `other` one than the dynamics came to, where that is given."""
        spec = self.memory.spec
        original, suffix = None, ".png"
        kind = None if found is None or found.content is None else sniff(found.content[:HEAD_BYTES]).format
        if found is not None and kind is not None:  # what is no picture, such as the row of an array, is not handed out as one
            original = found.content
            suffix = found.path.suffix if found.path.suffix.lower() in SUFFIXES else suffix_of(kind)
        trace = answered.answer.pictures if self.settings.trace else ()
        return Pictures(
            original=original,
            suffix=suffix,
            state=answered.states[place] if other is None else to_pixels(other[None], spec)[0],
            damaged=answered.damaged[place],
            steps=tuple(to_pixels(picture[place][None], spec)[0] for picture in trace),
            page=1 if found is None else found.page,
        )

    def _inside_radius(self, query: Query, match: Match) -> bool | None:
        """Whether the query is so close to its match that the plain kernel is certain to retrieve it; None for another model."""
        settings = self.settings.retrieval
        plain = settings.similarity == "kernel" or (settings.similarity == "auto" and self.memory.raw_features)
        if not plain or query.visible is not None:
            return None
        if match.row not in self._radii:
            beta = self.memory.beta if settings.beta == "auto" else settings.beta
            self._radii[match.row] = certified_radius(self.memory, match.row, self.retriever.separation.alpha, beta)
        radius = self._radii[match.row]
        if radius is None:
            return None
        return bool(np.linalg.norm(query.pattern - unit_rows(self.memory.patterns[match.row : match.row + 1])[0]) < radius)

    def _match(self, rank: int, row: int, weight: float, similarity: float, used: Original | None, found: Found | None) -> Match:
        same, own = self.memory.same(row), self._names(row)
        if used is None:
            paths = [os.path.join(self._folder, name) for name in own]
            first = next((place for place, path in enumerate(paths) if os.path.lexists(path)), 0) if len(paths) > 1 else 0
            name, path = own[first], paths[first]
        else:
            name, path = os.fsdecode(self.memory.entries.name(used.index)), str(used.path)
        return Match(
            rank=rank,
            name=escape(name),
            path=escape(path),
            weight=weight,
            similarity=similarity,
            names=tuple(escape(one) for other in same for one in (own if other == row else self._names(other))),
            row=row,
            whereabouts=None if used is None else used.whereabouts,
            frame=None if found is None or found.frame.is_identity else found.frame,
            verified=True if found is not None and found.unseen is None else None,
        )

    def _names(self, row: int) -> list[str]:
        """The names of the files of a row."""
        entries = self.memory.entries
        return [os.fsdecode(entries.name(index)) for index in entries.files_of(row).tolist()]

    @cached_property
    def _folder(self) -> str:
        """What names are relative to, as it is shown before them."""
        base = Path() if self.originals is None else self.originals.base
        return "" if base == Path() else str(base)

    @cached_property
    def _framer(self) -> Framer:
        """Made for the first query that is looked for in other frames, and not imported before."""
        from uhop_cli.querying.framing import Framer

        # Without workers it is all done here, with what was made of the memories at hand for the next query.
        shards = None if self._asker is None else self.retriever.shards
        return Framer(self.memory, thorough=self.settings.frames == "all", shards=shards)


def squared_error(picture: Float32, truth: Float32) -> float:
    """sum (x - xi)^2 over the pixels, both clamped to [0, 1]: the error of the papers' tables."""
    return float(np.square(np.clip(picture, 0, 1).astype(np.float64) - np.clip(truth, 0, 1)).sum())


def query_document(restorer: Restorer, results: Sequence[dict[str, Any]], started: float) -> dict[str, Any]:
    """The document `uhop.query/1` around the results of `Restoration.to_json`."""
    return {
        "schema": "uhop.query/1",
        "config": restorer.settings.to_json(),
        "memory": None if restorer.path is None else str(restorer.path),
        "device": restorer.device.kind,
        "results": list(results),
        "seconds": time.perf_counter() - started,
    }
