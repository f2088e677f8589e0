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
        spread: how far the runner-up stands above the last of the `PROPOSALS` best: the scale of differences among wrong memories.
    """

    top: Array
    leader: Array
    odds: Array
    spread: Array

    @classmethod
    def of(cls, ratios: Array, rows: Array = None) -> Verdict:
        """From the log-likelihood ratios of memories against "unrelated".

        Args:
            ratios: (Q, M), each memory once; minus infinity leaves one out.
            rows: (Q, M) the memories that they are of; None: all, in their order.
        """
        xp = namespace(ratios)
        values, places = topk(ratios, PROPOSALS)
        leader = places[:, 0] if rows is None else xp.take_along_axis(rows, places[:, :1], axis=1)[:, 0]
        top = values[:, 0]
        rival = xp.clip(values[:, 1], 0, None) if values.shape[1] > 1 else xp.zeros_like(top)  # 0: unrelated
        second = rival if values.shape[1] > 1 else xp.clip(top, 0, None)
        return cls(top, leader, top - rival, second - xp.clip(values[:, -1], 0, None))


def stacked(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdicts of K models as one, (K, Q)."""
    xp = namespace(verdicts[0].top)
    return Verdict(*(xp.stack([getattr(verdict, field.name) for verdict in verdicts]) for field in fields(Verdict)))
