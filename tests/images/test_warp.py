"""Sampling through affine maps, against the definitions written as loops, and a few numbers worked by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.images.warp import area, area_weights, bilinear, centres, transformed, warp

IDENTITY = np.eye(2, 3)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 1, (height, width)).astype(np.float32)


def interpolated(plane: np.ndarray, y: float, x: float) -> float:
    height, width = plane.shape
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    return sum(float(plane[i, j]) * max(0, 1 - abs(y - i)) * max(0, 1 - abs(x - j)) for i in range(height) for j in range(width))


def test_bilinear_is_its_definition() -> None:
    draws = np.random.default_rng(1)
    pictures = draws.uniform(0, 1, (2, 4, 6, 3)).astype(np.float32)
    y, x = draws.uniform(-2, 6, 40), draws.uniform(-2, 8, 40)
    result = bilinear(pictures, y, x)
    assert result.shape == (2, 40, 3)
    assert result.dtype == np.float32
    for k in range(2):
        for c in range(3):
            expected = [interpolated(pictures[k, :, :, c], *at) for at in zip(y, x, strict=True)]
            np.testing.assert_allclose(result[k, :, c], expected, atol=1e-6)


def test_bilinear_by_hand() -> None:
    plane = np.array([[0, 1], [10, 21]], np.float32)[None, :, :, None]
    values = bilinear(plane, np.array([0.0, 0.25, 1, 9]), np.array([0.5, 0.5, -1, 9]))[0, :, 0]
    np.testing.assert_allclose(values, [0.5, 0.75 * 0.5 + 0.25 * 15.5, 10, 21])


def test_centres_and_maps() -> None:
    v, u = centres(2, 4)
    np.testing.assert_allclose(v[:, 0], [0.25, 0.75])
    np.testing.assert_allclose(u[0], [0.125, 0.375, 0.625, 0.875])
    v, u = transformed(np.array([[2, 0.5, -1], [0.25, 3, 4.0]]), 2, 4)
    assert u[1, 2] == pytest.approx(2 * 0.625 + 0.5 * 0.75 - 1)
    assert v[1, 2] == pytest.approx(0.25 * 0.625 + 3 * 0.75 + 4)


def test_the_identity_gives_the_picture() -> None:
    planes = picture(5, 7)[None]
    assert warp(planes, IDENTITY, 5, 7) is planes
    np.testing.assert_allclose(warp(planes, IDENTITY + 1e-12, 5, 7), planes, atol=1e-6)


def test_a_turn_takes_pixels_to_pixels() -> None:
    """(u, v) -> (1 - v, u) on the turned grid is numpy.rot90."""
    plane = picture(5, 8)
    back = np.array([[0, -1, 1], [1, 0, 0.0]])
    np.testing.assert_allclose(warp(plane[None], back, 8, 5)[0], np.rot90(plane), atol=1e-6)


def test_several_samples_are_a_mean_over_the_cell() -> None:
    plane = picture(8, 12)
    means = plane.reshape(4, 2, 4, 3).mean(axis=(1, 3))
    assert np.abs(warp(plane[None], IDENTITY, 4, 4)[0] - means).max() > 0.05
    two = warp(plane[None], IDENTITY, 4, 6, samples=2)[0]
    np.testing.assert_allclose(two, plane.reshape(4, 2, 6, 2).mean(axis=(1, 3)), atol=1e-6)
    moved = warp(np.stack((plane, 2 * plane)), np.array([[0.7, 0, 0.1], [0.1, 0.6, 0.2]]), 3, 5, samples=2)
    assert moved.shape == (2, 3, 5)
    fine = warp(plane[None], np.array([[0.7, 0, 0.1], [0.1, 0.6, 0.2]]), 6, 10)[0]
    np.testing.assert_allclose(moved[0], fine.reshape(3, 2, 5, 2).mean(axis=(1, 3)), atol=1e-6)
    np.testing.assert_allclose(moved[1], 2 * moved[0], atol=1e-6)


def overlaps(size: int, begin: float, end: float, cells: int) -> np.ndarray:
    """Weights of cells that are larger than a pixel, by a fine grid of points."""
    matrix = np.zeros((cells, size))
    points = 4000
    for cell in range(cells):
        places = begin + (end - begin) * (cell + (np.arange(points) + 0.5) / points) / cells
        np.add.at(matrix[cell], np.clip(np.floor(places), 0, size - 1).astype(int), 1 / points)
    return matrix


def dense(size: int, begin: float, end: float, cells: int) -> np.ndarray:
    pixels, weights = area_weights(size, begin, end, cells)
    matrix = np.zeros((cells, size))
    np.add.at(matrix, (np.broadcast_to(np.arange(cells), pixels.shape), pixels), weights)
    return matrix


@given(
    st.integers(1, 12),
    st.floats(-3, 3, allow_subnormal=False),
    st.floats(0.5, 14, allow_subnormal=False),
    st.integers(1, 6),
)
def test_weights_of_an_axis(size: int, begin: float, length: float, cells: int) -> None:
    matrix = dense(size, begin, begin + length, cells)
    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
    assert (matrix >= 0).all()
    if length >= cells:
        np.testing.assert_allclose(matrix, overlaps(size, begin, begin + length, cells), atol=2e-3)
    else:
        centre = begin + (np.arange(cells) + 0.5) * length / cells
        np.testing.assert_allclose(matrix @ np.arange(size), np.clip(centre - 0.5, 0, size - 1), atol=1e-4)


def test_area_by_hand() -> None:
    plane = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)
    np.testing.assert_allclose(area(plane, 1, 2), [[3.5, 5.5]])
    np.testing.assert_allclose(area(plane, 1, 1, (0, 2), (1, 4)), [[5]])
    np.testing.assert_allclose(area(plane, 1, 1, (0, 1.5), (0, 4)), [[(2 * 2.5 + 6.5) / 3]])
    np.testing.assert_allclose(area(plane[:1], 1, 8), [[1, 1.25, 1.75, 2.25, 2.75, 3.25, 3.75, 4]])
    np.testing.assert_array_equal(area(plane, 2, 4), plane)


def test_a_projective_map_divides_by_its_last_row() -> None:
    v, u = transformed(np.array([[2, 0, 0.5], [0, 3, 0], [1, 0.5, 1]]), 2, 4)
    assert u[1, 2] == pytest.approx((2 * 0.625 + 0.5) / (0.625 + 0.375 + 1))
    assert v[1, 2] == pytest.approx(3 * 0.75 / (0.625 + 0.375 + 1))
    assert (u.shape, v.shape) == ((2, 4), (2, 4))


def test_whole_numbers_are_sampled_as_they_are() -> None:
    eight = np.array([[0, 255], [7, 250]], np.uint8)[None, :, :, None]
    assert bilinear(eight, np.array([0.5, 1]), np.array([0.5, 0.25]))[0, :, 0].tolist() == [128, 67.75]
