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
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from uhop_cli.arrays.device import CPU
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.corruption.corruption import SUITE, parse
from uhop_cli.evidence.confidence import calibrated
from uhop_cli.images.patterns import on_background
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.retrieval.inverse_temperature import auto_beta
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.testing.subjects import PIECE, InOne, InPieces, InShards, Subject
from uhop_cli.storing.testing.trials import Masked, Outcome, Trial, as_files, masked

WORK = 4e9  # values of memories that may be looked at for each corruption; it sets how many queries there are
QUERIES = (8, 48)  # fewest and most for each corruption
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
TRIALS = 1 + len(SUITE) + len(ON_COLOURS)  # at most


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
    """All rows, the chosen member of the family, beta, and the calibrations of the confidence (None where there is none); where
    pictures have transparency, also the share of answers that are right though the query is said to be another picture."""

    rows: tuple[Row, ...]
    chosen: int
    beta: float
    calibration: dict[str, Any]


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


def self_test(memory: Memory, settings: StoreSettings, progress: OnProgress | None = None, bounds: Sequence[int] = ()) -> SelfTest:
    """Run the suite on a memory whose kernel is learned and whose rho, beta and calibration are still open.

    Args:
        memory: with norms and statistics.
        settings: of the store.
        progress: told how far it is.
        bounds: the rows at which shards are to begin and end, where it is to be in several.
    """
    count = len(memory)
    subject: Subject
    if len(bounds) > 2:
        subject = InShards(memory, bounds)
    else:
        subject = InOne(memory) if count <= PIECE else InPieces(memory)
    with CPU.computing():
        return _self_test(memory, subject, settings, progress)


def _self_test(memory: Memory, subject: Subject, settings: StoreSettings, progress: OnProgress | None) -> SelfTest:
    rng = np.random.default_rng([settings.seed, 1])
    count = queries_for(len(memory), memory.spec.dim)
    trials, known = [], list[Masked]()
    for corruption in (None, *SUITE):
        rows = np.sort(rng.choice(len(memory), count, replace=False))
        found = None
        if memory.compact is not None and corruption is not None:
            sample = np.sort(rng.choice(len(memory), min(SHORTLISTED, len(memory)), replace=False))
            found = subject.shortlisted(Trial(corruption, sample).copies(memory, settings.seed), sample)
        trials.append(Trial(corruption, rows, shortlisted=found))
        if corruption in MASKS:
            known += [masked(memory, corruption, noise, rows, settings.seed) for noise in MASK_NOISE]
    places = subject.see_through()
    for corruption in ON_COLOURS if len(places) else ():
        rows = np.sort(rng.choice(places, min(TIMES_ON_COLOURS * count, len(places)), replace=False))
        trials.append(Trial(corruption, rows, _on_drawn_colours(memory, rows, rng)))

    def note(done: int, total: int) -> None:
        if progress:
            progress(Progress("self-test", done, total))

    outcomes = subject.outcomes(trials, settings.seed, note)
    damaged, recoloured = outcomes[1 : len(SUITE) + 1], outcomes[len(SUITE) + 1 :]
    right_by_member = np.mean([outcome.right_members.mean(axis=1) for outcome in damaged], axis=0)  # (R,)
    chosen = int(np.argmax(right_by_member)) if settings.protocol is None else memory.kernel.chosen
    margins = np.concatenate([outcome.margins[chosen] for outcome in damaged])
    beta = 1.0 if settings.protocol == "paper" else auto_beta(margins, len(memory))
    calibration: dict[str, Any] = {
        "evidence": calibrated([outcome.sample for outcome in outcomes]),
        "visible": calibrated(subject.known(known)),
    }
    if memory.opacity is not None:
        right, others = np.sum([outcome.another for outcome in outcomes], axis=0)
        calibration["another"] = float((right + 1) / (others + 2))  # Laplace's rule
    table = [*(_row(outcome, chosen) for outcome in damaged), *(_row_of_background(outcome, chosen) for outcome in recoloured)]
    return SelfTest(tuple(table), chosen, beta, calibration)


def _row(outcome: Outcome, chosen: int) -> Row:
    right = outcome.right
    kind, _, level = ("none" if outcome.corruption is None else outcome.corruption.label).partition(":")
    low, high = wilson(int(right.sum()), right.size)
    return Row(
        corruption=kind,
        level=level,
        queries=int(right.size),
        accuracy=float(right.mean()),
        low=low,
        high=high,
        accuracy_kernel=float(outcome.right_members[chosen].mean()),
        accuracy_unlearned=float(outcome.right_unlearned.mean()),
        sse=outcome.sse,
        shortlisted=outcome.shortlisted,
    )


def _row_of_background(outcome: Outcome, chosen: int) -> Row:
    on_top = "none" if outcome.corruption is None else outcome.corruption.label
    return replace(_row(outcome, chosen), corruption="background", level=on_top)


def _on_drawn_colours(memory: Memory, rows: Int64, rng: np.random.Generator) -> Float32:
    """The memories in `rows`, each laid on a colour of its own in place of the background: (Q, d), of 8 bits."""
    assert memory.opacity is not None, "a background is seen"
    colours = rng.integers(0, 256, (len(rows), 1, memory.spec.channels)) / 255
    laid = on_background(memory.patterns[rows], memory.opacity[rows], colours, memory.spec)
    return as_files(laid, memory.spec)
