"""Near-duplicates: which rows are one picture, and what is left of the pairs when rows go."""

from __future__ import annotations

import numpy as np

from uhop_cli.memory.near import NearPairs


def near(*pairs: tuple[int, int, int]) -> NearPairs:
    table = np.array(pairs, np.int64).reshape(-1, 3)
    return NearPairs(table[:, :2], table[:, 2].astype(np.int8))


def test_one_picture_under_several_names() -> None:
    groups = near((4, 7, 1), (0, 4, 1), (2, 3, 0), (5, 6, -1), (8, 9, 1)).groups
    assert groups == {0: (0, 4, 7), 4: (0, 4, 7), 7: (0, 4, 7), 8: (8, 9), 9: (8, 9)}
    chain = near(*((row, row + 1, 1) for row in range(50)))
    assert chain.groups[50] == tuple(range(51))
    assert near((0, 2, 1), (1, 3, 1), (1, 2, 1)).groups[3] == (0, 1, 2, 3)
    assert near().groups == {}


def test_rows_with_another_picture_near() -> None:
    assert near((4, 7, 1), (2, 3, 0), (5, 6, -1)).rows == {2, 3, 5, 6}


def test_rows_that_go() -> None:
    kept = near((0, 1, 1), (1, 3, 0), (2, 3, -1)).select(np.array([True, False, True, True]))
    np.testing.assert_array_equal(kept.pairs, [[1, 2]])
    np.testing.assert_array_equal(kept.verified, [-1])
    assert near((0, 1, 1)).select(np.array([True, False])).pairs.shape == (0, 2)
