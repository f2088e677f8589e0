"""Evidence and the explained share, against the definitions written as loops, and what they say of known cases."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.frames.bands import band_split
from uhop_cli.frames.block_evidence import NOTHING, blocks, compare


def texture(height: int, width: int, seed: int) -> np.ndarray:
    """Noise with power in every band."""
    draws = np.random.default_rng(seed)
    plane = np.zeros((height, width))
    for step in (1, 3, 9, 20):
        coarse = draws.normal(0, 0.05, (-(-height // step), -(-width // step)))
        plane += coarse.repeat(step, axis=0).repeat(step, axis=1)[:height, :width]
    return plane + 0.5


def everything(shape: tuple[int, int]) -> np.ndarray:
    return np.ones(shape, bool)


def naive(query: np.ndarray, original: np.ndarray, valid: np.ndarray, compared: np.ndarray) -> dict[str, float]:
    t, m = band_split(np.stack((query, original)), valid).swapaxes(0, 1)
    height, width = query.shape
    evidence, kept = 0.0, []
    for top in range(0, height, 16):
        for left in range(0, width, 16):
            part = np.s_[top : top + 16, left : left + 16]
            inside = compared[part]
            if min(inside.shape) < 8 or inside.sum() < 85:
                continue
            n = int(inside.sum())
            for band, share in enumerate((0.8, 0.16, 0.04)):
                a, b = t[band][part][inside], m[band][part][inside]
                a, b = a - a.mean(), b - b.mean()
                c = max(a @ b, 0) / math.sqrt((a @ a + 2e-6 * n) * (b @ b + 2e-6 * n))
                evidence -= share * n / 2 * math.log(1 - min(c * c, 0.999))
            kept.append((t[:, part[0], part[1]][:, inside], m[:, part[0], part[1]][:, inside]))

    def explained(a: np.ndarray, b: np.ndarray) -> tuple[float, float, float]:
        e, v = [], []
        for x, y in zip(a, b, strict=True):
            g = max((x * y).mean(), 0) / ((y * y).mean() + 1e-6)
            e.append(((x - g * y) ** 2).mean())
            v.append((x * x).mean())
        noise = min(e[0] / 9, 0.95 * v[1])
        return (v[1] - e[1]) / (v[1] - noise + 1e-6), noise, v[1]

    _, noise, _ = explained(t[:, compared], m[:, compared])
    shown, c = [], []
    for a, b in kept:
        v = (a[1] ** 2).mean()
        s = max(v - noise, 0.15 * v)
        if s > 4e-5 + noise / 2:
            shown.append((a, b))
            c.append(max((a[1] * b[1]).mean(), 0) / math.sqrt((s + 2e-6) * ((b[1] ** 2).mean() + 2e-6)))
    a, b = (np.concatenate([pair[k] for pair in shown], axis=1) for k in (0, 1)) if shown else (t[:, compared], m[:, compared])
    x, noise, power = explained(a, b)
    ratio = (power - noise) / (a[2] ** 2).mean() / ((b[1] ** 2).mean() / (b[2] ** 2).mean())
    return {
        "evidence": evidence,
        "explained": x,
        "pixels": int(compared.sum()),
        "power": power,
        "noise": noise / power,
        "sharpness": ratio,
        "textured": len(shown),
        "correlation": float(np.median(c)) if c else math.nan,
        "agreeing": float(np.mean([value > 0.9 for value in c])) if c else math.nan,
    }


@pytest.mark.parametrize("noise", [0.0, 0.02, 0.3])
@pytest.mark.parametrize("shape", [(48, 48), (61, 39), (23, 90)])
def test_it_is_its_definition(shape: tuple[int, int], noise: float) -> None:
    draws = np.random.default_rng(5)
    original = texture(*shape, 1)
    query = 0.7 * original + 0.1 + draws.normal(0, noise, shape)
    query[: shape[0] // 3, : shape[1] // 2] = 0.4
    valid = draws.uniform(0, 1, shape) < 0.9
    compared = valid & (np.indices(shape).sum(axis=0) > 12)
    found, expected = compare(query, original, valid, compared), naive(query, original, valid, compared)
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-3, nan_ok=True), name


def test_a_true_copy_and_a_stranger() -> None:
    original, other = texture(96, 96, 1), texture(96, 96, 2)
    every = everything((96, 96))
    true, false = compare(0.5 * original + 0.2, original, every, every), compare(other, original, every, every)
    most = -96 * 96 / 2 * math.log(0.001)  # c^2 is at most .999
    assert 0.75 * most < true.evidence < most
    loud = compare(40 * original, 40 * original, every, every)
    assert loud.evidence == pytest.approx(most, rel=1e-6)
    assert true.explained == pytest.approx(1, abs=0.02)
    assert (true.textured, true.pixels) == (36, 9216)
    assert true.agreeing == 1
    assert true.sharpness == pytest.approx(1, abs=0.02)
    assert false.evidence < 0.1 * true.evidence
    assert false.explained < 0.2
    assert false.agreeing == 0


def test_a_negative_is_a_stranger() -> None:
    original, every = texture(64, 64, 1), everything((64, 64))
    found = compare(1 - original, original, every, every)
    assert (found.evidence, found.correlation) == (0, 0)
    assert found.explained == pytest.approx(0, abs=1e-6)


def test_noise_is_taken_off() -> None:
    original, every = texture(128, 128, 1), everything((128, 128))
    noisy = original + np.random.default_rng(0).normal(0, 0.15, original.shape)
    found = compare(noisy, original, every, every)
    assert found.explained == pytest.approx(1, abs=0.08)
    assert found.correlation == pytest.approx(1, abs=0.05)
    # 8/81 of .0225 beside the picture's own power
    assert found.noise * found.power == pytest.approx(8 / 81 * 0.0225, rel=0.08)
    assert found.evidence < 0.2 * compare(original, original, every, every).evidence


def test_what_is_covered_by_one_colour_does_not_disagree() -> None:
    original, every = texture(128, 128, 1), everything((128, 128))
    covered = original.copy()
    covered[:64] = original.mean()
    found = compare(covered, original, every, every)
    assert found.explained > 0.9
    assert 30 <= found.textured <= 42
    assert found.agreeing > 0.8


def test_a_blurred_copy_lacks_sharpness() -> None:
    original, every = texture(128, 128, 1), everything((128, 128))
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(original, 7, mode="edge"), (15, 15))
    assert compare(windows.mean(axis=(2, 3)), original, every, every).sharpness < 0.3


def test_nothing_to_compare() -> None:
    plane = texture(40, 40, 1)
    assert compare(plane, plane, everything((40, 40)), np.zeros((40, 40), bool)) == NOTHING
    flat = compare(np.full((40, 40), 0.3), plane, everything((40, 40)), everything((40, 40)))
    assert (flat.textured, flat.evidence) == (0, pytest.approx(0, abs=1e-3))
    assert math.isnan(flat.agreeing)


def test_blocks_at_the_far_edges() -> None:
    ones = np.ones((1, 16 + 7, 32 + 8))
    np.testing.assert_array_equal(blocks(ones)[0], [[256, 256, 128]])
    np.testing.assert_array_equal(blocks(np.ones((1, 24, 16)))[0], [[256], [128]])
    assert blocks(np.ones((2, 7, 40))).shape == (2, 0, 0)
    np.testing.assert_array_equal(blocks(np.ones((1, 12, 8)), 8, 4)[0], [[64], [32]])
