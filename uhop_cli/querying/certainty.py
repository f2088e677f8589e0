"""How sure an answer by evidence is: what the self-test says of answers like it, and what its picture itself shows."""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.library import Array, to_numpy
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.types import Bool, Float32, Int64
from uhop_cli.errors import SettingsError
from uhop_cli.evidence.backgrounds.another import another_picture
from uhop_cli.evidence.backgrounds.recognition import equal_on_some_background
from uhop_cli.evidence.backgrounds.shown import shown_facts
from uhop_cli.evidence.confidence import Confidence
from uhop_cli.images.patterns import HALF_A_LEVEL
from uhop_cli.memory.memory import Memory


class Certainty:
    """P(right) of answers from a memory.

    Args:
        memory: what is stored, and the record of its self-test.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    @property
    def calibrated(self) -> bool:
        """Whether the self-test tells how sure an answer is: nothing else says which answers of shortlists are open."""
        return self._calibration("evidence") is not None

    def of_choice(self, queries: Float32, facts: Float32, ranked: Int64) -> Float32 | None:
        """P(right) of the first of the memories `ranked` (Q, R) as answers to queries (Q, d), by facts about the choice (Q, F)."""
        calibration = self._calibration("evidence")
        if calibration is not None and len(calibration.weights) > 2 * facts.shape[1]:  # of pictures with transparency
            facts = np.concatenate([facts, self.shown(queries, ranked[:, 0])], axis=1)
        return self._recognised(queries, self._by("evidence", facts), ranked)

    def of_visible(self, features: Array) -> Float32 | None:
        """P(right) of answers to queries of which is known what is missing, from their features (`evidence.visible`)."""
        return self._by("visible", features)

    def _by(self, kind: str, features: Array) -> Float32 | None:
        """P(right) of answers with these features, by the calibration of that kind; None where there is none."""
        calibration, facts = self._calibration(kind), to_numpy(features)
        return calibration(facts) if calibration is not None and len(calibration.weights) == 2 * facts.shape[1] else None

    def _calibration(self, kind: str) -> Confidence | None:
        calibration = self.memory.record.get("calibration")
        values = calibration.get(kind) if isinstance(calibration, dict) else None
        if not isinstance(values, dict):
            return None
        try:
            return Confidence.from_json(values)
        except SettingsError:  # somebody's claim, and no calibration
            return None

    def _recognised(self, queries: Float32, confidence: Float32 | None, ranked: Int64) -> Float32 | None:
        """The confidence, sure where a query is its match value for value (to 8 bits): patterns are stored once, so it is no other.

        What a confidence is made of says little about pictures of nearly one colour, and calls an undamaged one unlikely. A
        query may also be the first of the memories `ranked` (Q, R) on another background, or a clean picture of something else:
        then it is as sure as such answers were in the self-test.
        """
        if confidence is None:
            return None
        best, share = ranked[:, 0], self._right_of_others
        if share is not None:
            confidence = np.where(self.another(queries, best), np.float32(share), confidence)
        same = (np.abs(queries - unit_rows(self.memory.patterns[best])) < HALF_A_LEVEL).all(axis=1)
        same |= self.laid_elsewhere(queries, ranked)
        return np.where(same, np.float32(1), confidence)

    def shown(self, queries: Float32, rows: Int64) -> Float32:
        """How well what the memories in `rows`, (Q,), show explains queries (Q, d) (`shown_facts`): (Q, 3)."""
        return shown_facts(queries, unit_rows(self.memory.patterns[rows]), self._veils(rows)).astype(np.float32)

    def another(self, queries: Float32, rows: Int64) -> Bool:
        """Whether each of the queries (Q, d) is a clean picture of something else than the memory in `rows`, (Q,): (Q,)."""
        return another_picture(queries, unit_rows(self.memory.patterns[rows]), self._veils(rows), self.memory.spec)

    def _veils(self, rows: Int64) -> Float32:
        """1 - opacity of the memories in `rows`, (Q,): (Q, H W)."""
        if self.memory.opacity is None:
            return np.zeros((len(rows), self.memory.spec.height * self.memory.spec.width), np.float32)
        return np.asarray(1 - unit_rows(self.memory.opacity[rows]))

    @property
    def _right_of_others(self) -> float | None:
        """How many of the answers to clean pictures of something else were right in the self-test; None where that is not known."""
        calibration = self.memory.record.get("calibration")
        share = calibration.get("another") if isinstance(calibration, dict) else None
        known = self.memory.opacity is not None and isinstance(share, float) and 0 <= share <= 1
        return share if known else None

    def laid_elsewhere(self, queries: Float32, ranked: Int64) -> Bool:
        """Whether each of the queries (Q, d) is the first of the memories `ranked` (Q, S), value for value, on some background, and
        none of the others looks the same there: (Q,)."""
        found = np.zeros(len(queries), np.bool_)
        if self.memory.opacity is None:
            return found
        for place, query in enumerate(queries[:, None]):
            for row in dict.fromkeys(ranked[place].tolist()):  # each once
                one = np.array([row])
                veils = 1 - unit_rows(self.memory.opacity[one])
                equal = bool(equal_on_some_background(query, unit_rows(self.memory.patterns[one]), veils)[0])
                if row == ranked[place, 0]:
                    found[place] = equal
                elif equal:
                    found[place] = False
                if not found[place]:
                    break
        return found
