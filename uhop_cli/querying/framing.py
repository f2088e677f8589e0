"""Queries that the same frame does not explain, looked for in others: crops, borders, screenshots, mirror images, turns, rotations.

What is found goes on as a query of which a part is known (`registration.py`): Stage II sees the pattern that the whole original
would have, with the rest of it missing. `frames/search.py` says when it is found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from uhop_cli.frames.outcome import Outcome, Reason
from uhop_cli.frames.search import Found, FrameSearch
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.originals import Original
from uhop_cli.querying.registration import registered
from uhop_cli.querying.restoration import Query
from uhop_cli.querying.shards.asking import Shards
from uhop_cli.querying.shards.framing import passes_over
from uhop_cli.querying.verifying import CONFIRMED, UNSEEN, Verdict, decoded

UNVERIFIED = 0.95  # set, not fitted: no stranger passed the bar of what no original can be asked about, of too few to tell more
LIMIT = 1e11  # multiplications and additions of a query, one to two seconds on two cores: some 35,000 undescribed pictures
LEFT_OUT = "the memory is too large to look for crops and for small pictures on large pages each time: --frames all does"


def verdict_on(found: Found) -> Verdict:
    """What the answer says of a picture that was found in a frame."""
    if found.unseen is None:
        return Verdict(True, Outcome.CONFIRMED.value, Reason.FITS.value, 0, CONFIRMED)
    return Verdict(None, UNSEEN[found.unseen], None, 0, UNVERIFIED)


class Framer:
    """Looks for queries in other frames.

    Args:
        memory: what is stored.
        thorough: whatever it takes; else within `LIMIT`.
        shards: those of the memory, which go through what they hold; None: that is done here.
    """

    def __init__(self, memory: Memory, *, thorough: bool, shards: Shards | None = None) -> None:
        passes = None if shards is None else passes_over(memory, shards)
        self._spec, self._search = memory.spec, FrameSearch(memory, None if thorough else LIMIT, passes)

    @property
    def left_out(self) -> str | None:
        """What is not looked for in this memory, in words."""
        return None if self._search.thorough else LEFT_OUT

    def framed(self, query: Query, opener: Callable[[int], Original | None], most: int) -> tuple[Query, list[Found]] | None:
        """The query in the frame of the first stored picture that it shows, and all of them; None where there is none.

        Args:
            query: with its picture; without a sheet nothing is compared with originals.
            opener: reads the original of a row; None where no originals are to be had.
            most: so many pictures at most.
        """
        image = None if query.picture is None else query.picture()
        if image is None:
            return None
        found = self._search.find(image, query.sheet, partial(decoded, self._spec, opener), most)
        if not found:
            return None
        pattern, visible = registered(image, found[0].affine, self._spec)
        return replace(query, pattern=pattern, visible=visible), found
