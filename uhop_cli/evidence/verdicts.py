"""What one model says of a batch of queries: its best memory, and how strongly it prefers that one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import topk

PROPOSALS = 12  # memories that each model puts on the shortlist


@dataclass(frozen=True)
class Verdict:
    """One model's, (Q,) each; of several models `stacked`, (K, Q).

    Attributes:
        top: log-likelihood ratio of the best memory against "unrelated".
        leader: row of that memory.
        odds: m = top - max(runner-up, unrelated), the log-odds of the leader.
        second, follower: the same of the runner-up; minus infinity and the leader itself where there is none.
        spread: how far the runner-up stands above the last of the `PROPOSALS` best: the scale of differences among wrong memories.
    """

    top: Array
    leader: Array
    odds: Array
    second: Array
    follower: Array
    spread: Array

    @classmethod
    def of(cls, ratios: Array, rows: Array = None) -> Verdict:
        """From the log-likelihood ratios of memories against "unrelated".

        Args:
            ratios: (Q, M), each memory once; minus infinity leaves one out.
            rows: (Q, M) the memories that they are of; None: all, in their order.
        """
        values, places = topk(ratios, PROPOSALS)
        return cls.of_best(values, places if rows is None else namespace(ratios).take_along_axis(rows, places, axis=1))

    @classmethod
    def of_best(cls, values: Array, named: Array) -> Verdict:
        """From the ratios of the `PROPOSALS` best memories, (Q, P), in falling order, and their rows."""
        xp = namespace(values)
        top, alone = values[:, 0], values.shape[1] == 1
        second = xp.full_like(top, -xp.inf) if alone else values[:, 1]
        return cls(
            top=top,
            leader=named[:, 0],
            odds=top - xp.clip(second, 0, None),  # 0: unrelated
            second=second,
            follower=named[:, 0 if alone else 1],
            spread=xp.zeros_like(top) if alone else xp.clip(second, 0, None) - xp.clip(values[:, -1], 0, None),
        )


def stacked(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdicts of K models as one, (K, Q)."""
    xp = namespace(verdicts[0].top)
    return Verdict(*(xp.stack([getattr(verdict, field.name) for verdict in verdicts]) for field in fields(Verdict)))
