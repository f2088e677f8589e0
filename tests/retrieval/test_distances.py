"""Squared distances worked by hand; their precision and both devices are in tests/evidence/test_visible.py."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.retrieval import distances as module
from uhop_cli.retrieval.distances import EXACT, ROUNDING, squared_distances
from uhop_cli.retrieval.pattern_matrix import pattern_matrix


def test_a_value_rounded_to_8_bits_has_the_variance_of_a_uniform_one_a_grey_level_wide() -> None:
    assert pytest.approx(1.28155e-6, rel=1e-5) == ROUNDING  # 1 / (12 * 65025)


@pytest.mark.parametrize("count", [2, EXACT, EXACT + 1, 3 * EXACT])
def test_distances_of_two_values(count: int) -> None:
    """Memories (mu / 255, 1): those measured again and those from the product obey one formula."""
    pixels = np.zeros((count, 1, 2, 1), np.uint8)
    pixels[:, 0, 0, 0], pixels[:, 0, 1, 0] = np.arange(count), 255
    queries = np.array([[0.5, 0.25], [0.0, 2.0]], np.float32)
    first = np.square([[0.5], [0.0]] - np.arange(count) / 255)
    second = np.array([[0.75**2], [1.0]])
    matrix = pattern_matrix(pixels)
    np.testing.assert_allclose(squared_distances(matrix, queries), first + second, atol=1e-6)
    visible = np.array([[True, False], [False, True]])
    expected = np.stack([first[0], np.full(count, 1.0)])
    np.testing.assert_allclose(squared_distances(matrix, queries, visible), expected, atol=1e-6)
    wrong = np.zeros(count, np.float32)  # totals belong to all values: they are not looked at beside `visible`
    np.testing.assert_allclose(squared_distances(matrix, queries, visible, wrong), expected, atol=1e-6)


@pytest.mark.parametrize("together", [1, 1 << 17])
def test_of_a_query_with_many_memories_near_the_nearest_are_measured_again(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memories of one value mu / 255, mu < 128, and two queries: the tenth of them, and 1, which is .252 from the last. Up to 2.5
    times as far as the nearest lie the tenth alone, and the last 75 (.63 > (202/255)^2), of which `EXACT` are read."""
    monkeypatch.setattr(module, "TOGETHER", together)
    monkeypatch.setattr(module, "AGAIN_BYTES", 4 * 7)  # seven at a time
    pixels = np.arange(2 * EXACT, dtype=np.uint8).reshape(-1, 1, 1, 1)
    queries = np.array([[9 / 255], [1.0]], np.float32)
    expected = np.square(queries.astype(float) - np.arange(2 * EXACT) / 255)
    near = range(9 - EXACT // 2, 9 + EXACT)  # of the tenth, whatever is equally far
    for times, first in ((2.5, [9]), (1e6, None)):  # a million times as far lie all of them
        matrix, read = pattern_matrix(pixels), []
        rows = matrix.rows
        matrix.rows = lambda indices, rows=rows, read=read: read.append(list(indices)) or rows(indices)  # type: ignore[method-assign]
        np.testing.assert_allclose(squared_distances(matrix, queries, times=times), expected, atol=1e-6)
        assert max(map(len, read)) <= 7
        found = sorted(row for some in read for row in some)
        others = list(range(EXACT, 2 * EXACT))
        if first is not None:
            assert found == first + others
        else:
            assert len(found) == 2 * EXACT
            assert set(found) - set(others) <= set(near)


@pytest.mark.parametrize("together", [1, 1 << 17])
def test_only_what_is_near_enough_is_measured_again(together: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two queries, grey but for one value that is 1 in the first; memories that differ from that grey by 0, 2, 3, 9 and 12 levels.

    What a product loses does not show here, so that it is noted which rows are read again.
    """
    monkeypatch.setattr(module, "TOGETHER", together)
    levels = 100 + np.array([0, 2, 3, 9, 12])
    pixels = np.repeat(levels[:, None], 300, axis=1).astype(np.uint8).reshape(5, 10, 10, 3)
    queries = np.full((2, 300), 100 / 255, np.float32)
    queries[0, 0] = 1
    expected = np.square(queries[:, None].astype(float) - pixels.reshape(5, 300) / 255).sum(axis=2)
    lost = 1e-5 * (np.square(queries).sum(axis=1) + 300 * (112 / 255) ** 2)  # .0006, where 2 levels are .018 and 12 levels .66
    for times in (1, 1.2, 60, 10_000, math.inf):
        matrix, read = pattern_matrix(pixels), []
        rows = matrix.rows
        matrix.rows = lambda indices, rows=rows, read=read: read.extend(indices) or rows(indices)  # type: ignore[method-assign]
        np.testing.assert_allclose(squared_distances(matrix, queries, times=times), expected, atol=1e-3)
        with np.errstate(invalid="ignore"):
            bound = times * (expected[:, :1] + lost[:, None] + 300 * ROUNDING) + lost[:, None]
        assert sorted(read) == sorted(np.nonzero(expected <= bound)[1])
