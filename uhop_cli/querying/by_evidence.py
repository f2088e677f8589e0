"""Answers by evidence: the noise model that explains a query best names the memory (`evidence.choice`); with known missing pixels
the likelihood of the visible ones does (`evidence.visible`). How sure they are is known from the self-test (`evidence.confidence`).

A large memory has codes (`evidence.shortlist`): then the evidence is looked for in two stages, on shortlists first, and among all
memories only where the answer that a shortlist gives is open.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from uhop_cli.arrays.library import to_numpy
from uhop_cli.arrays.operations import topk
from uhop_cli.arrays.threads import chunks, cores, on_all_cores
from uhop_cli.arrays.types import Bool, Float32, Int64, UInt8
from uhop_cli.evidence.backgrounds.opacity import background_grid
from uhop_cli.evidence.bands import BandGrid
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.doubts import doubts_of_visible
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.model import EvidenceEngine, EvidenceModel
from uhop_cli.evidence.prepared import PreparedQueries, without_mean
from uhop_cli.evidence.shortlist.codes import Coder
from uhop_cli.evidence.shortlist.index import CodeIndex, Shortlists
from uhop_cli.evidence.shortlist.listed import ListedEngine, StatisticsTable
from uhop_cli.evidence.shortlist.moves import back_in_place
from uhop_cli.evidence.shortlist.spectra import KeptSpectra, smooth
from uhop_cli.evidence.statistics import Statistics, encode, evidence_members
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.evidence.visible import visible_features, visible_log_likelihood, visible_unrelated
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer, answer_from, joined
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.certainty import Certainty
from uhop_cli.querying.examined import Examined
from uhop_cli.retrieval.models import FixedModel
from uhop_cli.retrieval.pattern_matrix import HostMatrix, PatternMatrix, pattern_matrix
from uhop_cli.retrieval.separation import Separation

VISIBLE_PIXELS = "visible pixels"
RIVALS = 4  # best memories that are looked at where a query is one of them on another background
LISTED = 1 << 16  # pairs of query and memory on shortlists that are looked at together: what is known of them stays in the cache
OPEN = (0.1, 0.9)  # confidence in the answer of a shortlist from which on, up to which, all memories are asked
SURE_OF_A_MOVE = 0.9995  # confidence; each of 24 moves is a chance for what is not stored to look like something that is
SURE_OF_NONE = 1 << 16  # memories up to which shortlists miss so few that below `OPEN` nothing like the query is stored
POSTERIOR = Separation.parse("softmax")  # at beta = 1 the weights are the posterior over the memories

Result = TypeVar("Result")


class ByEvidence:
    """The choice by evidence on a memory.

    Args:
        memory: what is stored.
        X: its patterns.
        budget: what may be taken of the memory there is.
        steps: T; None goes on to a fixed point.
    """

    def __init__(self, memory: Memory, X: PatternMatrix, budget: Budget, steps: int | None = None) -> None:
        self.memory, self.X, self.budget, self.steps = memory, X, budget, steps
        self.certainty = Certainty(memory)
        self._with_features: EvidenceEngine | None = None  # once they pay
        self._common: dict[str, Any] | None = None

    def answer(self, queries: Float32, visible: Bool | None, *, trace: bool = False) -> Answer:
        """The answers to queries (Q, d), of which the values marked in `visible` (Q, d) are known; None: all may be damaged.

        In two stages `Answer.rows` says which memories the weights are of.
        """
        if visible is not None:
            return self._by_visible(queries, visible, trace)
        if self._stages is None:
            return self.among_all(queries, trace=trace)
        answer, named, doubtful = self.on_shortlists(queries, self._stages, trace=trace)
        for part in chunks(len(doubtful), self.budget.batch):
            places = doubtful[part]
            answer = answer.updated(places, self.among_all(queries[places], trace=trace, named=named[places]))
        return answer

    def make_ready(self) -> None:
        """Makes what all queries need of the memory, which is made for the first of them otherwise."""
        if self._stages is None and self._engine_with_features() is None:
            self.engine  # noqa: B018  # it is kept

    def among_all(self, queries: Float32, *, trace: bool = False, named: Int64 | None = None) -> Answer:
        """The answers to queries (Q, d), all memories examined; those `named` (Q, N) pixel by pixel (`EvidenceEngine.named`)."""
        self.budget.asked += len(queries)
        if self._stages is None:
            return self.examine(self._engine_with_features() or self.engine, queries).answer(self.steps, trace=trace)
        # In two stages few queries come here, and what is bounded is the memory taken.
        named = self._stages.find(queries).named if named is None else named
        return self.examine(replace(self.engine, named=named), queries).answer(self.steps, trace=trace)

    def among(self, queries: Float32, rows: Int64, *, trace: bool = False, named: Int64 | None = None) -> Answer:
        """The answers to queries (Q, d), as if for each of them only the memories in its `rows` (Q, S) were stored; those of them
        that are `named` (Q, N) are looked at pixel by pixel."""
        places = None if named is None else Shortlists(rows, named).places

        def work(part: slice, engine: EvidenceEngine) -> Answer:
            engine = engine if places is None else replace(engine, named=places[part])
            return self.examine(engine, queries[part], rows[part]).answer(self.steps, trace=trace)

        return joined(self.over_lists(rows, work))

    def over_lists(self, rows: Int64, work: Callable[[slice, EvidenceEngine], Result]) -> list[Result]:
        """What `work` makes of the memories `rows` (Q, S) of each query alone, as the choice by evidence sees them: of some of the
        queries at a time, which are shared among the cores from beginning to end; in their order."""
        memory, kept, X = self.memory, self.statistics, self.X
        results: dict[int, Result] = {}
        if memory.opacity is None and isinstance(X, HostMatrix):
            common, table = self._common_of(kept), self._table
            table.expect(rows.size)

            def some(part: slice) -> None:
                statistics = table.of_lists(rows[part])
                engine = ListedEngine(X=X, statistics=statistics, bands=kept.bands, rows=rows[part], **common)
                results[part.start] = work(part, engine)

            on_all_cores(some, len(rows), min(max(1, LISTED // rows.shape[1]), -(-len(rows) // cores())))
            return [results[start] for start in sorted(results)]
        for place, own in enumerate(rows):
            opacity = None if memory.opacity is None else memory.opacity[own]
            engine = self.engine_from(pattern_matrix(memory.patterns[own], X.device), kept.select(own), opacity)
            results[place] = work(slice(place, place + 1), engine)
        return list(results.values())

    @cached_property
    def _table(self) -> StatisticsTable:
        return StatisticsTable(BlockGrid.of(self.memory.spec.shape), self.statistics)

    @cached_property
    def shortlist(self) -> CodeIndex | None:
        """What finds the memories that are worth examining, where there are codes of them, on the CPU."""
        codes, directions = self.memory.compact, self.memory.compact_map
        if codes is None or directions is None or not self.X.device.saves_products:
            return None
        kept, coder = self.statistics, Coder(directions, len(codes) - len(directions))
        return CodeIndex(codes, coder, KeptSpectra(BandGrid(self.memory.spec.shape), kept.bands, kept.band_scales))

    @cached_property
    def engine(self) -> EvidenceEngine:
        """All memories as the choice by evidence sees them."""
        return self.engine_from(self.X, self.statistics, self.memory.opacity)

    def on_shortlists(self, queries: Float32, shortlist: CodeIndex, *, trace: bool = False) -> tuple[Answer, Int64, Int64]:
        """The answers to queries (Q, d) from their shortlists, where that is open after a look at them in other places; what the
        shortlists name, (Q, N); and the places of the answers that are open."""
        listed = shortlist.find(queries)
        named, is_open = listed.places, np.zeros(len(queries), np.bool_)

        def work(part: slice, engine: EvidenceEngine) -> Answer:
            own, rows = queries[part], listed.rows[part]
            first = self.examine(replace(engine, named=named[part]), own, rows)
            doubtful = self.open_places(first.confidence, own)
            which, elsewhere = self._elsewhere(shortlist, own[doubtful], rows[doubtful], trace)
            is_open[part][np.delete(doubtful, which)] = True
            if elsewhere is None:
                return first.answer(self.steps, trace=trace)
            moved = doubtful[which]
            elsewhere = elsewhere.among(rows[moved])
            return elsewhere if len(moved) == len(own) else first.answer(self.steps, trace=trace).updated(moved, elsewhere)

        return joined(self.over_lists(listed.rows, work)), listed.named, np.flatnonzero(is_open)

    def _elsewhere(self, index: CodeIndex, queries: Float32, rows: Int64, trace: bool) -> tuple[Int64, Answer | None]:
        """Which of queries (Q, d) are surely one of their memories `rows` (Q, S) in another place, and the answers to these."""
        placed = back_in_place(index, self.memory.spec.shape, queries, rows)
        if not len(placed.which):
            return placed.which, None
        again = self.among(placed.queries, placed.rows, trace=trace)
        sure = np.flatnonzero(() if again.confidence is None else again.confidence >= SURE_OF_A_MOVE)
        return placed.which[sure], again.only(sure) if len(sure) else None

    def open_places(self, confidence: Float32 | None, queries: Float32) -> Int64:
        """The places of the answers to queries (Q, d) from shortlists that all memories are to be asked about; all without a
        confidence. Of smooth queries, whose memory a shortlist may miss, also those that are like nothing on it."""
        least = np.where(smooth(BandGrid(self.memory.spec.shape), queries) | (len(self.memory) > SURE_OF_NONE), 0.0, OPEN[0])
        confidence = least if confidence is None else confidence
        return np.flatnonzero((confidence >= least) & (confidence < OPEN[1]))

    def examine(
        self, engine: EvidenceEngine, queries: Float32, rows: Int64 | None = None, prepared: PreparedQueries | None = None
    ) -> Examined:
        """What is to be said of queries (Q, d), which may be prepared already, and of the memories of an engine, which are those in
        `rows` (Q, S); None: all."""
        model = EvidenceModel(engine, prepared or engine.prepare(queries))
        places = topk(to_numpy(model.choice.scores), 1 if self.memory.opacity is None else RIVALS)[1]
        ranked = places if rows is None else np.take_along_axis(rows, places, axis=1)
        confidence = self.certainty.of_choice(queries, to_numpy(model.choice.facts), ranked)
        return Examined(model=model, memories=engine.memories, confidence=confidence, rows=rows)

    def _by_visible(self, queries: Float32, visible: Bool, trace: bool) -> Answer:
        pictures, seen = self.X.device.put(queries), self.X.device.put(visible)
        scores = visible_log_likelihood(self.X, pictures, seen)
        return answer_from(
            FixedModel(scores, POSTERIOR, 1.0, VISIBLE_PIXELS),
            self.X,
            pictures,
            confidence=self.certainty.of_visible(visible_features(scores, pictures, seen)),
            steps=self.steps,
            clamp=(seen, pictures),
            trace=trace,
            why=doubts_of_visible(scores, visible_unrelated(pictures, seen)),
        )

    @property
    def _stages(self) -> CodeIndex | None:
        """What the first of two stages is by; None where all memories are examined at once."""
        return self.shortlist if self.certainty.calibrated else None

    def engine_from(self, X: PatternMatrix, kept: Statistics, opacity: UInt8 | None) -> EvidenceEngine:
        """The memories of X as the choice by evidence sees them, from their statistics and their opacity."""
        put, grid = X.device.put, BlockGrid.of(self.memory.spec.shape)
        sums = () if opacity is None or kept.opacity is None else (kept.opacity,)
        statistics = MemoryStatistics.of(grid, *(put(part) for part in (*kept.of_each, *sums)))
        veiled = None if statistics.backgrounds is None or opacity is None else pattern_matrix(opacity, X.device)
        return EvidenceEngine(X=X, statistics=statistics, opacity=veiled, **self._common_of(kept))

    def _common_of(self, kept: Statistics) -> dict[str, Any]:
        """What all engines of the memory have in common, made once: whichever memories are kept, the variances are those of all."""
        if self._common is None:
            kernel, members, spec = self.memory.kernel, evidence_members(self.memory.kernel), self.memory.spec
            self._common = {
                "grid": BlockGrid.of(spec.shape),
                "spectrum": Spectrum.of(kept.variances, spec.channels),
                "probes": lambda rows: kernel.probes(rows, members),
                "dims": (float(spec.dim),) * len(members),
            }
        return self._common

    def _engine_with_features(self) -> EvidenceEngine | None:
        """`engine` with W (xi - mean xi) of all memories at hand; None as long as they don't pay."""
        kernel, members = self.memory.kernel, evidence_members(self.memory.kernel)
        if self._with_features is None and self.budget.features_pay(len(members)):
            features = self.X.products(without_mean(kernel.weight))
            self._with_features = replace(
                self.engine, features=features, coordinates=lambda rows: kernel.coordinates(rows, members)
            )
        return self._with_features

    @cached_property
    def statistics(self) -> Statistics:
        """What the memory file keeps of each memory; computed where it is absent, or was made for other kernels or blocks."""
        memory, blocks = self.memory, BlockGrid.of(self.memory.spec.shape).side ** 2
        kept = memory.statistics
        bands = BandGrid(memory.spec.shape)
        widths = (blocks, blocks, len(evidence_members(memory.kernel)), bands.kept, len(bands.sizes), len(bands.order))
        known = kept is not None and kept.widths == widths
        if kept is not None and known and (memory.opacity is None or self._opacity_known(kept)):
            return kept
        return encode(memory.kernel, memory.spec, memory.patterns, opacity=memory.opacity)[1]

    def _opacity_known(self, kept: Statistics) -> bool:
        spec = self.memory.spec
        wanted = (2 + 2 * spec.channels, background_grid(spec.shape).side ** 2)
        return kept.opacity is not None and kept.opacity.shape[1:] == wanted
