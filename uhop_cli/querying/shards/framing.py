"""The passes of a search in frames over the memories of all shards: each shard finds its best, and the best of these are taken.

A memory's score on canvases, and the likeness of a descriptor, depend on nothing but the query and themselves, so that the best of
all are among the best of each.
"""

from __future__ import annotations

from itertools import chain

from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.frames.local.matching import likest
from uhop_cli.frames.passes import Passes
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.whole.looking import Look
from uhop_cli.memory.joining import begins_of
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.shards.asking import Shards


def passes_over(memory: Memory, shards: Shards) -> Passes:
    """The passes over a memory in shards.

    Args:
        memory: in shards.
        shards: the same, to be asked.
    """

    def canvases(look: Look) -> list[Proposal]:
        found = chain.from_iterable(shards.all("on_canvases", look))
        return sorted(found, key=lambda one: -one.score)[: look.most]

    def nearest(codes: Float32) -> tuple[Float32, Int64]:
        assert memory.local is not None  # else nobody looks for descriptors
        begins = memory.local.offsets[begins_of(memory.shards)].tolist()
        parts = shards.all("nearest", codes)
        return likest([(likeness, numbers + begin) for begin, (likeness, numbers) in zip(begins, parts, strict=True)])

    return Passes(canvases, nearest)
