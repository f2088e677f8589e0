"""Heaps of equal values by hand, and codes of what is visible against the least squares of the definition."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.shortlist.codes import Coder
from uhop_cli.evidence.shortlist.heaps import HEAP, LEFT, VisibleCoder, visible

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("equal", "hidden"), [(16, True), (15, False)])
@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_a_heap_is_a_sixteenth_of_the_values(equal: int, hidden: bool, value: float) -> None:
    query = RNG.permutation(np.linspace(0.01, 0.99, 256)).astype(np.float32)
    query[100 : 100 + equal] = value
    wanted = np.ones(256, bool)
    wanted[100 : 100 + equal] = not hidden
    np.testing.assert_array_equal(visible(query[None])[0], wanted)
    assert HEAP == 1 / 16


def test_clipped_noise_hides_nothing() -> None:
    query = np.linspace(-0.5, 1.5, 1000, dtype=np.float32)
    clipped = np.clip(query, 0, 1)
    assert visible(clipped[None]).all()
    few = np.linspace(-0.8, 1.18, 1000, dtype=np.float32)  # 404 and 91 of a thousand: less than a quarter
    np.testing.assert_array_equal(visible(np.clip(few, 0, 1)[None])[0], (few > 0.0005) & (few < 0.9995))
    more = np.linspace(-0.78, 1.2, 1000, dtype=np.float32)  # 394 and 101
    assert visible(np.clip(more, 0, 1)[None]).all()
    below = np.clip(query, 0, 2)  # at one end only
    np.testing.assert_array_equal(visible(below[None])[0], query > 0.001)


def test_neighbouring_levels_of_8_bits_are_two_and_each_query_has_heaps_of_its_own() -> None:
    pixels = np.tile(np.arange(256, dtype=np.float32), 4)  # each level four times
    grey, plain = pixels.copy(), np.full(1024, 0.4, np.float32)
    grey[pixels < 16] = 7
    found = visible(np.stack([pixels / 255, grey / 255, plain]))
    assert found[0].all()
    np.testing.assert_array_equal(found[1], grey != 7)
    assert not found[2].any()


def naive(coder: Coder, query: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """z_b, (B, k), by an augmented least squares problem in float64."""
    parts = []
    for part in coder.weight.astype(np.float64).reshape(coder.blocks, -1, len(query)):
        lengths = np.linalg.norm(part, axis=1)
        place = np.flatnonzero(part.any(axis=0))
        own = place[seen[place]]
        powers = 1 / lengths**2
        variances = powers - powers.sum() / (2 * len(powers))
        sigma = np.sqrt(LEFT * variances.sum() / len(place))
        design = np.concatenate([(part / lengths[:, None])[:, own].T, np.ones((len(own), 1))], axis=1)
        prior = np.diag(sigma / np.sqrt(np.append(variances, 1)))
        wanted = np.concatenate([query[own], np.zeros(len(prior))])
        parts.append(np.linalg.lstsq(np.concatenate([design, prior]), wanted, rcond=None)[0][:-1] * lengths)
    return np.array(parts)


def test_codes_are_the_most_likely_of_what_is_visible(coder: Coder, patterns: np.ndarray) -> None:
    queries = patterns[:20] + RNG.normal(0, 0.02, (20, 768)).astype(np.float32)
    seen = RNG.random(queries.shape) < np.linspace(0.02, 1, 20)[:, None]
    unit, shares = VisibleCoder(coder).split(queries, seen)
    for query, mask, own, share in zip(queries, seen, unit, shares, strict=True):
        z = naive(coder, query.astype(np.float64), mask)
        lengths = np.linalg.norm(z, axis=1)
        np.testing.assert_allclose(own, z / lengths[:, None], atol=2e-3)
        np.testing.assert_allclose(share, lengths / np.linalg.norm(lengths), atol=1e-3)


def test_what_lies_under_a_heap_does_not_count(coder: Coder, patterns: np.ndarray) -> None:
    seen = np.ones((2, 768), bool)
    seen[:, :384] = False  # the upper half: two quarters
    queries = patterns[:2].copy()
    unit, shares = VisibleCoder(coder).split(queries, seen)
    queries[~seen] = 7
    again, same = VisibleCoder(coder).split(queries, seen)
    np.testing.assert_array_equal(unit, again)
    np.testing.assert_array_equal(shares, same)
    assert not unit[:, :2].any()
    assert not shares[:, :2].any()
    nothing, none = VisibleCoder(coder).split(queries, np.zeros_like(seen))
    assert not nothing.any()
    assert not none.any()


def test_a_quarter_without_directions_says_nothing(coder: Coder, patterns: np.ndarray) -> None:
    weight = coder.weight.copy()
    weight[: len(weight) // 4] = 0
    seen = np.ones((3, 768), bool)
    whole, (unit, shares) = (VisibleCoder(one).split(patterns[:3], seen) for one in (coder, Coder(weight, 4)))
    assert not unit[:, 0].any()
    assert not shares[:, 0].any()
    np.testing.assert_array_equal(unit[:, 1:], whole[0][:, 1:])


def test_a_tenth_of_the_values_tells_the_code_of_the_whole(coder: Coder, patterns: np.ndarray) -> None:
    seen = RNG.random((50, 768)) < 0.1
    unit, _ = VisibleCoder(coder).split(patterns[:50], seen)
    whole, _ = coder.split(patterns[:50])
    zeroed, _ = coder.split(patterns[:50] * seen)
    cosines = [(part * whole).sum(axis=2).mean() for part in (unit, zeroed)]
    assert cosines[0] > 0.7 > 2 * cosines[1]


def test_small_pictures_are_told_by_what_is_visible_too() -> None:
    """Quarters of 16 values, which have 15 directions without their mean."""
    rng = np.random.default_rng(1)
    pictures = np.kron(rng.random((300, 4, 4)), np.ones((2, 2))) + 0.1 * rng.random((300, 8, 8))
    rows = pictures.reshape(300, 64).astype(np.float32)
    coder = Coder.learn(rows.reshape(300, 8, 8, 1), (8, 8, 1))
    unit, shares = VisibleCoder(coder).split(rows, rng.random((300, 64)) < 0.5)
    whole, lengths = coder.split(rows)
    cosines = np.einsum("qbk,mbk->qm", unit * shares[:, :, None], whole * lengths[:, :, None])
    assert (cosines.argmax(axis=1) == np.arange(300)).mean() > 0.9
