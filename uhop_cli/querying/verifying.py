"""An answer by pattern, looked at again with the originals of the best candidates: what it does to the answer and its confidence.

    confirmed      the confidence is at least .999, and the confirmed picture is the answer, whichever rank its pattern had
    contradicted   at most .01
    not decided    the pattern's; at most .95 where the original fits, but as another shot of its scene would; and a
                   twentieth of its odds where the query is clear enough and no original fits it well

.999 is set, not fitted: among the copies and strangers of docs/verification.md no confirmed answer was wrong but for shots that
hardly moved, and they are too few to tell one in a thousand. Nothing is opened where it cannot add anything: where the query equals
its match value for value; where it was damaged here, so that there is no more of it than the pattern; where the original has less
than twice the pattern's side; where no probability is known, as with a plain kernel; and, of several queries, where the pattern is
sure and no near-copy of its match is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.frames.outcome import Outcome, Reason
from uhop_cli.frames.sheet import Sheet, sheet_of_image
from uhop_cli.frames.verification import Candidate, verify
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import LUMA, PatternSpec
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.originals import Original
from uhop_cli.querying.restoration import Query
from uhop_cli.querying.words.confidence import NO_ORIGINAL

CANDIDATES = 5
CONFIRMED, CONTRADICTED, SIMILAR = 0.999, 0.01, 0.95
UNLIKELY = 20.0  # times as many strangers as copies are clear and like no original, at least (docs/verification.md)
SURE = 0.995  # of several queries those are not verified whose patterns are that sure
KEPT = 1 << 20  # pixels of a query; more are not compared
DRAFT = 43  # an original comes with at least six times that many pixels a side
HALF_A_LEVEL = 0.5 / 255
UNSEEN = {Reason.ABSENT: NO_ORIGINAL, Reason.SMALL: "not verified: its original shows no more than the pattern"}


@dataclass(frozen=True)
class Verdict:
    """What the originals say of one answer.

    Attributes:
        verified: true: confirmed; false: contradicted; None: not decided, or not verified.
        words: which of these, for a person, and why it was not verified.
        reason: why the originals say so; None where they were not compared.
        best: place of the answer among the candidates.
        confidence: that it is right; None where no calibration applies.
    """

    verified: bool | None
    words: str
    reason: str | None
    best: int
    confidence: float | None


class Verifier:
    """Compares queries with the originals of one memory.

    Args:
        memory: what is stored.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    def verdict(
        self, query: Query, rows: Sequence[int], confidence: float | None, opener: Callable[[int], Original | None], *, alone: bool
    ) -> Verdict:
        """What the originals of `rows`, the best candidates in falling order, say of the first of them.

        Args:
            query: what was asked.
            rows: of the memory; at most `CANDIDATES` of them are looked at.
            confidence: that of the pattern.
            opener: looks for the original of a row.
            alone: whether it is the only query.
        """
        needless = self._needless(query, rows[0], confidence, alone)
        if needless is not None or query.sheet is None or confidence is None:
            return Verdict(None, f"not verified: {needless}", None, 0, confidence)
        spec = self._memory.spec
        candidates = [
            Candidate(partial(decoded, spec, opener, row), picture=self._memory.same(row)[0]) for row in rows[:CANDIDATES]
        ]
        found = verify(query.sheet, candidates, pattern_side=max(spec.width, spec.height))
        words, reason, best = found.outcome.value, found.reason.value, found.best
        if found.outcome == Outcome.CONFIRMED and best is not None:
            return Verdict(True, words, reason, best, CONFIRMED if best else max(confidence, CONFIRMED))
        if found.outcome == Outcome.CONTRADICTED:
            return Verdict(False, words, reason, 0, min(confidence, CONTRADICTED))
        unseen = found.measured[0].reason
        if unseen in UNSEEN:
            return Verdict(None, UNSEEN[unseen], None, 0, confidence)
        if found.reason == Reason.UNLIKE:
            confidence = confidence / (confidence + UNLIKELY * (1 - confidence))
        similar = found.reason in (Reason.NEAR, Reason.MOVED)
        return Verdict(None, words, reason, 0, min(confidence, SIMILAR) if similar else confidence)

    def _needless(self, query: Query, row: int, confidence: float | None, alone: bool) -> str | None:
        """Why originals would add nothing, or can't be compared; None where they may."""
        if confidence is None:
            return "no probability is known for this answer"
        if query.sheet is None:
            return "a query that is damaged here is no more than its pattern"
        if (
            query.visible is None
            and (np.abs(query.pattern - unit_rows(self._memory.patterns[row : row + 1])[0]) < HALF_A_LEVEL).all()
        ):
            return "it equals its match in every value"
        near = self._memory.near is not None and row in self._memory.near.rows
        return "its pattern is sure" if not alone and confidence >= SURE and not near else None


def decoded(spec: PatternSpec, opener: Callable[[int], Original | None], row: int) -> Image | None:
    """The original of a row, decoded for comparisons, or None where it is not at hand.

    Args:
        spec: of the patterns.
        opener: reads it; None where no originals are to be had.
        row: of the memory.
    """
    original = opener(row)
    return None if original is None else original.picture((max(DRAFT, spec.width, spec.height),) * 2)


def sheet_of_query(image: Image, background: tuple[int, int, int] | None) -> Sheet:
    """What of a query is compared with originals.

    Args:
        image: decoded, upright.
        background: RGB that transparency shows; None: what is transparent is missing.
    """
    sheet = sheet_of_image(image)
    return (sheet if background is None else sheet.on(float(LUMA @ background) / 255)).reduced(KEPT)
