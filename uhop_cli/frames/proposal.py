"""A guess where a stored picture lies in a query: what the searches propose and verification decides on."""

from __future__ import annotations

from dataclasses import dataclass

from uhop_cli.frames.frame import Frame


@dataclass(frozen=True)
class Proposal:
    """A stored picture in a frame.

    Attributes:
        row: of the memory.
        frame: where its original lies in the query.
        score: the higher the likelier; comparable within one search only.
    """

    row: int
    frame: Frame
    score: float
