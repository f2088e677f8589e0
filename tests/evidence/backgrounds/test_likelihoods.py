"""Memories on a free background, against least squares with the background as a column of the design."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import like, to_numpy
from uhop_cli.evidence.backgrounds.likelihoods import BackgroundLevel, Backgrounds, on_best_background
from uhop_cli.evidence.backgrounds.opacity import background_grid, opacity_sums
from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.likelihoods import inner_products, log_likelihoods, unrelated, veiled_products
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.prepared import PreparedQueries, prepare
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.retrieval.distances import ROUNDING

SHAPES = [(16, 12, 3), (8, 8, 1), (6, 5, 3)]
GREY = 128 / 255


def memories(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Patterns (6, d) on mid-grey and opacity (6, H W): 0 opaque, 1 a single clear pixel of many, 2 evenly half clear, 3 half a
    picture, 4 clear or not at random, 5 a silhouette of one colour."""
    height, width, channels = shape
    rng = np.random.default_rng(1)
    opacity = np.ones((6, height, width))
    opacity[1, 0, 0] = 0 if height * width > 1000 else 0.99
    opacity[2] = 0.5
    opacity[3, :, : width // 2] = 0
    opacity[4] = rng.random((height, width))
    opacity[5] = rng.random((height, width)) < 0.5
    colours = rng.random((6, height, width, channels))
    colours[5] = (0.9, 0.2, 0.4)[:channels]
    laid = colours * opacity[..., None] + GREY * (1 - opacity[..., None])
    return laid.reshape(6, -1).astype(np.float32), opacity.reshape(6, -1).astype(np.float32)


def statistics(shape: tuple[int, int, int], patterns: np.ndarray, opacity: np.ndarray | None, put: Any) -> MemoryStatistics:
    grid, bands = BlockGrid.of(shape), BandGrid(shape)
    norms, kept = np.zeros((len(patterns), 0), np.float32), quantised(bands, bands.coefficients(patterns))
    sums = [] if opacity is None else [opacity_sums(background_grid(shape), patterns, opacity)]
    return MemoryStatistics.of(grid, *(put(part) for part in (*grid.sums(patterns), norms, *kept, *sums)))


def query(shape: tuple[int, int, int], pictures: np.ndarray, put: Any, *, opacity: bool = True) -> PreparedQueries:
    spectrum = Spectrum.of(np.ones(math.prod(shape) - shape[2], np.float32), shape[2])
    probes, norms = np.zeros((0, len(pictures), pictures.shape[1]), np.float32), np.zeros((0, len(pictures)), np.float32)
    return prepare(BlockGrid.of(shape), spectrum, put(pictures), probes=put(probes), norms=put(norms), dims=(), opacity=opacity)


def scores_of(asked: PreparedQueries, patterns: Any, opacity: Any, memory: MemoryStatistics) -> np.ndarray:
    products = inner_products(asked, patterns, memory.codes)
    if memory.backgrounds is not None:
        veiled = veiled_products(asked, opacity[like(patterns, memory.backgrounds.places)])
        products = products._replace(veiled=veiled)
    return to_numpy(log_likelihoods(asked, products, memory)[0])


def blocks(values: np.ndarray, side: int) -> list[np.ndarray]:
    """Pixels (H, W, ...) in side x side blocks, as rows of pixels."""
    rows, columns = ([round(i * size / side) for i in range(side + 1)] for size in values.shape[:2])
    return [
        values[rows[i] : rows[i + 1], columns[j] : columns[j + 1]].reshape(-1, *values.shape[2:])
        for i in range(side)
        for j in range(side)
    ]


def off(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    return values - design @ np.linalg.lstsq(design, values, rcond=None)[0]


def expected_affine(x: np.ndarray, xi: np.ndarray, veil: np.ndarray, side: int) -> float:
    """L of x (H, W, C) less the charge, by least squares in each block."""
    total, channels, price = 0.0, x.shape[2], math.log(x.size) / 2
    for a, b, m in zip(blocks(x, side), blocks(xi, side), blocks(veil, side), strict=True):
        seen = ((m - m.mean()) ** 2).sum() >= 1e-3 * len(m)
        design = np.stack([np.ones(len(m)), m], axis=1) if seen else np.ones((len(m), 1))
        a, b = off(design, a), off(design, b)
        gain = max((a * b).sum(), 0) / ((b * b).sum() + b.size * ROUNDING)
        left = max(((a * a).sum() - gain * (a * b).sum()) / a.size, 0) + ROUNDING
        total -= a.size / 2 * math.log(left) + (2 * channels - 1 if seen else channels - 1) * price
    return total


def expected_identity(x: np.ndarray, xi: np.ndarray, veil: np.ndarray) -> float:
    difference, m = (x - xi).reshape(-1, x.shape[2]), veil.reshape(-1, 1)
    left = (off(m, difference) ** 2).sum() / x.size
    return -x.size / 2 * math.log(left + ROUNDING) - x.shape[2] * math.log(x.size) / 2


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("count", [1, 9])
def test_likelihoods_are_those_of_least_squares_where_they_are_larger(shape: Any, count: int, device: str) -> None:
    if device != "cpu":
        pytest.importorskip("torch")
    put = Device(device).put
    patterns, opacity = memories(shape)
    rng = np.random.default_rng(2)
    laid = patterns[rng.integers(0, 6, count)] + rng.normal(0, 0.05, (count, patterns.shape[1])) + rng.normal(0, 0.1, (count, 1))
    pictures = laid.astype(np.float32)
    memory = statistics(shape, patterns, opacity, put)
    found = scores_of(query(shape, pictures, put), put(patterns), put(opacity), memory)
    plain = scores_of(query(shape, pictures, put, opacity=False), put(patterns), None, statistics(shape, patterns, None, put))
    assert memory.backgrounds is not None
    assert memory.backgrounds.places.tolist() == [2, 3, 4, 5]
    sides = background_grid(shape).levels
    raised = 0
    for q, x in enumerate(pictures.astype(float).reshape(-1, *shape)):
        for mu in range(6):
            want = plain[:, q, mu].copy()
            if mu > 1:
                xi, veil = patterns[mu].astype(float).reshape(shape), 1 - opacity[mu].astype(float).reshape(shape[:2])
                free = [expected_identity(x, xi, veil), *(expected_affine(x, xi, veil, side) for side in sides)]
                raised += int((np.array(free) > want[: len(free)] + 1).sum())
                want[: len(free)] = np.maximum(want[: len(free)], free)
            np.testing.assert_allclose(found[:, q, mu], want, rtol=2e-4, atol=0.2)
    assert raised or count == 1


def test_a_copy_on_any_colour_has_the_likelihood_of_a_perfect_one() -> None:
    """By hand: x = a (p + b m) + offset to the last digit, a = 1 and .5, has R = a^2 q of |p~|^2 + n q in place of |p~|^2."""
    shape, size = (16, 16, 3), 768
    patterns, opacity = memories(shape)
    shift = (np.array([0.3, -0.4, 0.1]) * (1 - opacity[4])[:, None]).ravel()
    pictures = np.stack([patterns[4] + shift, 0.5 * (patterns[4] + shift) + 0.2]).astype(np.float32)
    memory = statistics(shape, patterns, opacity, np.asarray)
    found = scores_of(query(shape, pictures, np.asarray), patterns, opacity, memory)
    best, price = -size / 2 * math.log(ROUNDING), math.log(size) / 2
    np.testing.assert_allclose(found[0, 0, 4], best - 3 * price, atol=12)  # a difference of large sums, in float32
    affine = best - size / 2 * np.log([2, 1.25])  # q once, and a^2 q
    np.testing.assert_allclose(found[1, :, 4], affine - 5 * price, rtol=3e-3)
    np.testing.assert_allclose(found[2, :, 4], affine - 20 * price, rtol=3e-3)
    assert (found[:3].argmax(axis=2)[[0, 1, 2, 1, 2], [0, 0, 0, 1, 1]] == 4).all()


def test_a_level_by_hand() -> None:
    """One block of 4 values: the query's have the mean square .25, of which the best gain explains c^2 s.

    Rounding may make it more than all; no more than q/2 is then left out of q.
    """
    none, one = np.zeros((1, 1), np.float32), np.ones((1, 1), np.float32)
    level = BackgroundLevel(
        sizes=np.array([4], np.float32),
        pool=one,
        veils=none,
        inverses=none,
        slopes=none[None],
        sums=none[None],
        scales=one / 4,
        charges=np.array([7], np.float32),
    )
    for covariance, left in ((1.0, ROUNDING), (1.1, ROUNDING / 2), (-1.0, 0.25 + ROUNDING), (0.6, 0.16 + ROUNDING)):
        found = level.log_likelihood(none[None], one, np.full((1, 1, 1), covariance), none[None, None])
        assert found == pytest.approx(-2 * math.log(left) - 7, rel=1e-5)


def test_unrelated_may_have_an_offset_of_each_channel() -> None:
    """A picture of one colour and noise: by hand, each channel's own variance, and two parameters more a block."""
    shape = (8, 8, 3)
    rng = np.random.default_rng(3)
    noise, colour = rng.normal(0, 0.01, (64, 3)), np.array([0.1, 0.5, 0.9])
    picture = (noise + colour).astype(np.float32)
    asked, plain = (query(shape, picture.reshape(1, -1), np.asarray, opacity=free) for free in (True, False))
    variance = float(((picture - picture.mean(axis=0)) ** 2).mean()) + ROUNDING
    by_channel = -192 / 2 * math.log(variance) - 2 * math.log(192) / 2
    found, before = unrelated(asked)[:, 0], unrelated(plain)[:, 0]
    np.testing.assert_allclose(found[:2], by_channel, rtol=1e-4)
    assert before[1] < by_channel - 100
    np.testing.assert_array_equal(found[3:], before[3:])  # the bands have an offset for each channel already
    grey = query(shape, np.full((1, 192), 0.5, np.float32) + 0.1 * rng.standard_normal((1, 192)).astype(np.float32), np.asarray)
    assert unrelated(grey)[1, 0] == pytest.approx(-192 / 2 * math.log(float(grey.levels[0].variances[0, 0])), rel=1e-5)


def test_in_four_blocks_each_has_offsets_and_pays_for_them() -> None:
    """By hand: two parameters more in each of four blocks of 192 values, of 768 in all."""
    noise, colour = np.random.default_rng(5).normal(0, 0.01, (16, 16, 3)), np.array([0.1, 0.5, 0.9])
    picture = (noise + colour).astype(np.float32)
    variances = [((block - block.mean(axis=0)) ** 2).mean() + ROUNDING for block in blocks(picture.astype(float), 2)]
    expected = -192 / 2 * np.log(variances).sum() - 4 * 2 * math.log(768) / 2
    assert unrelated(query((16, 16, 3), picture.reshape(1, -1), np.asarray))[2, 0] == pytest.approx(expected, rel=1e-4)


def test_opaque_memories_alone_have_no_background() -> None:
    shape = (16, 12, 3)
    patterns, opacity = memories(shape)
    kept = opacity_sums(background_grid(shape), patterns[:2], opacity[:2])
    assert Backgrounds.of(shape, kept, BlockGrid.of(shape).sums(patterns[:2])[1]) is None


def test_a_chunk_has_its_own_places() -> None:
    shape = (16, 12, 3)
    patterns, opacity = memories(shape)
    whole = statistics(shape, patterns, opacity, np.asarray).backgrounds
    assert whole is not None
    part = whole.rows(slice(3, 5))
    assert part is not None
    assert part.places.tolist() == [0, 1]
    np.testing.assert_array_equal(part.colours, whole.colours[:, 1:3])
    np.testing.assert_array_equal(part.levels[1].slopes, whole.levels[1].slopes[..., 1:3])
    assert whole.rows(slice(0, 2)) is None


@pytest.mark.parametrize("device", ["cpu", "torch-cpu"])
def test_the_best_background_is_taken_where_it_is_worth_its_charge(device: str) -> None:
    if device != "cpu":
        pytest.importorskip("torch")
    put = Device(device).put
    rng = np.random.default_rng(4)
    veils = (rng.random((4, 64)) < 0.5).astype(np.float32)
    veils[3] = 0  # opaque
    noise = rng.normal(0, 0.05, (4, 64, 3))
    shift = np.array([[0.5, 0, -0.2], [0, 0, 0], [0.001, 0, 0], [0.4, 0.4, 0.4]])
    differences = (noise + veils[:, :, None] * shift[:, None]).astype(np.float32)
    laid, charge = (to_numpy(part) for part in on_best_background(put(differences.reshape(4, -1)), put(veils)))
    assert charge == pytest.approx([3 * math.log(192) / 2, 0, 0, 0])
    best = off(veils[0].astype(float)[:, None], differences[0].astype(float))
    np.testing.assert_allclose(laid[0].reshape(64, 3), best, atol=1e-5)
    np.testing.assert_array_equal(laid[1:], differences[1:].reshape(3, -1))
    faint = (0.1 * noise[:1] + veils[:1, :, None] * [0.1, 0, 0]).astype(np.float32)  # less than 1 is left, before and after
    assert to_numpy(on_best_background(put(faint.reshape(1, -1)), put(veils[:1]))[1]) == pytest.approx([3 * math.log(192) / 2])
