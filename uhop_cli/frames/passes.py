"""Who goes through all memories for a search in frames. What is done with the few that are found is `search.py`'s in any case."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.frames.whole.looking import Looker

Nearest = Callable[[Float32], tuple[Float32, Int64]]  # `local.matching.nearest` of all stored descriptors


@dataclass(frozen=True)
class Passes:
    """The two passes.

    Attributes:
        canvases: over what pictures look like as a whole.
        nearest: over their local descriptors.
    """

    canvases: Looker
    nearest: Nearest
