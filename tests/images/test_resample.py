"""The size of pixels changed: means over cells, exactly, and interpolation, against the definition."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from uhop_cli.images.resample import Axis, resize


def mean_matrix(size: int, target: int) -> list[list[Fraction]]:
    """Weights of the pixels in each cell, as fractions."""
    edges = [Fraction(i * size, target) for i in range(target + 1)]
    overlap = [
        [max(Fraction(0), min(edges[i + 1], Fraction(j + 1)) - max(edges[i], Fraction(j))) for j in range(size)]
        for i in range(target)
    ]
    return [[part * target / size for part in row] for row in overlap]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize(
    ("height", "width", "rows", "columns"), [(7, 9, 3, 4), (8, 12, 4, 3), (13, 5, 12, 1), (2, 3, 1, 2), (300, 4, 1, 3)]
)
def test_means_over_cells_are_exact(dtype: type, height: int, width: int, rows: int, columns: int) -> None:
    values = np.random.default_rng(0).integers(0, np.iinfo(dtype).max, (height, width, 2), dtype=dtype, endpoint=True)
    down, across = mean_matrix(height, rows), mean_matrix(width, columns)
    result = resize(values, rows, columns)
    for i in range(rows):
        for j in range(columns):
            for c in range(2):
                expected = sum(
                    down[i][y] * across[j][x] * int(values[y, x, c])
                    for y in range(height)
                    for x in range(width)
                    if down[i][y] and across[j][x]
                )
                assert result[i, j, c] == float(expected)


def test_the_largest_sums_fit() -> None:
    for dtype in (np.uint8, np.uint16):
        values = np.full((3000, 40, 1), np.iinfo(dtype).max, dtype)
        assert (resize(values, 2, 1) == np.iinfo(dtype).max).all()


def test_an_axis_that_fits_or_grows() -> None:
    values = np.random.default_rng(1).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    assert resize(values, 4, 6) is not None
    np.testing.assert_array_equal(resize(values, 4, 6), values)
    np.testing.assert_allclose(resize(values, 2, 6), values.reshape(2, 2, 6, 3).mean(axis=1))
    np.testing.assert_allclose(resize(values, 4, 3), values.reshape(4, 3, 2, 3).mean(axis=2))
    grown = resize(values, 8, 3)  # one axis grows, the other shrinks
    np.testing.assert_allclose(grown[0], values[:1].reshape(1, 3, 2, 3).mean(axis=2)[0])
    np.testing.assert_allclose(grown[1], (0.75 * values[0] + 0.25 * values[1]).reshape(3, 2, 3).mean(axis=1))


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("height", "width", "step"), [(37, 50, 4), (36, 49, 3), (300, 41, 7), (33, 33, 2)])
def test_a_reduced_picture_keeps_its_place(height: int, width: int, step: int, turned: bool) -> None:
    """Blocks of one colour, the last of which are cut: a pixel for each block says as much as all pixels."""
    rows, columns = Axis(height, step), Axis(width, step)
    reduced = np.random.default_rng(2).integers(0, 256, (len(rows), len(columns), 3), dtype=np.uint8)
    full = reduced.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    if turned:
        reduced, full, rows, columns = reduced[::-1, ::-1], full[::-1, ::-1], rows.turned(), columns.turned()
    np.testing.assert_array_equal(resize(reduced, 4, 3, (rows, columns)), resize(full, 4, 3))
    assert (len(rows), len(columns)) == reduced.shape[:2]


def test_an_axis_turned_twice_is_itself() -> None:
    axis = Axis(37, 4)
    assert axis.turned() == Axis(37, 4, -3)
    assert axis.turned().turned() == axis
