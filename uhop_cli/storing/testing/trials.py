"""Damaged copies of memories, tried: chosen among by evidence, with the memory stored and with it left out.

The copies of several damages go through the memories together: a pass costs little more for many queries than for few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np

from uhop_cli.arrays.operations import topk, unit_rows
from uhop_cli.arrays.types import Bool, Float32, Int64
from uhop_cli.corruption.corruption import Corruption
from uhop_cli.evidence.choice import Choice, choose
from uhop_cli.evidence.confidence import Sample
from uhop_cli.evidence.model import EvidenceEngine
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.evidence.visible import visible_features
from uhop_cli.images.patterns import PatternSpec, to_pixels
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.by_evidence import RIVALS, ByEvidence
from uhop_cli.storing.testing.leads import leads

PAIRS = 1 << 19  # of copies and memories that are compared together
TOGETHER = (64, 256)  # copies; of fewer a pass is mostly overhead


@dataclass(frozen=True)
class Trial:
    """What is tried of one corruption.

    Attributes:
        corruption: None: no damage.
        rows: of the memories whose copies are damaged, (Q,).
        laid: (Q, d) the same memories on other backgrounds, which are damaged in their place; None: as they are.
        shortlisted: what `Outcome` has.
    """

    corruption: Corruption | None
    rows: Int64
    laid: Float32 | None = None
    shortlisted: float | None = None

    def copies(self, memory: Memory, seed: int) -> Float32:
        """The damaged copies, (Q, d)."""
        whole = unit_rows(memory.patterns[self.rows]) if self.laid is None else self.laid
        return whole if self.corruption is None else as_files(self.corruption(whole, memory.spec, seed).patterns, memory.spec)


@dataclass(frozen=True)
class Outcome:
    """What the copies of one trial gave.

    Attributes:
        corruption: of the trial.
        right: (Q,) bool, which the evidence finds.
        right_members: (R, Q) bool, which the plain kernel finds at each rho.
        right_unlearned: (Q,) bool, which the cosine of the pixels finds.
        margins: (R, Q) those of right answers, and 0 elsewhere.
        sse: mean squared error of the retrieved picture.
        sample: of the choices by evidence with the right memories stored, then without them; less those that are certain.
        another: which of the right choices, and of all, are said to be another picture (`evidence.backgrounds.another`): how many.
        shortlisted: share whose memory is on the shortlist, of other copies; None where all memories are examined.
    """

    corruption: Corruption | None
    right: Bool
    right_members: Bool
    right_unlearned: Bool
    margins: Float32
    sse: float
    sample: Sample
    another: tuple[int, int]
    shortlisted: float | None = None


@dataclass(frozen=True)
class Told:
    """What is known of Q choices: the answers, (Q,), the facts that a confidence is made of, which are certain without one, and
    which are said to be of another picture."""

    answers: Int64
    facts: Float32
    certain: Bool
    another: Bool

    @classmethod
    def of(cls, evidence: ByEvidence, queries: Float32, choice: Choice, named: Int64 | None) -> Told:
        """Of choices for queries (Q, d) among the memories `named` (Q, S); None: among all."""
        places, facts = topk(choice.scores, RIVALS)[1], choice.facts
        ranked = places if named is None else np.take_along_axis(named, places, axis=1)
        certain, another = evidence.certainty.laid_elsewhere(queries, ranked), np.zeros(len(queries), np.bool_)
        if evidence.memory.opacity is not None:
            facts = np.concatenate([facts, evidence.certainty.shown(queries, ranked[:, 0])], axis=1)
            another = evidence.certainty.another(queries, ranked[:, 0])
        return cls(ranked[:, 0], facts, certain, another & ~certain)

    @classmethod
    def joined(cls, parts: Sequence[Told]) -> Told:
        """Of all choices, in their order."""
        return cls(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(cls)))


@dataclass(frozen=True)
class Masked:
    """Copies (Q, d) of the memories in `rows`, (Q,), of which the values marked in `visible` (Q, d) are known."""

    damaged: Float32
    visible: Bool
    rows: Int64


Tried = TypeVar("Tried", Trial, Masked)


def together(memories: int) -> int:
    """How many copies are compared with so many memories in one pass."""
    return int(np.clip(PAIRS // memories, *TOGETHER))


def in_passes(trials: Sequence[Tried], memories: int) -> Iterator[list[Tried]]:
    """The trials in their order, as many at a time as are compared together, at least one."""
    group: list[Tried] = []
    for trial in trials:
        if group and sum(len(other.rows) for other in group) + len(trial.rows) > together(memories):
            yield group
            group = []
        group.append(trial)
    if group:
        yield group


def attempt(evidence: ByEvidence, lengths: Float32, trials: Sequence[Trial], seed: int) -> list[Outcome]:
    """The outcomes of trials that go through the memories in one pass; `lengths` (M,) are those of the patterns."""
    memory, engine = evidence.memory, evidence.engine
    rows = np.concatenate([trial.rows for trial in trials])
    damaged = np.concatenate([trial.copies(memory, seed) for trial in trials])
    choice, told, without = tried(evidence, engine, engine.prepare(damaged), damaged, rows)
    pictures = evidence.X.read_out(choice.weights)
    return outcomes_of(evidence, lengths, trials, damaged, Answers(told, without, pictures))


def tried(
    evidence: ByEvidence,
    engine: EvidenceEngine,
    query: PreparedQueries,
    damaged: Float32,
    rows: Int64,
    named: Int64 | None = None,
) -> tuple[Choice, Told, Told]:
    """The choice for copies (Q, d) of the memories in `rows`, (Q,), what is known of it, and of the choice without these memories.

    Args:
        evidence: on all memories.
        engine: of those that are chosen among.
        query: the copies, prepared.
        damaged, rows: see above.
        named: (Q, S) the memories of the engine; None: all.
    """
    scores, cosines = engine.scan(query)
    listed = engine.candidates(query, scores, cosines)
    choice = choose(query, engine.statistics, scores, cosines, listed)
    told = Told.of(evidence, damaged, choice, named)
    own = own_places(rows, named)
    scores[:, *own] = -np.inf
    cosines[own] = -np.inf
    again = choose(query, engine.statistics, scores, cosines, replace(listed, best=None))
    return choice, told, Told.of(evidence, damaged, again, named)


def own_places(rows: Int64, named: Int64 | None) -> tuple[Int64, Int64]:
    """Where in scores (Q, S) of the memories `named` (Q, S), or of all, those in `rows`, (Q,), are, so far as they are there."""
    if named is None:
        return np.arange(len(rows)), rows
    queries, places = np.nonzero(named == rows[:, None])
    return queries, places


@dataclass(frozen=True)
class Answers:
    """What Q copies gave: what is told of the choices, with the right memories and without them, and the pictures (Q, d) that the
    former read out."""

    told: Told
    without: Told
    pictures: Float32


def outcomes_of(
    evidence: ByEvidence, lengths: Float32, trials: Sequence[Trial], damaged: Float32, answers: Answers
) -> list[Outcome]:
    """The outcomes of trials whose copies `damaged` (Q, d), one trial's after the other's, gave these answers.

    The cosines of the plain kernel are looked at here, in a pass over all memories; `lengths` (M,) are those of the patterns.
    """
    told, without, memory = answers.told, answers.without, evidence.memory
    rows = np.concatenate([trial.rows for trial in trials])
    error = np.square(np.clip(answers.pictures, 0, 1) - unit_rows(memory.patterns[rows])).sum(axis=1)
    lead = leads(memory, evidence.X, lengths, damaged, rows)
    outcomes, start = [], 0
    for trial in trials:
        part = slice(start, start + len(trial.rows))
        right = told.answers[part] == rows[part]
        sample = Sample.of(told.facts[part], right, without.facts[part])
        outcomes.append(
            Outcome(
                corruption=trial.corruption,
                right=right,
                right_members=lead[:-1, part] > 0,
                right_unlearned=lead[-1, part] > 0,
                margins=np.maximum(lead[:-1, part], 0),
                sse=float(error[part].mean()),
                sample=sample.but(np.concatenate([told.certain[part], without.certain[part]])),
                another=(int(told.another[part][right].sum()), int(told.another[part].sum() + without.another[part].sum())),
                shortlisted=trial.shortlisted,
            )
        )
        start = part.stop
    return outcomes


def as_files(patterns: Float32, spec: PatternSpec) -> Float32:
    """What pictures of 8 bits hold of patterns (m, d): queries are files."""
    return unit_rows(to_pixels(patterns, spec))


def masked(memory: Memory, corruption: Corruption, noise: float, rows: Int64, seed: int) -> Masked:
    """Copies of the memories in `rows` with noise on what the corruption leaves."""
    damaged, visible = corruption(unit_rows(memory.patterns[rows]), memory.spec, seed)
    assert visible is not None, "MASKS are the corruptions that have a mask"
    damaged = Corruption("noise", noise)(damaged, memory.spec, seed).patterns if noise else damaged
    return Masked(as_files(damaged, memory.spec), visible, rows)


def known_sample(scores: Float32, copies: Masked, named: Int64 | None = None) -> Sample:
    """The sample of copies of which the missing values are known.

    Args:
        scores: likelihoods of what is visible (Q, S); they are written over.
        copies: from `masked`.
        named: (Q, S) the memories that the scores are of; None: all.
    """
    damaged, visible, rows = copies.damaged, copies.visible, copies.rows
    features, best = visible_features(scores, damaged, visible), scores.argmax(axis=1)
    right = (best if named is None else named[np.arange(len(rows)), best]) == rows
    scores[own_places(rows, named)] = -np.inf
    return Sample.of(features, right, visible_features(scores, damaged, visible))
