"""The Gaussian with the memories' own spectrum, at values where the best gain and noise are known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.evidence.unknown import Spectrum
from uhop_cli.retrieval.distances import ROUNDING

OFFSET = -0.5 * math.log(ROUNDING)  # of one channel


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


def log_likelihood(device: Device, variances: list[float], values: list[float], channels: int = 1) -> float:
    spectrum = Spectrum.of(np.array(variances, np.float32), channels)
    return float(to_numpy(spectrum.log_likelihood(device.put(np.array([values], np.float32))))[0])


def test_the_best_variance_of_one_coefficient_is_its_square(device: Device) -> None:
    assert log_likelihood(device, [1], [1]) == pytest.approx(-0.5 * (1 + 0) + 0.5 + OFFSET, abs=0.01)
    assert log_likelihood(device, [1], [1], channels=3) == pytest.approx(3 * OFFSET, abs=0.01)


def test_the_ends_of_the_grid(device: Device) -> None:
    least = 0.01 + 1.3e-6  # a = .01 and the noise of rounding
    assert log_likelihood(device, [1], [0]) == pytest.approx(-0.5 * math.log(least) + 0.5 + OFFSET, abs=1e-3)
    most = 3 + 1  # a = 3 and t = 1
    assert log_likelihood(device, [1], [100]) == pytest.approx(-0.5 * (10_000 / most + math.log(most)) + 0.5 + OFFSET, rel=1e-5)
    # A coefficient that no memory has leaves the noise alone.
    assert log_likelihood(device, [0], [0]) == pytest.approx(-0.5 * math.log(1.3e-6) + 0.5 + OFFSET, abs=1e-3)
    assert log_likelihood(device, [0], [0.003]) == pytest.approx(-0.5 * (0.9 + math.log(1e-5)) + 0.5 + OFFSET, abs=1e-3)


def test_one_gain_for_all_coefficients(device: Device) -> None:
    # The memories' own proportions are explained by a = 1 and nearly no noise; the same powers the other way round are not.
    fitting = log_likelihood(device, [1, 0.01], [1, 0.1])
    assert fitting == pytest.approx(-0.5 * (2 + math.log(1) + math.log(0.01)) + 1 + OFFSET, abs=0.05)
    assert log_likelihood(device, [1, 0.01], [0.1, 1]) < fitting - 1


def test_coefficients_of_nearly_the_same_variance_count_as_equal(device: Device) -> None:
    rng = np.random.default_rng(0)
    variances = np.exp(rng.uniform(-9, 0, 500))
    values = np.sqrt(variances) * rng.standard_normal(500)
    levels = [a * variances + t for a in np.geomspace(0.01, 3, 14) for t in (1.3e-6, 1e-5, *np.geomspace(1e-4, 1, 20))]
    naive = max(-0.5 * np.sum(values**2 / level + np.log(level)) for level in levels) + 250 + OFFSET
    assert log_likelihood(device, variances.tolist(), values.tolist()) == pytest.approx(naive, abs=1)
