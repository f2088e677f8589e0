"""Why an answer is refused, in three reasons; the commands have the words for them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.operations import topk
from uhop_cli.arrays.types import Int64
from uhop_cli.evidence.facts import Outcome

ABOUT_EQUAL = math.log(20)  # log-odds below which the visible pixels leave it open which of two memories it is


class Reason(Enum):
    """What keeps a best memory from being an answer."""

    UNKNOWN = "like nothing stored"
    TWO = "fits two about equally"
    HIDDEN = "too little is visible"


@dataclass(frozen=True)
class Doubt:
    """The reason for which one answer is refused, if its confidence is too low.

    Attributes:
        reason: see there.
        pair: row and share of the two memories that fit about equally, the better one first; the shares add up to 1.
    """

    reason: Reason
    pair: tuple[tuple[int, float], ...] = ()

    def among(self, rows: Int64) -> Doubt:
        """The same where the rows are places in `rows`."""
        return Doubt(self.reason, tuple((int(rows[place]), share) for place, share in self.pair))


def doubts_of_choice(outcome: Outcome) -> tuple[Doubt, ...]:
    """The reasons for Q choices by evidence.

    A density names two memories if both of them explain the query better than either null does (`unknown`), by x_1 and x_2: then
    they have the shares x_1 / (x_1 + x_2) and x_2 / (x_1 + x_2). It is that of the answering model, or the best one of the pixels
    where agreement answers. Else the query is like nothing stored.
    """
    xp = namespace(outcome.kept)
    each = xp.arange(outcome.kept.shape[0], device=outcome.kept.device)
    density, verdicts = outcome.density, outcome.verdicts
    first = outcome.densities[density, each] - xp.maximum(outcome.powers, outcome.spectrum)
    top, runner_up = verdicts.top[density, each], verdicts.second[density, each]
    gap = xp.where(xp.isfinite(runner_up), top, xp.full_like(top, math.inf)) - xp.where(xp.isfinite(runner_up), runner_up, 0)
    second = first - xp.where(xp.isfinite(first), gap, 0)
    rows = (verdicts.leader[density, each], verdicts.follower[density, each])
    columns = (to_numpy(part).tolist() for part in (first, second, *rows))
    return tuple(
        Doubt(Reason.TWO, ((row, x / (x + y)), (other, y / (x + y)))) if y > 0 else Doubt(Reason.UNKNOWN)
        for x, y, row, other in zip(*columns, strict=True)
    )


def doubts_of_visible(scores: Array, unrelated: Array) -> tuple[Doubt, ...]:
    """The reasons for Q answers by the visible pixels.

    Args:
        scores: log-likelihoods of all memories, (Q, M).
        unrelated: that of a memory which explains nothing, (Q,).
    """
    values, rows = (to_numpy(part) for part in topk(scores, 3))
    doubts = []
    for best, places, null in zip(values.tolist(), rows.tolist(), to_numpy(unrelated).tolist(), strict=True):
        alike = [value for value in best if best[0] - value < ABOUT_EQUAL]
        if best[0] <= null or len(alike) == 1:
            doubts.append(Doubt(Reason.UNKNOWN))
        elif len(alike) == 2:
            share = 1 / (1 + math.exp(best[1] - best[0]))
            doubts.append(Doubt(Reason.TWO, ((places[0], share), (places[1], 1 - share))))
        else:
            doubts.append(Doubt(Reason.HIDDEN))
    return tuple(doubts)
