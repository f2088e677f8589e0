"""Agreement against its equation, written out value by value, and what it is for."""

import math

import numpy as np
import pytest

from uhop_cli.evidence.pixelwise.agreement import LEAST, STEPS, TAUS, _ninth_power, agreement, agreement_of_levels, value_density


def _plainly(query: np.ndarray, memory: np.ndarray) -> tuple[float, float]:
    density = value_density(query[None])[0]
    ratios = [
        float(np.mean([math.exp(-((x - xi) ** 2) / (2 * t * t)) / (t * math.sqrt(2 * math.pi)) for t in TAUS])) / float(h)
        for x, xi, h in zip(query, memory, density, strict=True)
    ]
    kept = 0.5
    for _ in range(STEPS):
        kept = min(max(sum(kept * r / (kept * r + 1 - kept) for r in ratios) / len(ratios), 1e-4), 1 - 1e-4)
    return sum(math.log(kept * r + 1 - kept) for r in ratios), kept


def test_it_is_the_equation() -> None:
    rng = np.random.default_rng(0)
    memories = rng.random((2, 3, 50))
    queries = memories[:, 0] + np.where(rng.random((2, 50)) < 0.5, 0.01 * rng.standard_normal((2, 50)), rng.random((2, 50)))
    queries[:, ::7] = 0
    queries, memories = queries.astype(np.float32), memories.astype(np.float32)
    scores, kept = agreement(value_density(queries)[:, None], (memories - queries[:, None]) ** 2)
    for q in range(2):
        for s in range(3):
            expected, share = _plainly(queries[q].astype(float), memories[q, s].astype(float))
            assert abs(scores[q, s] - expected) < 2e-3 * max(1, abs(expected))
            assert abs(kept[q, s] - share) < 1e-3


def test_the_density_by_hand() -> None:
    """Two of four values at 0, half of all on one grey level; the others each in a bin of 1/64 that began with a count of one."""
    found = value_density(np.array([[0, 0.3, 0, 0.8]], np.float32))
    np.testing.assert_allclose(found, [[127.5, 64 / 66, 127.5, 64 / 66]], rtol=1e-6)
    wide = value_density(np.array([[-1, 0.3, 0.5, 3]], np.float32))  # bins of 4/64, and four counts
    np.testing.assert_allclose(wide, [[32 / 68] * 4], rtol=1e-6)


def test_agreement_by_hand() -> None:
    """Four values of which each has its bin: h = 2 * 64 / 68. Of equal ones p = (1/.054 + 1/.018 + 1/.006) / (3 sqrt(2 pi)).

    So r = p / h = 17.007, and pi goes from .5 to .94447, .99655 and .99980; of unlike ones to 1e-4.
    """
    query = np.array([[0.2, 0.4, 0.6, 0.8]], np.float32)
    equal, unlike = np.zeros((1, 4), np.float32), np.ones((1, 4), np.float32)
    scores, kept = agreement(value_density(query), np.concatenate([equal, unlike]))
    np.testing.assert_allclose(kept, [0.99980, 1e-4], atol=1e-5)
    np.testing.assert_allclose(scores, [4 * math.log(0.99980 * 17.007 + 0.00020), 4 * math.log(1 - 1e-4)], atol=1e-3)


def test_the_density_is_one() -> None:
    values = np.linspace(-0.5, 1.5, 20001, dtype=np.float32)
    rng = np.random.default_rng(1)
    query = np.clip(rng.normal(0.5, 0.5, 3000), 0, 1).astype(np.float32)
    density = value_density(query[None])[0]
    inside = (query > 0) & (query < 1)
    order = np.argsort(query[inside])
    mass = np.trapezoid(density[inside][order], query[inside][order])
    heaps = sum(density[query == heap][0] / 255 for heap in (0, 1))
    assert abs(mass + heaps - 1) < 0.01
    assert np.all(value_density(values[None]) > 0)


@pytest.mark.parametrize("size", [1, 2, 3, 50, 51])
def test_of_pictures_in_8_bits_it_is_looked_up(size: int) -> None:
    """For 2 queries with 3 memories of `size` values each: an odd number of values in all where that is odd."""
    rng = np.random.default_rng(size)
    queries = rng.integers(0, 256, (2, 1, size), dtype=np.uint8)
    off = rng.choice([0, 0, 1, -3, 9, 40, 200], (2, 3, size))
    memories = np.clip(queries + off, 0, 255).astype(np.uint8)
    for some in (slice(None), slice(1)):  # 6 x size values, and 1 x size of them
        near, unit = memories[some, : 3 if some.stop is None else 1], queries[some].astype(np.float32) / 255
        density = value_density(unit[:, 0])[:, None]
        expected, share = agreement(density, (near.astype(np.float32) / 255 - unit) ** 2)
        differences = np.abs(near.astype(int) - queries[some]).astype(np.uint8)
        found, kept = agreement_of_levels(density, differences)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(kept, share, rtol=1e-4)


def test_a_ninth_power_stays_a_normal_number() -> None:
    """Those that are none take a hundred times as long."""
    powers = _ninth_power(np.array([0, 1e-8, 0.5, 1], np.float32), np.empty(4, np.float32))
    np.testing.assert_allclose(powers, [LEAST, LEAST, 0.5**9, 1], rtol=1e-4)


def test_it_knows_which_values_were_kept() -> None:
    rng = np.random.default_rng(2)
    memories = rng.random((1, 20, 1000), dtype=np.float32)
    query = np.where(rng.random(1000) < 0.1, memories[0, 4], 0.0).astype(np.float32)[None]  # 90% zeroed
    scores, kept = agreement(value_density(query)[:, None], (memories - query[:, None]) ** 2)
    assert scores[0].argmax() == 4
    assert scores[0, 4] - np.sort(scores[0])[-2] > 100
    assert 0.05 < kept[0, 4] < 0.2
    assert kept[0, 5] < 0.02
