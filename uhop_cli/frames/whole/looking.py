"""A query that is looked for on the canvases of all memories: what is asked for, and who goes through them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from uhop_cli.frames.frame import Frame
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.whole.canvases import Canvases
from uhop_cli.frames.whole.windows import Picture, Windows
from uhop_cli.memory.memory import Memory

FramesOf = Callable[[float, int], Sequence[Frame]]


@dataclass(frozen=True)
class These:
    """The same frames for originals of any aspect."""

    frames: tuple[Frame, ...]

    def __call__(self, aspect: float, group: int) -> Sequence[Frame]:
        """See `Look.frames_of`."""
        return self.frames


@dataclass(frozen=True, eq=False)
class Look:
    """What is looked for; it may go to another process.

    Attributes:
        picture: the query.
        frames_of: the query's aspect and an aspect group -> the frames that are tried for the originals of that group.
        side: cells along a canvas.
        most: so many proposals at most.
        undescribed: only memories without local descriptors count.
    """

    picture: Picture
    frames_of: FramesOf
    side: int
    most: int
    undescribed: bool = False


Looker = Callable[[Look], list[Proposal]]  # the best proposals of all memories, in falling order


class CanvasSearch:
    """The memories as canvases, made for the first query that asks for them and kept for the others.

    Args:
        memory: what is stored.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._made: dict[int, Canvases] = {}

    def __call__(self, look: Look) -> list[Proposal]:
        """See `Looker`."""
        if look.side not in self._made:
            self._made[look.side] = Canvases(self._memory, look.side)
        local = self._memory.local if look.undescribed else None
        last: tuple[Sequence[Frame], Windows] | None = None

        def windows(group: int) -> Windows:
            nonlocal last
            frames = look.frames_of(look.picture.aspect, group)
            if last is None or last[0] is not frames:
                last = frames, look.picture.windows(list(frames), look.side)
            return last[1]

        return self._made[look.side].proposals(windows, look.most, None if local is None else ~local.described)
