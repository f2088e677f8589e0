"""Damaged copies of memories, tried: chosen among by evidence, with the memory stored and with it left out.

The copies of several damages go through the memories together: a pass costs little more for many queries than for few.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from threading import Lock

import numpy as np

from uhop_cli.arrays.operations import inverse, topk, unit_rows
from uhop_cli.arrays.types import Bool, Float32, Int64
from uhop_cli.corruption.corruption import Corruption
from uhop_cli.evidence.choice import Choice, choose
from uhop_cli.evidence.confidence import Sample
from uhop_cli.evidence.visible import visible_features, visible_log_likelihood
from uhop_cli.images.patterns import PatternSpec, to_pixels
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.by_evidence import RIVALS, ByEvidence
from uhop_cli.retrieval.pattern_matrix import PatternMatrix

PAIRS = 1 << 19  # of copies and memories that are compared together
MOST_TOGETHER = 256  # copies


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
class _Told:
    """What is known of Q choices: the answers, (Q,), the facts that a confidence is made of, which are certain without one, and
    which are said to be of another picture."""

    answers: Int64
    facts: Float32
    certain: Bool
    another: Bool

    @classmethod
    def of(cls, evidence: ByEvidence, queries: Float32, choice: Choice) -> _Told:
        ranked, facts = topk(choice.scores, RIVALS)[1], choice.facts
        certain, another = evidence.laid_elsewhere(queries, ranked), np.zeros(len(queries), np.bool_)
        if evidence.memory.opacity is not None:
            facts = np.concatenate([facts, evidence.shown(queries, ranked[:, 0])], axis=1)
            another = evidence.another(queries, ranked[:, 0])
        return cls(ranked[:, 0], facts, certain, another & ~certain)


def together(memories: int) -> int:
    """How many copies are compared with so many memories in one pass."""
    return int(np.clip(PAIRS // memories, 1, MOST_TOGETHER))


def in_passes(trials: Sequence[Trial], memories: int) -> Iterator[list[Trial]]:
    """The trials in their order, as many at a time as are compared together, at least one."""
    group: list[Trial] = []
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
    places = np.arange(len(rows))
    query = engine.prepare(damaged)
    scores, cosines = engine.scan(query)
    listed = engine.candidates(query, scores, cosines)
    choice = choose(query, engine.statistics, scores, cosines, listed)
    told = _Told.of(evidence, damaged, choice)
    error = np.square(np.clip(evidence.X.read_out(choice.weights), 0, 1) - unit_rows(memory.patterns[rows])).sum(axis=1)
    scores[:, places, rows] = -np.inf
    cosines[places, rows] = -np.inf
    without = _Told.of(evidence, damaged, choose(query, engine.statistics, scores, cosines, listed))
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


def attempt_known(evidence: ByEvidence, corruption: Corruption, noise: float, rows: Int64, seed: int) -> Sample:
    """A sample where the missing pixels are known, and noise lies on the visible ones."""
    memory = evidence.memory
    damaged, visible = corruption(unit_rows(memory.patterns[rows]), memory.spec, seed)
    assert visible is not None, "MASKS are the corruptions that have a mask"
    damaged = Corruption("noise", noise)(damaged, memory.spec, seed).patterns if noise else damaged
    damaged = as_files(damaged, memory.spec)
    scores = visible_log_likelihood(evidence.X, damaged, visible)
    features, right = visible_features(scores, damaged, visible), scores.argmax(axis=1) == rows
    scores[np.arange(len(rows)), rows] = -np.inf
    return Sample.of(features, right, visible_features(scores, damaged, visible))


def leads(memory: Memory, X: PatternMatrix, bare: Float32, queries: Float32, rows: Int64) -> Float32:
    """Lead in cosine of the right memories, in `rows`, over the best other one: for every member of the family, then for the bare
    pixels, whose lengths are `bare` (M,): (R + 1, Q). One pass over the memories, of which nothing is kept."""
    probes, norms = memory.kernel.probes(queries)  # (R, Q, d), (R, Q)
    probes = np.concatenate([probes, queries[None]])
    norms = np.concatenate([norms, np.linalg.norm(queries, axis=1)[None]])
    columns = (inverse(norms)[:, :, None] * probes * np.float32(X.scale)).reshape(-1, X.dim).T  # (d, (R + 1) Q)
    own, rivals = np.zeros_like(norms), np.full_like(norms, -1)
    guard = Lock()

    def work(span: slice, pixels: Float32) -> None:
        lengths = np.concatenate([memory.norms[span], bare[span, None]], axis=1)
        cosines = (pixels @ columns).reshape(-1, *norms.shape) * inverse(lengths)[:, :, None]
        inside = np.flatnonzero((rows >= span.start) & (rows < span.stop))
        places = rows[inside] - span.start
        own[:, inside] = cosines[places, :, inside].T
        cosines[places, :, inside] = -1
        with guard:
            np.maximum(rivals, cosines.max(axis=0), out=rivals)

    X.each_chunk(work, norms.size)
    return own - rivals
