"""Queries that the same frame does not explain, looked for in others: crops, borders, screenshots, mirror images, turns, rotations.

What is found goes on as a query of which a part is known (`registration.py`): Stage II sees the pattern that the whole original
would have, with the rest of it missing. It is found only if its original confirms it (`frames/search.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from uhop_cli.frames.search import Found, FrameSearch
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.originals import Original
from uhop_cli.querying.registration import registered
from uhop_cli.querying.restoration import Query
from uhop_cli.querying.verifying import decoded


class Framer:
    """Looks for queries in other frames.

    Args:
        memory: what is stored.
    """

    def __init__(self, memory: Memory) -> None:
        self._spec, self._search = memory.spec, FrameSearch(memory)

    def framed(self, query: Query, opener: Callable[[int], Original], most: int) -> tuple[Query, list[Found]] | None:
        """The query in the frame of the first stored picture that it shows, and all of them; None where there is none.

        Args:
            query: with its picture and its sheet.
            opener: reads the original of a row.
            most: so many pictures at most.
        """
        image = None if query.picture is None else query.picture()
        if image is None or query.sheet is None:
            return None
        found = self._search.find(image, query.sheet, partial(decoded, self._spec, opener), most)
        if not found:
            return None
        pattern, visible = registered(image, found[0].affine, self._spec)
        return replace(query, pattern=pattern, visible=visible), found
