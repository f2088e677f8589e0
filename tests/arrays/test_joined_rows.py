"""Joined rows are the concatenation, whatever they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.arrays import joined_rows
from uhop_cli.arrays.joined_rows import EndToEnd, JoinedRows, concatenated

LENGTHS = st.lists(st.integers(1, 5), min_size=1, max_size=4)


def _parts(lengths: list[int]) -> list[np.ndarray]:
    whole = np.arange(sum(lengths) * 6, dtype=np.uint8).reshape(-1, 2, 3)
    return np.split(whole, np.cumsum(lengths)[:-1])


@given(LENGTHS, st.data())
def test_every_index_gives_what_the_concatenation_gives(lengths: list[int], data: st.DataObject) -> None:
    parts = _parts(lengths)
    rows, whole = JoinedRows(parts), np.concatenate(parts)
    count = len(whole)
    numbers = st.integers(-count, count - 1)
    index = data.draw(
        st.one_of(
            numbers,
            st.slices(count),
            st.lists(numbers, max_size=6).map(lambda items: np.array(items, np.int64)),
            st.lists(numbers, min_size=4, max_size=4).map(lambda items: np.array(items).reshape(2, 2)),
            st.lists(st.booleans(), min_size=count, max_size=count).map(np.array),
        )
    )
    np.testing.assert_array_equal(rows[index], whole[index])
    assert rows[index].dtype == whole.dtype


@given(LENGTHS)
def test_shape_iteration_and_another_shape(lengths: list[int]) -> None:
    rows, whole = JoinedRows(_parts(lengths)), np.concatenate(_parts(lengths))
    assert (rows.shape, rows.ndim, rows.dtype, len(rows)) == (whole.shape, whole.ndim, whole.dtype, len(whole))
    np.testing.assert_array_equal(np.stack(list(rows)), whole)
    np.testing.assert_array_equal(rows.reshape(-1, 6)[:], whole.reshape(-1, 6))
    np.testing.assert_array_equal(np.asarray(rows), whole)


def test_a_slice_of_one_part_is_no_copy() -> None:
    parts = _parts([3, 4])
    assert np.shares_memory(JoinedRows(parts)[3:6], parts[1])


@pytest.mark.parametrize("index", [7, -8, np.array([0, 7]), np.array([-8])])
def test_a_row_that_is_not_there_is_refused(index: object) -> None:
    with pytest.raises(IndexError):
        JoinedRows(_parts([3, 4]))[index]


def test_rows_keep_their_number_in_another_shape() -> None:
    with pytest.raises(ValueError, match="7 joined rows cannot become 6"):
        JoinedRows(_parts([3, 4])).reshape(6, 7)


@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_concatenated_is_the_same_in_memory_and_in_a_file(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined_rows, "MAPPED", limit)
    parts = _parts([3, 0, 1, 4])
    found = concatenated(parts)
    assert isinstance(found, np.memmap) == (limit == 0)
    np.testing.assert_array_equal(found, np.concatenate(parts))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_parts_are_put_end_to_end_along_any_axis_as_they_come(axis: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joined_rows, "MAPPED", 0)
    parts = [np.moveaxis(part, 0, axis) for part in _parts([0, 2, 5])]
    whole = EndToEnd(7, axis)
    for part in parts:
        whole.add(part.copy())
    found = whole.close()
    assert found.flags.c_contiguous
    assert not found.flags.writeable
    np.testing.assert_array_equal(found, np.concatenate(parts, axis))


def test_a_part_that_is_all_is_no_copy() -> None:
    parts = _parts([0, 4, 0])
    assert np.shares_memory(concatenated(parts), parts[1])
    assert parts[1].flags.writeable


def test_a_part_that_has_not_come_is_missed() -> None:
    whole = EndToEnd(7)
    whole.add(_parts([4])[0])
    with pytest.raises(AssertionError):
        whole.close()
