"""The three bands, against means written as loops."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.frames.bands import band_split, box_means


def naive_mean(plane: np.ndarray, valid: np.ndarray, size: int) -> np.ndarray:
    reach, result = size // 2, np.zeros(plane.shape)
    for i in range(plane.shape[0]):
        for j in range(plane.shape[1]):
            window = np.s_[max(0, i - reach) : i + reach + 1, max(0, j - reach) : j + reach + 1]
            kept = plane[window][valid[window]]
            result[i, j] = kept.mean() if kept.size else 0
    return result


@pytest.mark.parametrize("shape", [(12, 9), (30, 41), (1, 5)])
@pytest.mark.parametrize("share", [1.0, 0.6, 0.05])
def test_means_of_what_is_valid(shape: tuple[int, int], share: float) -> None:
    draws = np.random.default_rng(0)
    planes = draws.uniform(-1, 1, (2, *shape))
    valid = draws.uniform(0, 1, shape) < share
    planes[:, ~valid] = np.nan  # not looked at
    for size, means in zip((3, 9, 27), box_means(planes, valid, (3, 9, 27)), strict=True):
        for plane, mean in zip(planes, means, strict=True):
            np.testing.assert_allclose(mean, naive_mean(plane, valid, size), atol=1e-12)


def test_the_bands_and_the_coarsest_mean_are_the_picture() -> None:
    planes = np.random.default_rng(1).uniform(0, 1, (2, 33, 20)).astype(np.float32)
    valid = np.ones((33, 20), bool)
    bands = band_split(planes, valid)
    assert bands.shape == (3, 2, 33, 20)
    np.testing.assert_allclose(bands.sum(axis=0) + box_means(planes, valid, (27,))[0], planes, atol=1e-12)
    np.testing.assert_allclose(bands[1], box_means(planes, valid, (3,))[0] - box_means(planes, valid, (9,))[0], atol=1e-12)


def test_gain_and_offset_whatever_is_masked() -> None:
    draws = np.random.default_rng(2)
    plane, valid = draws.uniform(0, 1, (40, 40)), draws.uniform(0, 1, (40, 40)) < 0.5
    one, two = band_split(np.stack((plane, 0.3 * plane + 0.2)), valid).swapaxes(0, 1)
    np.testing.assert_allclose(two[:, valid], 0.3 * one[:, valid], atol=1e-12)


def test_white_noise_in_the_bands() -> None:
    noise = np.random.default_rng(3).normal(0, 1, (1, 400, 400))
    fine, middle, _ = band_split(noise, np.ones((400, 400), bool))[:, 0, 20:-20, 20:-20]
    assert fine.var() == pytest.approx(8 / 9, rel=0.02)
    assert middle.var() == pytest.approx(8 / 81, rel=0.03)
