"""Taking files out of a memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import MemoryFileError
from uhop_cli.evidence.statistics import encode
from uhop_cli.memory.file.consistency import fault


def test_a_pattern_goes_with_the_last_of_its_files(make_memory: Any) -> None:
    memory = make_memory(patterns=3, files=4, compact=2, embed=True)  # files 0 and 3 share pattern 0
    names = memory.entries.names()
    smaller = memory.without([names[0], names[1]])
    assert fault(smaller) is None
    assert smaller.entries.names() == [names[2], names[3]]
    np.testing.assert_array_equal(smaller.patterns, memory.patterns[[0, 2]])
    np.testing.assert_array_equal(smaller.norms, memory.norms[[0, 2]])
    np.testing.assert_array_equal(smaller.compact, memory.compact[:, [0, 2]])
    assert smaller.entries.files_of(0).tolist() == [1]
    assert [smaller.name(row) for row in range(2)] == [names[3], names[2]]
    assert [smaller.originals.content(i) for i in range(2)] == [memory.originals.content(i) for i in (2, 3)]
    assert smaller.kernel is memory.kernel


def test_neighbours_are_views(make_memory: Any) -> None:
    memory = make_memory(patterns=4, files=4, compact=2)
    memory = replace(memory, statistics=encode(memory.kernel, memory.spec, memory.patterns)[1], shapes=np.arange(8).reshape(4, 2))
    kept = memory.keep(np.array([False, True, True, False]))
    pairs = [(getattr(kept, name), getattr(memory, name)) for name in ("patterns", "norms", "shapes")]
    pairs += zip(kept.statistics.of_each, memory.statistics.of_each, strict=True)
    for own, whole in (*pairs, (kept.compact.T, memory.compact.T)):
        np.testing.assert_array_equal(own, whole[1:3])
        assert np.shares_memory(own, whole)


def test_descriptors_go_with_their_picture(make_memory: Any) -> None:
    memory = make_memory(patterns=4, files=4, described=True)
    kept = memory.keep(np.array([True, True, False, True])).local
    assert kept.offsets.tolist() == [0, 2, 2, 4]
    assert kept.pictures == 2
    np.testing.assert_array_equal(kept.codes, memory.local.codes[[0, 1, 4, 5]])
    np.testing.assert_array_equal(kept.places, memory.local.places[[0, 1, 4, 5]])
    np.testing.assert_array_equal(kept.directions, memory.local.directions)


def test_nothing_is_taken_from_an_unchanged_memory(make_memory: Any, assert_same: Any) -> None:
    memory = make_memory()
    assert_same(memory.without([]), memory)


def test_unknown_names_and_an_empty_rest_are_errors(make_memory: Any) -> None:
    memory = make_memory()
    with pytest.raises(MemoryFileError, match="not in the memory"):
        memory.without([b"nobody"])
    with pytest.raises(MemoryFileError, match="no image would be left"):
        memory.without(memory.entries.names())
