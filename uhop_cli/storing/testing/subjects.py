"""What the self-test asks of a memory in the making, be it one or to be in shards.

`InOne` compares damaged copies with all memories at once. `InShards` has the shards propose, as they do in a query
(`querying.shards`): all copies go through one shard before the next, and what was prepared of it is let go, so that a store takes
the memory that its largest shard asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from uhop_cli.arrays.device import CPU
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.evidence.backgrounds.opacity import see_through
from uhop_cli.evidence.confidence import Sample
from uhop_cli.evidence.verdicts import PROPOSALS
from uhop_cli.evidence.visible import visible_log_likelihood
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.by_similarity import pattern_lengths
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.by_evidence import EvidenceOfShards, listed_of
from uhop_cli.querying.shards.choosing import Chosen, Found, Preparation
from uhop_cli.querying.shards.messages import Asked, Proposals
from uhop_cli.querying.shards.shard import Shard
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.storing.testing.trials import (
    Answers,
    Masked,
    Outcome,
    Told,
    Trial,
    attempt,
    in_passes,
    known_sample,
    outcomes_of,
    tried,
)

PIECE = 1 << 17  # memories of one file that copies go through together: the scores of a pass have to be held
COPIES_BYTES = 64 << 20  # of copies that go from shard to shard together

Note = Callable[[int, int], object]  # told how much of how much is done


class Subject(Protocol):
    """A memory that is tried."""

    def see_through(self) -> Int64:
        """The rows of the memories through which a background is seen, rising."""
        ...

    def shortlisted(self, damaged: Float32, rows: Int64) -> float | None:
        """The share of the memories in `rows`, (Q,), that the shortlists of their copies (Q, d) hold; None where there are none."""
        ...

    def known(self, copies: Sequence[Masked]) -> list[Sample]:
        """A sample of each of these copies."""
        ...

    def outcomes(self, trials: Sequence[Trial], seed: int, note: Note) -> list[Outcome]:
        """What the copies of all trials gave."""
        ...


class InOne:
    """A memory that is one file.

    Args:
        memory: with norms and statistics; calibration and beta are not looked at.
    """

    def __init__(self, memory: Memory) -> None:
        self._evidence = ByEvidence(memory, pattern_matrix(memory.patterns), Budget(memory, CPU, "evidence"))

    def see_through(self) -> Int64:
        """See `Subject`."""
        laid = self._evidence.engine.statistics.backgrounds
        return np.zeros(0, np.int64) if laid is None else laid.places

    def shortlisted(self, damaged: Float32, rows: Int64) -> float | None:
        """See `Subject`."""
        return _shortlisted(self._evidence, damaged, rows)

    def known(self, copies: Sequence[Masked]) -> list[Sample]:
        """See `Subject`."""
        X, found = self._evidence.X, list[Sample]()
        for some in in_passes(copies, X.count):
            queries, visible = (np.concatenate([getattr(one, name) for one in some]) for name in ("damaged", "visible"))
            scores = visible_log_likelihood(X, queries, visible)
            ends = np.cumsum([len(one.rows) for one in some])[:-1]
            found += [known_sample(part, one) for part, one in zip(np.split(scores, ends), some, strict=True)]
        return found

    def outcomes(self, trials: Sequence[Trial], seed: int, note: Note) -> list[Outcome]:
        """See `Subject`."""
        found: list[Outcome] = []
        lengths = pattern_lengths(self._evidence.X)
        for group in in_passes(trials, self._evidence.X.count):
            found += attempt(self._evidence, lengths, group, seed)
            note(len(found), len(trials))
        return found


class InShards:
    """A memory that is to be in shards; it is also who asks them (`Shards`), or pieces of them where they are large.

    Args:
        memory: see `InOne`.
        bounds: the rows at which shards begin and end.
    """

    def __init__(self, memory: Memory, bounds: Sequence[int]) -> None:
        pieces = [place for begin, end in pairwise(bounds) for place in range(begin, end, PIECE)]
        self._whole, self._bounds = memory, bounds
        self._shards = _shards(memory, [*pieces, bounds[-1]])
        parts = tuple(shard.memory for shard in self._shards)
        self._memory = replace(memory, shards=parts)
        self._evidence = ByEvidence(memory, pattern_matrix(memory.patterns), Budget(memory, CPU, "evidence"))
        self._prepare = Preparation(self._evidence, parts)

    def all(self, name: str, *arguments: Any, meanwhile: Callable[[], object] | None = None) -> list[Any]:
        """See `Shards.all`; what a shard has prepared is let go before the next."""
        answers = []
        if meanwhile is not None:
            meanwhile()
        for shard in self._shards:
            answers.append(getattr(shard, name)(*arguments))
            shard.let_go()
        return answers

    def see_through(self) -> Int64:
        """See `Subject`."""
        found = [np.zeros(0, np.int64)]
        for shard in self._shards:
            kept = shard.memory.statistics
            if kept is not None and kept.opacity is not None:
                found.append(see_through(self._memory.spec.shape, kept.opacity) + shard.first)
        return np.concatenate(found)

    def shortlisted(self, damaged: Float32, rows: Int64) -> float | None:
        """See `Subject`: of the shortlists that shards look at."""
        if self._memory.compact is None:
            return None
        most = listed_of(replace(self._whole, shards=tuple(shard.memory for shard in self._listed)))
        return float(np.any([shard.lists(damaged, rows, most) for shard in self._listed], axis=0).mean())

    @cached_property
    def _listed(self) -> list[Shard]:
        """The shards whole, which have shortlists."""
        return _shards(self._whole, self._bounds)

    def known(self, copies: Sequence[Masked]) -> list[Sample]:
        """See `Subject`: the best of each shard hold the best of all, and the next."""
        found = list[Sample]()
        for some in in_passes(copies, max(map(len, self._memory.shards))):
            queries, visible = (np.concatenate([getattr(one, name) for one in some]) for name in ("damaged", "visible"))
            parts = self.all("attend", Asked(kind="visible", queries=queries, visible=visible))
            named, scores = (np.concatenate([getattr(part, name) for part in parts], axis=1) for name in ("rows", "scores"))
            ends = np.cumsum([len(one.rows) for one in some])[:-1]
            each = zip(np.split(scores, ends), some, np.split(named, ends), strict=True)
            found += [known_sample(*one) for one in each]
        return found

    def outcomes(self, trials: Sequence[Trial], seed: int, note: Note) -> list[Outcome]:
        """See `Subject`."""
        found: list[Outcome] = []
        lengths, largest = pattern_lengths(self._evidence.X), max(map(len, self._memory.shards))
        for groups in self._rounds(list(in_passes(trials, largest))):
            copies = [np.concatenate([trial.copies(self._memory, seed) for trial in group]) for group in groups]
            proposals: list[list[Proposals]] = [[] for _ in groups]
            for number, shard in enumerate(self._shards):
                for queries, parts in zip(copies, proposals, strict=True):
                    parts.append(shard.propose(queries, None, most=PROPOSALS + 1))  # one may be left out
                shard.let_go()
                done = len(found) + sum(map(len, groups)) * (number + 1) / (len(self._shards) + 1)
                note(int(done), len(trials))
            for group, queries, parts in zip(groups, copies, proposals, strict=True):
                found += outcomes_of(self._evidence, lengths, group, queries, self._answers(group, queries, parts))
            note(len(found), len(trials))
        return found

    def _rounds(self, groups: list[list[Trial]]) -> Iterator[list[list[Trial]]]:
        """Groups of trials, as many at a time as their copies have room, at least one."""
        room = COPIES_BYTES // (4 * self._memory.spec.dim)
        taken: list[list[Trial]] = []
        for group in groups:
            if taken and sum(len(trial.rows) for other in (*taken, group) for trial in other) > room:
                yield taken
                taken = []
            taken.append(group)
        if taken:
            yield taken

    def _answers(self, trials: Sequence[Trial], queries: Float32, parts: Sequence[Proposals]) -> Answers:
        """What copies (Q, d) give, chosen among what all shards propose for them."""
        found, rows = Found(self, parts, PROPOSALS + 1), np.concatenate([trial.rows for trial in trials])
        engines, prepared = found.engines(self._evidence), self._prepare(queries)
        told: list[tuple[Told, Told]] = []
        for place, engine in enumerate(engines):
            one = slice(place, place + 1)
            _, *both = tried(self._evidence, engine, prepared.part(one), queries[one], rows[one], found.rows(place)[None])
            told.append((both[0], both[1]))
        chosen = [Chosen(found, place, engine, prepared) for place, engine in enumerate(engines)]
        model = EvidenceOfShards(self, self._memory, queries, chosen)
        pictures = model.read_out(model.evaluate(None).weights)
        return Answers(Told.joined([one for one, _ in told]), Told.joined([other for _, other in told]), pictures)


class InPieces(InShards):
    """A large memory of one file, which copies go through piece by piece."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, (0, len(memory)))

    def shortlisted(self, damaged: Float32, rows: Int64) -> float | None:
        """See `Subject`: shortlists are of the whole."""
        return _shortlisted(self._evidence, damaged, rows)


def _shortlisted(evidence: ByEvidence, damaged: Float32, rows: Int64) -> float | None:
    """The share of the memories in `rows`, (Q,), that the shortlists of their copies (Q, d) hold; None where there are none."""
    shortlist = evidence.shortlist
    return None if shortlist is None else float((shortlist(damaged) == rows[:, None]).any(axis=1).mean())


def _shards(memory: Memory, bounds: Sequence[int]) -> list[Shard]:
    return [Shard(_between(memory, slice(*rows)), rows[0], RetrievalSettings(), CPU) for rows in pairwise(bounds)]


def _between(memory: Memory, rows: slice) -> Memory:
    """The memories in some rows, as views, for whoever looks at no files."""
    return replace(
        memory,
        patterns=memory.patterns[rows],
        norms=memory.norms[rows],
        statistics=None if memory.statistics is None else memory.statistics.select(rows),
        compact=None if memory.compact is None else memory.compact[:, rows],
        opacity=None if memory.opacity is None else memory.opacity[rows],
    )
