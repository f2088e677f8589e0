"""A memory cut into shards and joined again is the same memory."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from uhop_cli.memory.joining import begins_of, joined
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.near import NearPairs


def _cut(memory: Memory, *bounds: int) -> list[Memory]:
    rows = memory.entries.name_entry
    return [memory.keep((rows >= begin) & (rows < end)) for begin, end in pairwise(bounds)]


@pytest.mark.parametrize("more", [{}, {"embed": True}, {"described": True}, {"compact": 3}])
def test_joined_again_it_is_the_same(make_memory: Any, assert_same: Any, more: dict[str, Any]) -> None:
    memory = make_memory(patterns=7, files=7, **more)
    whole = joined(_cut(memory, 0, 2, 3, 7), NearPairs(np.zeros((0, 2), np.int64), np.zeros(0, np.int8)))
    assert_same(replace(whole, patterns=np.asarray(whole.patterns), compact=memory.compact, compact_map=memory.compact_map), memory)
    assert [len(shard) for shard in whole.shards] == [2, 1, 4]
    assert begins_of(whole.shards) == [0, 2, 3]


def test_duplicates_stay_with_their_pattern(make_memory: Any) -> None:
    memory = make_memory(patterns=4, files=9)
    whole = joined(_cut(memory, 0, 1, 4))
    names = [{whole.entries.name(int(index)) for index in whole.entries.files_of(row)} for row in range(4)]
    assert names == [{memory.entries.name(int(index)) for index in memory.entries.files_of(row)} for row in range(4)]


def test_pairs_within_shards_and_across(make_memory: Any) -> None:
    pairs = NearPairs(np.array([[0, 1], [1, 4], [3, 4]]), np.array([1, -1, 0], np.int8))
    memory = replace(make_memory(patterns=5, files=5), near=pairs)
    whole = joined(_cut(memory, 0, 2, 5), NearPairs(pairs.pairs[1:2], pairs.verified[1:2]))
    assert whole.near is not None
    found = dict(zip(map(tuple, whole.near.pairs.tolist()), whole.near.verified.tolist(), strict=True))
    assert found == {(0, 1): 1, (1, 4): -1, (3, 4): 0}


def test_opacity_and_shapes_are_joined(make_memory: Any) -> None:
    rng = np.random.default_rng(0)
    memory = replace(
        make_memory(patterns=5, files=5),
        opacity=rng.integers(0, 256, (5, 3, 4), dtype=np.uint8),
        shapes=rng.integers(1, 99, (5, 2)),
    )
    whole = joined(_cut(memory, 0, 3, 5))
    np.testing.assert_array_equal(whole.opacity[[4, 0]], memory.opacity[[4, 0]])
    np.testing.assert_array_equal(whole.shapes, memory.shapes)
    blind = whole.without_opacity
    assert blind.opacity is None
    assert [shard.opacity for shard in blind.shards] == [None, None]


def test_what_is_kept_of_a_joined_memory_is_one_without_shards(make_memory: Any, assert_same: Any) -> None:
    memory = make_memory(patterns=5, files=5)
    files = np.array([True, False, True, True, False])
    kept = joined(_cut(memory, 0, 2, 5)).keep(files)
    assert kept.shards == ()
    assert_same(replace(kept, patterns=np.asarray(kept.patterns)), memory.keep(files))
