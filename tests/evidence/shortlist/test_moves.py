"""Moves and what undoes them, by hand; a moved copy finds its place."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.shortlist.codes import Coder
from uhop_cli.evidence.shortlist.index import CodeIndex
from uhop_cli.evidence.shortlist.moves import TRIED, back_in_place, moves, undone


def test_moves_are_of_a_thirtysecond_and_a_sixteenth_of_each_side() -> None:
    found = moves(32, 32)
    assert found[0].tolist() == [0, 0]
    assert sorted(found.tolist()) == [[down, right] for down in range(-2, 3) for right in range(-2, 3)]
    assert sorted(set(moves(64, 16)[:, 0].tolist())) == [-4, -2, 0, 2, 4]
    assert sorted(set(moves(64, 16)[:, 1].tolist())) == [-1, 0, 1]
    assert moves(8, 8).tolist() == [[0, 0]]


def test_what_was_moved_lies_in_its_place_again_but_for_the_edge() -> None:
    picture = np.arange(12.0, dtype=np.float32).reshape(3, 4, 1)
    moved_down_and_left = np.array([[1, 2, 3, 3], [1, 2, 3, 3], [5, 6, 7, 7]], np.float32)[:, :, None]
    back = undone(moved_down_and_left, np.array([1, -1]))[:, :, 0]
    np.testing.assert_array_equal(back, [[1, 1, 2, 3], [5, 5, 6, 7], [5, 5, 6, 7]])
    np.testing.assert_array_equal(back[:2, 1:], picture[:2, 1:, 0])
    np.testing.assert_array_equal(undone(picture, np.array([0, 0])), picture)


@pytest.mark.parametrize("size", [40, 400])
def test_a_moved_copy_is_put_back_among_the_memories_of_its_list(
    size: int, coder: Coder, codes: np.ndarray, patterns: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    rows = np.sort(np.stack([np.append(rng.choice(np.arange(20, 3000), size - 1, replace=False), own) for own in range(9)]), axis=1)
    pictures = patterns[:9].reshape(9, 16, 16, 3)
    shifts = [(1, 0), (0, -1), (-1, 1), (0, 0), (1, 1), (0, 1), (-1, 0), (-1, -1), (1, -1)]
    moved = np.stack([undone(picture, np.negative(shift)) for picture, shift in zip(pictures, shifts, strict=True)]).reshape(9, -1)
    found = back_in_place(CodeIndex(codes, coder), (16, 16, 3), moved, rows)
    assert found.which.tolist() == [0, 1, 2, 4, 5, 6, 7, 8]  # the fourth lies where it was
    assert found.rows.shape == (8, min(size, TRIED))
    assert (np.diff(found.rows, axis=1) > 0).all()
    for own, back, alike in zip(found.which, found.queries, found.rows, strict=True):
        assert own in alike
        assert set(alike.tolist()) <= set(rows[own].tolist())
        np.testing.assert_array_equal(back.reshape(16, 16, 3)[1:-1, 1:-1], pictures[own][1:-1, 1:-1])
