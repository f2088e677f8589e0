"""Alignment finds known maps, and keeps the start where it can't do better."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.frames.alignment import Level, align_on, descend, displacement, evidence, laid, within
from uhop_cli.frames.frame import inverse
from uhop_cli.images.warp import area, warp

IDENTITY = np.eye(2, 3)


def scene(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth structure at several scales."""
    draws = np.random.default_rng(seed)
    plane = np.zeros((height, width))
    for cells, weight in ((4, 0.3), (9, 0.25), (20, 0.2)):
        plane += weight * area(draws.uniform(-1, 1, (cells, cells)).astype(np.float32), height, width)
    return (0.5 + plane).astype(np.float32)


def levels(query: np.ndarray, original: np.ndarray, visible: np.ndarray | None = None) -> tuple[Level, ...]:
    made = []
    for side in (48, 128):
        known = np.ones((side, side), bool)
        if visible is not None:
            known = area(visible.astype(np.float32), side, side) > 0.99
        made.append(Level(area(query, side, side), known, area(original, side, side)))
    return tuple(made)


def align(grids: tuple[Level, ...], start: np.ndarray) -> np.ndarray:
    """From small to large."""
    for place, grid in enumerate(grids):
        start = align_on(grid, start, coarsest=place == 0)
    return start


MAPS = [
    np.array([[1, 0, 0.02], [0, 1, -0.015]]),
    np.array([[1.03, 0.01, -0.02], [-0.02, 0.98, 0.01]]),
    np.array([[0.96, -0.03, 0.04], [0.02, 1.02, -0.02]]),
]


@pytest.mark.parametrize("affine", MAPS)
@pytest.mark.parametrize("damage", ["none", "light", "noise", "cover", "missing"])
def test_it_finds_the_map(affine: np.ndarray, damage: str) -> None:
    original = scene(200, 200)
    query = warp(original[None], affine, 200, 200, 2)[0]
    visible = None
    if damage == "light":
        query = 0.4 * query + 0.3
    elif damage == "noise":
        query = query + np.random.default_rng(1).normal(0, 0.1, query.shape).astype(np.float32)
    elif damage == "cover":
        query[60:150, 20:90] = 0.9
    elif damage == "missing":
        visible = np.ones((200, 200), bool)
        visible[60:150, 20:150] = False
        query[~visible] = 7
    found = align(levels(query, original, visible), IDENTITY)
    assert displacement(found, affine) < 0.004
    assert displacement(IDENTITY, affine) > 0.014


def test_it_works_from_a_turned_start() -> None:
    original = scene(160, 160)
    turned = np.array([[0, -1, 1], [1, 0, 0.0]])
    query = np.rot90(warp(original[None], MAPS[0], 160, 160, 2)[0])
    found = align(levels(query, original), turned)
    seen = warp(original[None], found, 160, 160)[0]
    assert np.abs(seen - query)[8:-8, 8:-8].mean() < 0.004


def test_a_stranger_never_loses_evidence() -> None:
    """What is kept has at least the evidence of the start."""
    for seed in range(4):
        pair = levels(scene(128, 128, seed), scene(128, 128, seed + 10))
        found = align_on(pair[1], IDENTITY)
        assert displacement(found, IDENTITY) <= 1
        if found is not IDENTITY:
            assert evidence(pair[1], found) > 0


def test_a_true_start_stays() -> None:
    original = scene(128, 128)
    assert displacement(align(levels(original, original), IDENTITY), IDENTITY) < 1e-3


def test_one_step_halves_the_distance() -> None:
    original = scene(128, 128)
    query = warp(original[None], MAPS[0], 128, 128)[0]
    level = Level(query, np.ones((128, 128), bool), original)
    assert displacement(descend(level, IDENTITY, 1), MAPS[0]) < 0.5 * displacement(IDENTITY, MAPS[0])
    assert descend(level, IDENTITY, 0) is IDENTITY


def test_a_negative_or_nothing_to_see_ends_at_once() -> None:
    original = scene(128, 128)
    every = np.ones((128, 128), bool)
    assert descend(Level(1 - original, every, original), IDENTITY, 10) is IDENTITY
    assert descend(Level(original, ~every, original), IDENTITY, 10) is IDENTITY
    assert evidence(Level(original, ~every, original), IDENTITY) == 0


def test_evidence_by_hand() -> None:
    """One block of 8 x 8 in which c = 1/2 but for the floor: - 32 ln(3/4)."""
    a = np.tile([1.0, -1, 1, -1, 1, -1, 1, -1], (8, 1))
    b = np.tile([1.0, -1, 1, -1, 0, 0, 0, 0], (8, 1))  # <a, b> / |a| |b| = sqrt(1/2)
    query, original = (np.pad(plane, 8).astype(np.float32) for plane in (a, b))
    level = Level(query, np.pad(np.ones((8, 8), bool), 8), original)
    assert evidence(level, IDENTITY) == pytest.approx(-32 * np.log(1 / 2), rel=1e-4)


def test_displacement_is_that_of_the_furthest_corner() -> None:
    assert displacement(np.array([[1.1, 0, -0.05], [0, 1, 0]]), IDENTITY) == pytest.approx(0.05)
    assert displacement(np.array([[1, 0, 0], [0.2, 1, 0.1]]), IDENTITY) == pytest.approx(0.3)


def test_what_lies_within() -> None:
    assert within(IDENTITY, (10, 10), (10, 10), 0).all()
    inner = within(IDENTITY, (10, 10), (10, 10), 2)
    assert inner.sum() == 36
    assert inner[2:8, 2:8].all()
    right = within(np.array([[1, 0, 0.5], [0, 1, 0.0]]), (4, 4), (4, 4), 0)
    np.testing.assert_array_equal(right[0], [True, True, False, False])
    seen, used = laid(Level(np.zeros((10, 10), np.float32), np.eye(10) < 1, scene(10, 10)), IDENTITY)
    np.testing.assert_array_equal(seen, scene(10, 10))
    assert used.sum() == 30
    np.testing.assert_allclose(inverse(inverse(MAPS[1])), MAPS[1])
