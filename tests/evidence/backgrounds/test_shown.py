"""The facts about what a transparent memory shows, by hand and by least squares."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.evidence.backgrounds import shown
from uhop_cli.evidence.backgrounds.shown import fitted, shown_facts
from uhop_cli.retrieval.distances import ROUNDING

PIXELS = 100


def memory(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """One pattern (100, 3), opaque in its first 60 pixels and black in the others, and its veil (1, 100)."""
    veil = (np.arange(PIXELS) >= 60).astype(np.float32)
    return np.random.default_rng(seed).uniform(0.2, 0.8, (PIXELS, 3)).astype(np.float32) * (1 - veil[:, None]), veil[None]


def facts(query: np.ndarray, pattern: np.ndarray, veil: np.ndarray) -> list[float]:
    return shown_facts(query.reshape(1, -1).astype(np.float32), pattern.reshape(1, -1), veil)[0].tolist()


def test_a_copy_in_other_light_on_another_background_leaves_nothing() -> None:
    pattern, veil = memory()
    query = 0.5 * pattern + 0.1 + veil[0][:, None] * np.array([0.2, 0.4, 0.0])
    excess, left, unlike = facts(query, pattern, veil)
    own = query[:60] - query[:60].mean(axis=0)  # off offset and veil: what is shown less its mean
    assert excess == pytest.approx(0, abs=1e-3)
    # The floor of the gain, C q, leaves (C q)^2 of an energy, far below q.
    assert left == pytest.approx(math.log(ROUNDING) - math.log((own**2).mean() + ROUNDING), abs=2e-3)
    assert unlike == pytest.approx(math.log(0.02), abs=1e-6)  # all 100 pixels agree: ln of two in a hundred


def test_noise_leaves_as_much_on_both_sides_and_another_picture_on_one() -> None:
    pattern, veil = memory()
    laid = pattern + veil[0][:, None] * 0.6
    noisy = laid + np.random.default_rng(1).normal(0, 0.05, laid.shape)
    other = memory(7)[0] + veil[0][:, None] * 0.6
    assert facts(noisy, pattern, veil)[0] == pytest.approx(0, abs=0.5)
    excess, left, _ = facts(other, pattern, veil)
    assert excess > 6
    assert left == pytest.approx(0, abs=0.3)


def test_weights_give_way_to_a_cover() -> None:
    """A tenth is covered: the rest is fitted as if it were not, nearly."""
    pattern, veil = memory()
    query = pattern + veil[0][:, None] * 0.6
    query[15:25] = 1
    rest, _, gain = fitted(query[None].astype(float), pattern[None].astype(float), veil.astype(float))
    assert gain == pytest.approx(1, abs=0.01)
    assert np.abs(np.delete(rest[0], np.s_[15:25], axis=0)).max() < 0.001
    plain = np.linalg.lstsq(np.c_[pattern.ravel(), np.ones(300), np.repeat(veil[0], 3)], query.ravel(), rcond=None)[0]
    assert plain[0] < 0.8  # of least squares


def test_unlike_counts_what_neither_agrees_nor_is_background_or_cover() -> None:
    """By hand: 50 opaque pixels agree, of the other 50, 20 are background, 16 of a cover, 9 of one other colour, 5 of their own."""
    pattern, veil = memory()
    query = pattern.copy()
    query[50:70], query[70:86], query[86:95] = 0.1, 0.9, 0.5
    query[95:] = np.linspace(0.6, 0.7, 5)[:, None]
    assert facts(query, pattern, veil)[2] == pytest.approx(math.log(1.02 - 0.86), abs=1e-6)
    query[:50] += 2.1 / 255  # further from the memory than three half levels: in another light at best
    assert facts(query, pattern, veil)[2] > math.log(1.02 - 0.86) + 0.5


def test_an_opaque_memory_leaves_as_much_behind_as_it_shows() -> None:
    pattern = np.random.default_rng(2).random((PIXELS, 3)).astype(np.float32)
    query = pattern + np.random.default_rng(3).normal(0, 0.1, pattern.shape)
    excess, left, _ = facts(query, pattern, np.zeros((1, PIXELS), np.float32))
    assert excess == 0
    noise = query - query.mean(axis=0) - (pattern - pattern.mean(axis=0))
    expected = (noise**2).mean() / ((query - query.mean(axis=0)) ** 2).mean()
    assert left == pytest.approx(math.log(expected), abs=0.15)


def test_each_answer_is_looked_at_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(4)
    queries, patterns = rng.random((5, 48)).astype(np.float32), rng.random((5, 48)).astype(np.float32)
    veils = rng.random((5, 16)).astype(np.float32)
    veils[0], veils[1] = 0, 1  # opaque; nothing is shown
    together = shown_facts(queries, patterns, veils)
    monkeypatch.setattr(shown, "TOGETHER", 100)
    np.testing.assert_allclose(shown_facts(queries, patterns, veils), together, rtol=1e-12)
    assert together.shape == (5, 3)
    assert np.isfinite(together).all()
