"""The columns of stored files against plain lists."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.memory.entries import Entries, pack, subset

NAMES = st.lists(st.binary(min_size=1, max_size=6), min_size=1, max_size=12, unique=True)


def build(names: list[bytes], rows: list[int] | None = None) -> Entries:
    count = len(names)
    return Entries.build(names, rows or list(range(count)), [bytes([i]) * 32 for i in range(count)], list(range(count)))


@given(NAMES, st.data())
def test_columns_hold_what_lists_would(names: list[bytes], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.integers(0, 3), min_size=len(names), max_size=len(names)))
    entries = build(names, rows)
    assert len(entries) == len(names)
    assert entries.names() == names
    assert [entries.name(i) for i in range(len(names))] == names
    assert [entries.digest(i)[0] for i in range(len(names))] == list(range(len(names)))
    for row in range(4):
        assert entries.files_of(row).tolist() == [index for index, its in enumerate(rows) if its == row]
    for row in set(rows):
        assert entries.first_files[row] == rows.index(row)


@given(NAMES, st.binary(max_size=6))
def test_find_is_the_index_of_a_list(names: list[bytes], other: bytes) -> None:
    entries = build(names)
    assert [entries.find(name) for name in names] == list(range(len(names)))
    assert entries.find(other) == (names.index(other) if other in names else None)


@given(NAMES, st.data())
def test_a_selection_and_the_rest_make_the_whole(names: list[bytes], data: st.DataObject) -> None:
    keep = np.array(data.draw(st.lists(st.booleans(), min_size=len(names), max_size=len(names))), np.bool_)
    entries = build(names)
    joined = Entries.joined([entries.select(keep), entries.select(~keep)])
    order = [*np.flatnonzero(keep), *np.flatnonzero(~keep)]
    assert joined.names() == [names[i] for i in order]
    assert joined.name_entry.tolist() == order
    assert joined.sizes.tolist() == order
    assert joined.digests[:, 0].tolist() == order


def test_packed_strings_may_be_empty() -> None:
    data, offsets = subset(*pack([b"", b"ab", b"", b"c"]), np.array([True, True, True, False]))
    assert data.tobytes() == b"ab"
    assert offsets.tolist() == [0, 0, 2, 2]
