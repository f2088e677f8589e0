"""The self-test of a memory: damage a sample of its pictures in every way of the suite, retrieve, and count.

It forecasts the accuracy that a user will meet, chooses rho for the plain kernel (the member of the family with the most right
answers over the suite), finds beta from the margins that damaged pictures have, and gathers what the confidence is fitted on: the
evidence for right answers, and for the best wrong answer when the right memory is left out, which is how a picture that was never
stored looks.

Where pictures have transparency, copies of these are laid on drawn colours as well, undamaged and damaged: rows of the kind
`background`, whose level is the damage on top. They count for the confidence; rho and beta come from the suite alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from threading import Lock
from typing import Any

import numpy as np

from uhop_cli.arrays.device import CPU
from uhop_cli.arrays.operations import inverse, unit_rows
from uhop_cli.arrays.types import Bool, Float32, Int64
from uhop_cli.corruption.corruption import SUITE, Corruption, parse
from uhop_cli.evidence.choice import choose
from uhop_cli.evidence.codes import CodeIndex
from uhop_cli.evidence.confidence import Sample, calibrated
from uhop_cli.evidence.visible import visible_features, visible_log_likelihood
from uhop_cli.images.patterns import PatternSpec, on_background, to_pixels
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.by_similarity import pattern_lengths
from uhop_cli.retrieval.inverse_temperature import auto_beta
from uhop_cli.retrieval.pattern_matrix import PatternMatrix, pattern_matrix
from uhop_cli.storing.settings import StoreSettings

WORK = 4e9  # values of memories that may be looked at for each corruption; it sets how many queries there are
QUERIES = (8, 24)  # fewest and most for each corruption
SHORTLISTED = 64  # queries for each corruption that are asked for their shortlist alone, which costs little
NORMAL_95 = 1.959964
MASKS = tuple(corruption for corruption in SUITE if corruption.kind in ("mask", "half", "corner"))
MASK_NOISE = (0.0, 0.1)
TIMES_ON_COLOURS = 2  # as many copies on colours for each damage: with fewer the confidence in them varies from set to set
ON_COLOURS = (
    None,
    *(parse(label) for label in ("jpeg:10", "jpeg:40", "jpeg:80", "noise:0.3", "half:bottom")),
    *(parse(label) for label in ("brightness:0.4", "contrast:0.5", "blur:2", "mask:0.5")),
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """The outcome for one corruption.

    Attributes:
        corruption, level: its kind and level, as `--corrupt` reads them.
        queries: how many were asked.
        accuracy: share answered with the right memory, by evidence; `low` and `high` bound it at 95% (Wilson).
        accuracy_kernel: by the plain kernel at the chosen rho.
        accuracy_unlearned: by the cosine of the pixels.
        sse: mean squared error of the retrieved picture.
        shortlisted: share whose memory is on the shortlist, of `SHORTLISTED` other queries; None where all memories are examined.
    """

    corruption: str
    level: str
    queries: int
    accuracy: float
    low: float
    high: float
    accuracy_kernel: float
    accuracy_unlearned: float
    sse: float
    shortlisted: float | None

    def to_json(self) -> dict[str, Any]:
        """The row as JSON values."""
        return dict(vars(self))


@dataclass(frozen=True)
class SelfTest:
    """All rows, the chosen member of the family, beta, and the calibrations of the confidence (None where there is none)."""

    rows: tuple[Row, ...]
    chosen: int
    beta: float
    calibration: dict[str, dict[str, Any] | None]


def queries_for(count: int, dim: int) -> int:
    """How many queries for each corruption M memories of d values allow."""
    return int(min(count, np.clip(WORK / (count * dim), *QUERIES)))


def wilson(right: int, queries: int) -> tuple[float, float]:
    """The 95% interval of a share (Wilson 1927)."""
    z2 = NORMAL_95**2
    share = right / queries
    middle = (share + z2 / (2 * queries)) / (1 + z2 / queries)
    half = NORMAL_95 / (1 + z2 / queries) * math.sqrt(share * (1 - share) / queries + z2 / (4 * queries**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def self_test(memory: Memory, settings: StoreSettings, progress: OnProgress | None = None) -> SelfTest:
    """Run the suite on a memory whose kernel is learned and whose rho, beta and calibration are still open."""
    evidence = ByEvidence(memory, pattern_matrix(memory.patterns), Budget(memory, CPU, "evidence"))
    lengths = pattern_lengths(evidence.X)
    rng = np.random.default_rng([settings.seed, 1])
    count = queries_for(len(memory), memory.spec.dim)
    laid = evidence.engine.statistics.backgrounds
    places = np.zeros(0, np.int64) if laid is None else laid.places
    on_colours = ON_COLOURS if len(places) else ()
    total = len(SUITE) + 1 + len(on_colours)
    outcomes, known = [], []
    for index, corruption in enumerate((None, *SUITE)):
        rows = np.sort(rng.choice(len(memory), count, replace=False))
        outcomes.append(_try(evidence, lengths, corruption, rows, settings.seed))
        if evidence.shortlist is not None and corruption is not None:
            sample = np.sort(rng.choice(len(memory), min(SHORTLISTED, len(memory)), replace=False))
            found = _shortlisted(memory, evidence.shortlist, corruption, sample, settings.seed)
            outcomes[-1] = replace(outcomes[-1], shortlisted=found)
        if corruption in MASKS:
            known += [_try_known(evidence, corruption, noise, rows, settings.seed) for noise in MASK_NOISE]
        if progress:
            progress(Progress("self-test", index + 1, total))
    damaged = outcomes[1:]
    recoloured = []
    for index, corruption in enumerate(on_colours):
        rows = np.sort(rng.choice(places, min(TIMES_ON_COLOURS * count, len(places)), replace=False))
        recoloured.append(_try(evidence, lengths, corruption, rows, settings.seed, _on_drawn_colours(memory, rows, rng)))
        if progress:
            progress(Progress("self-test", len(SUITE) + 2 + index, total))
    right_by_member = np.mean([outcome.right_members.mean(axis=1) for outcome in damaged], axis=0)  # (R,)
    chosen = int(np.argmax(right_by_member)) if settings.protocol is None else memory.kernel.chosen
    margins = np.concatenate([outcome.margins[chosen] for outcome in damaged])
    beta = 1.0 if settings.protocol == "paper" else auto_beta(margins, len(memory))
    samples = [outcome.sample for outcome in (*outcomes, *recoloured)]
    calibration = {"evidence": calibrated(samples), "visible": calibrated(known)}
    table = [*(outcome.row(chosen) for outcome in damaged), *(outcome.row_of_background(chosen) for outcome in recoloured)]
    return SelfTest(tuple(table), chosen, beta, calibration)


@dataclass(frozen=True)
class _Outcome:
    """What the queries of one corruption gave; right_* are bool, margins (R, Q) those of right answers and 0 elsewhere."""

    corruption: Corruption | None
    right: Bool
    right_members: Bool  # (R, Q)
    right_unlearned: Bool
    margins: Float32
    sse: float
    sample: Sample
    shortlisted: float | None = None

    def row(self, chosen: int) -> Row:
        right = self.right
        kind, _, level = ("none" if self.corruption is None else self.corruption.label).partition(":")
        low, high = wilson(int(right.sum()), right.size)
        return Row(
            corruption=kind,
            level=level,
            queries=int(right.size),
            accuracy=float(right.mean()),
            low=low,
            high=high,
            accuracy_kernel=float(self.right_members[chosen].mean()),
            accuracy_unlearned=float(self.right_unlearned.mean()),
            sse=self.sse,
            shortlisted=self.shortlisted,
        )

    def row_of_background(self, chosen: int) -> Row:
        on_top = "none" if self.corruption is None else self.corruption.label
        return replace(self.row(chosen), corruption="background", level=on_top)


def _try(
    evidence: ByEvidence,
    lengths: Float32,
    corruption: Corruption | None,
    rows: Int64,
    seed: int,
    laid: Float32 | None = None,
) -> _Outcome:
    """Damage the memories in `rows` (None: not at all), choose by evidence, compare; then again with each left out.

    `laid`, (Q, d), are the same memories on other backgrounds, which are damaged in their place.
    """
    memory, engine = evidence.memory, evidence.engine
    truth = unit_rows(memory.patterns[rows])
    copies = truth if laid is None else laid
    damaged = copies if corruption is None else _as_files(corruption(copies, memory.spec, seed).patterns, memory.spec)
    places = np.arange(len(rows))
    query = engine.prepare(damaged)
    scores, cosines = engine.scan(query)
    listed = engine.candidates(query, scores, cosines)
    choice = choose(query, engine.statistics, scores, cosines, listed)
    error = np.square(np.clip(evidence.X.read_out(choice.weights), 0, 1) - truth).sum(axis=1)
    scores[:, places, rows] = -np.inf
    cosines[places, rows] = -np.inf
    without = choose(query, engine.statistics, scores, cosines, listed)
    answers = [found.scores.argmax(axis=1) for found in (choice, without)]
    right = answers[0] == rows
    told = [choice.facts, without.facts]
    if memory.opacity is not None:
        told = [np.concatenate([part, evidence.shown(damaged, best)], axis=1) for part, best in zip(told, answers, strict=True)]
    sample = Sample.of(told[0], right, told[1])
    if memory.opacity is not None:
        sample = sample.but(np.concatenate([evidence.laid_elsewhere(damaged, best) for best in answers]))
    lead = _leads(memory, evidence.X, lengths, damaged, rows)
    return _Outcome(
        corruption=corruption,
        right=right,
        right_members=lead[:-1] > 0,
        right_unlearned=lead[-1] > 0,
        margins=np.maximum(lead[:-1], 0),
        sse=float(error.mean()),
        sample=sample,
    )


def _on_drawn_colours(memory: Memory, rows: Int64, rng: np.random.Generator) -> Float32:
    """The memories in `rows`, each laid on a colour of its own in place of the background: (Q, d), of 8 bits."""
    assert memory.opacity is not None, "a background is seen"
    colours = rng.integers(0, 256, (len(rows), 1, memory.spec.channels)) / 255
    laid = on_background(memory.patterns[rows], memory.opacity[rows], colours, memory.spec)
    return _as_files(laid, memory.spec)


def _as_files(patterns: Float32, spec: PatternSpec) -> Float32:
    """What pictures of 8 bits hold of patterns (m, d): queries are files."""
    return unit_rows(to_pixels(patterns, spec))


def _shortlisted(memory: Memory, shortlist: CodeIndex, corruption: Corruption, rows: Int64, seed: int) -> float:
    """The share of the memories in `rows` that the shortlists of their damaged copies hold."""
    damaged = _as_files(corruption(unit_rows(memory.patterns[rows]), memory.spec, seed).patterns, memory.spec)
    return float((shortlist(damaged) == rows[:, None]).any(axis=1).mean())


def _try_known(evidence: ByEvidence, corruption: Corruption, noise: float, rows: Int64, seed: int) -> Sample:
    """The same with the missing pixels known, and noise on the visible ones."""
    memory = evidence.memory
    damaged, visible = corruption(unit_rows(memory.patterns[rows]), memory.spec, seed)
    assert visible is not None, "MASKS are the corruptions that have a mask"
    damaged = Corruption("noise", noise)(damaged, memory.spec, seed).patterns if noise else damaged
    damaged = _as_files(damaged, memory.spec)
    scores = visible_log_likelihood(evidence.X, damaged, visible)
    features, right = visible_features(scores, damaged, visible), scores.argmax(axis=1) == rows
    scores[np.arange(len(rows)), rows] = -np.inf
    return Sample.of(features, right, visible_features(scores, damaged, visible))


def _leads(memory: Memory, X: PatternMatrix, bare: Float32, queries: Float32, rows: Int64) -> Float32:
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

    X.each_chunk(work)
    return own - rivals
