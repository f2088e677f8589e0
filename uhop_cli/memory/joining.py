"""Shards of one memory, taken as that memory: rows are numbered through, shard after shard, and nothing large is copied.

What all shards have in common (pattern, kernel, beta, record) is that of the first. Patterns and opacity stay where they are;
names, hashes, norms and local descriptors are put end to end, in a temporary file where they are large. What the choice by evidence
keeps of each memory stays with its shard: whoever retrieves asks the shards (`querying/shards`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.joined_rows import JoinedRows, concatenated
from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.memory.near import NearPairs


def joined(shards: Sequence[Memory], across: NearPairs | None = None) -> Memory:
    """The memory that these are the shards of, in their order.

    Args:
        shards: of one pattern and one kernel.
        across: pairs of nearly equal patterns of different shards, by their rows in the whole; None where they were not looked for.
    """
    begins = begins_of(shards)
    return replace(
        shards[0],
        patterns=cast(UInt8, JoinedRows([shard.patterns for shard in shards])),
        norms=concatenated([shard.norms for shard in shards]),
        entries=_entries(shards, begins),
        statistics=None,
        compact=None,
        compact_map=None,
        originals=_originals([shard.originals for shard in shards]),
        near=_near(shards, begins, across),
        shapes=_all("shapes", shards),
        local=_local([shard.local for shard in shards]),
        opacity=_rows("opacity", shards),
        shards=tuple(shards),
    )


def begins_of(shards: Sequence[Memory]) -> list[int]:
    """The row of the whole at which each shard begins."""
    return list(accumulate((len(shard) for shard in shards), initial=0))[:-1]


def _entries(shards: Sequence[Memory], begins: Sequence[int]) -> Entries:
    parts = [shard.entries for shard in shards]
    return Entries(
        concatenated([part.name_bytes for part in parts]),
        _packed([part.name_offsets for part in parts]),
        concatenated([part.name_entry + begin for part, begin in zip(parts, begins, strict=True)]),
        concatenated([part.digests for part in parts]),
        concatenated([part.sizes for part in parts]),
    )


def _originals(parts: Sequence[Originals | None]) -> Originals | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return Originals(concatenated([part.data for part in known]), _packed([part.offsets for part in known]))


def _local(parts: Sequence[LocalDescriptors | None]) -> LocalDescriptors | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts):
        return None
    return LocalDescriptors(
        concatenated([part.codes for part in known]),
        concatenated([part.places for part in known]),
        _packed([part.offsets for part in known]),
        known[0].directions,
    )


def _packed(offsets: Sequence[Int64]) -> Int64:
    """The offsets of packed arrays that are put end to end."""
    ends = np.cumsum([0, *(part[-1] for part in offsets)])
    return np.concatenate([*(part[:-1] + end for part, end in zip(offsets, ends, strict=False)), ends[-1:]])


def _all(name: str, shards: Sequence[Memory]) -> NDArray[Any] | None:
    parts = [getattr(shard, name) for shard in shards]
    return None if any(part is None for part in parts) else concatenated(parts)


def _rows(name: str, shards: Sequence[Memory]) -> UInt8 | None:
    parts = [getattr(shard, name) for shard in shards]
    return None if any(part is None for part in parts) else cast(UInt8, JoinedRows(parts))


def _near(shards: Sequence[Memory], begins: Sequence[int], across: NearPairs | None) -> NearPairs | None:
    if across is None or any(shard.near is None for shard in shards):
        return None
    within = [(shard.near.pairs + begin, shard.near.verified) for shard, begin in zip(shards, begins, strict=True) if shard.near]
    pairs = np.concatenate([*(pair for pair, _ in within), across.pairs])
    return NearPairs(pairs, np.concatenate([*(verified for _, verified in within), across.verified]))
