"""A confidence in words: the thresholds of `certain` and `likely` stand here and nowhere else."""

from __future__ import annotations

from typing import Literal

CERTAIN = 0.99
LIKELY = 0.5
NO_ORIGINAL = "not verified: no original at hand"

Words = Literal["certain", "likely", "unlikely", "not in the memory"]


def confidence_words(confidence: float | None, fits: bool) -> Words | None:
    """How sure an answer is, for a person.

    'certain' from 0.99 and 'likely' from 0.5 of a probability that the named picture is right. 'unlikely' comes only where
    `--min-confidence` lets less than that pass. None where no calibration applies: a plain kernel has no probability.
    """
    if not fits:
        return "not in the memory"
    if confidence is None:
        return None
    return "certain" if confidence >= CERTAIN else "likely" if confidence >= LIKELY else "unlikely"
