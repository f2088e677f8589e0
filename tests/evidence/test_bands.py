"""Bands of the spectrum: where a coefficient belongs, what is kept of it, and the likelihood, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.evidence.bands import BandGrid, quantised
from uhop_cli.evidence.blocks import BlockGrid
from uhop_cli.evidence.likelihoods import inner_products, log_likelihoods, unrelated
from uhop_cli.evidence.memory_statistics import MemoryStatistics
from uhop_cli.evidence.prepared import prepare
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.retrieval.distances import ROUNDING


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


@pytest.mark.parametrize(
    ("shape", "sizes", "beyond", "parameters"),
    [
        ((32, 32, 3), [3, 4, 5, 9, 21, 43, 52, 6, 6, 8, 10, 18, 42, 86, 104, 12], 2640, 36),
        ((28, 28, 1), [3, 4, 5, 9, 21, 43, 52, 6], 640, 18),
        ((8, 8, 3), [3, 4, 5, 9, 21, 21, 6, 8, 10, 18, 42, 42], 0, 27),
        ((2, 1, 3), [1, 2], 0, 7),
        ((1, 1, 1), [], 0, 1),
    ],
)
def test_the_sizes_of_the_bands(shape: tuple[int, int, int], sizes: list[int], beyond: int, parameters: int) -> None:
    grid = BandGrid(shape)
    assert grid.sizes.tolist() == sizes
    assert grid.kept == sum(sizes)
    assert grid.beyond == beyond
    assert grid.parameters == parameters
    assert sorted(grid.order) == sorted(set(range(math.prod(shape))) - set(range(shape[2])))


@pytest.mark.parametrize(("frequency", "band"), [((0, 1), 0), ((1, 1), 0), ((2, 0), 1), ((2, 2), 2), ((3, 3), 3), ((11, 11), 7)])
def test_a_wave_has_one_coefficient_in_its_band(frequency: tuple[int, int], band: int, device: Device) -> None:
    grid = BandGrid((16, 12, 3))
    v, u = frequency
    wave = np.outer(np.cos(np.pi * v * (np.arange(16) + 0.5) / 16), np.cos(np.pi * u * (np.arange(12) + 0.5) / 12))
    for colour, (amounts, first) in enumerate([((1, 1, 1), 0), ((1, 0, -1), 8), ((1, -2, 1), 8)]):
        picture = (wave[:, :, None] * amounts).astype(np.float32).reshape(1, -1)
        found = to_numpy(grid.coefficients(device.put(picture)))[0]
        place = int(np.abs(found).argmax())
        assert abs(abs(found[place]) - np.linalg.norm(picture)) < 1e-3
        assert np.abs(np.delete(found, place)).max() < 1e-4
        part = grid.parts[first + band]
        assert part.start <= place < part.stop, colour


def test_what_is_beyond_the_bands_comes_last() -> None:
    grid = BandGrid((16, 16, 1))
    wave = np.outer(np.cos(np.pi * 12 * (np.arange(16) + 0.5) / 16), np.ones(16)).astype(np.float32).reshape(1, -1)
    found = grid.coefficients(wave)[0]
    assert int(np.abs(found).argmax()) >= grid.kept
    assert abs((found**2).sum() - (wave**2).sum()) < 1e-2


def test_eight_bits_by_hand() -> None:
    grid = BandGrid((2, 2, 1))  # one band, (0, 1), (1, 0) and (1, 1)
    codes, scales = quantised(grid, np.array([[12.7, -6.36, 0.04], [0, 0, 0]], np.float32))
    assert codes.tolist() == [[127, -64, 0], [0, 0, 0]]
    np.testing.assert_allclose(scales, [[0.1], [0]], rtol=1e-6)


def test_products_and_powers_by_band(device: Device) -> None:
    grid = BandGrid((8, 8, 3))
    rng = np.random.default_rng(0)
    coefficients = rng.standard_normal((3, len(grid.order))).astype(np.float32)
    codes = rng.integers(-127, 128, (5, grid.kept)).astype(np.int8)
    products = to_numpy(grid.products(device.put(coefficients), device.put(codes)))
    powers = to_numpy(grid.powers(device.put(codes)))
    for band, part in enumerate(grid.parts):
        np.testing.assert_allclose(products[band], coefficients[:, part] @ codes[:, part].T.astype(np.float32), rtol=1e-4)
        np.testing.assert_allclose(powers[:, band], (codes[:, part].astype(float) ** 2).sum(axis=1), rtol=1e-6)


def test_the_likelihood_by_hand() -> None:
    # Two pixels: a mean, and one coefficient (x0 - x1) / sqrt 2 in the only band; nothing is beyond it.
    grid = BlockGrid.of((2, 1, 1))
    stored = np.array([[0.25, 0.75], [0.75, 0.25]], np.float32)
    bands = BandGrid(grid.shape)
    statistics = MemoryStatistics.of(
        grid, *grid.sums(stored), np.zeros((2, 0), np.float32), *quantised(bands, bands.coefficients(stored))
    )
    nothing = {"probes": np.zeros((0, 1, 2), np.float32), "norms": np.zeros((0, 1), np.float32), "dims": ()}
    query = prepare(grid, Spectrum.of(np.ones(1, np.float32), 1), np.array([[0, 1]], np.float32), **nothing)
    found, _ = log_likelihoods(query, inner_products(query, stored, statistics.codes), statistics)
    place = query.models.index("bands")
    q = ROUNDING
    # v = 1/2 + q. The first memory: cov = 1/4, s = 1 / (1/8 + q), so v - cov^2 s = 5 q but for higher powers of q.
    assert found[place, 0, 0] == pytest.approx(-0.5 * math.log(5 * q) - 0.5 * math.log(q), abs=0.02)
    # The second is the negative: no gain explains it.
    assert found[place, 0, 1] == pytest.approx(-0.5 * math.log(0.5) - 0.5 * math.log(q), abs=1e-4)
    assert unrelated(query)[place, 0] == pytest.approx(-0.5 * math.log(0.5) - 0.5 * math.log(q), abs=1e-4)


def test_what_is_beyond_has_a_level_of_its_own() -> None:
    # 13 rows of one pixel: frequencies 1 to 11 are in bands, the twelfth is beyond them.
    grid = BlockGrid.of((13, 1, 1))
    nothing = {"probes": np.zeros((0, 1, 13), np.float32), "norms": np.zeros((0, 1), np.float32), "dims": ()}
    wave = np.cos(np.pi * 12 * (np.arange(13) + 0.5) / 13)
    picture = (0.5 + 0.1 * wave / np.linalg.norm(wave)).astype(np.float32)[None]
    query = prepare(grid, Spectrum.of(np.ones(12, np.float32), 1), picture, **nothing)
    assert query.bands.beyond == 1
    assert query.band_rest[0] == pytest.approx(-0.5 * math.log(0.01 + ROUNDING) - 0.5 * math.log(ROUNDING), abs=1e-3)
    np.testing.assert_allclose(query.band_variances, ROUNDING, rtol=1e-3)
