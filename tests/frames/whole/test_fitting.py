"""Proposals that lie a little off are brought to where they lie, and the right one is worth the most."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.frames.frame import Frame
from uhop_cli.frames.whole.fitting import _worth, fitted
from uhop_cli.frames.whole.windows import Picture
from uhop_cli.images.warp import area, warp

CORNERS = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]], float)
LARGE = 128


def original(seed: int) -> np.ndarray:
    """(128, 128, 3) float32 with structure at several scales."""
    draws = np.random.default_rng(seed)
    plane = np.full((LARGE, LARGE, 3), 0.5, np.float32)
    for cells in (3, 8, 20):
        for channel in range(3):
            plane[..., channel] += 0.25 * area(draws.uniform(-1, 1, (cells, cells)).astype(np.float32), LARGE, LARGE)
    return np.clip(plane, 0, 1)


def pattern(seed: int) -> np.ndarray:
    return np.stack([np.rint(area(plane, 32, 32) * 255).astype(np.uint8) for plane in np.moveaxis(original(seed), 2, 0)], axis=2)


def query(seed: int, frame: Frame, height: int, width: int) -> Picture:
    """An original in a frame, grey around it."""
    to_original = frame.to_original(width / height)
    planes = np.moveaxis(warp(np.moveaxis(original(seed), 2, 0), to_original, height, width, 2), 0, 2)
    ys, xs = ((np.arange(length) + 0.5) / length for length in (height, width))
    places = to_original @ np.stack((*np.meshgrid(xs, ys), np.ones((height, width)))).reshape(3, -1)
    inside = ((places >= 0) & (places <= 1)).all(axis=0).reshape(height, width, 1)
    planes = np.where(inside, planes, np.float32(0.3))
    return Picture(np.concatenate((planes, np.ones((height, width, 1), np.float32)), axis=2), width / height)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0.13, 0.2, 0.7, 0.6),
        Frame(-0.3, -0.1, 1.4, 1.25),
        Frame(0.1, 0.15, 0.8, 0.8, 1, True),
        Frame(0.1, 0.1, 0.8, 0.8, 0, False, 12),
    ],
)
def test_a_frame_that_is_off_is_brought_home(frame: Frame) -> None:
    shown = query(1, frame, 160, 200)
    off = Frame(
        frame.x + 0.03, frame.y - 0.02, frame.width * 1.04, frame.height * 0.97, frame.turn, frame.mirrored, frame.angle + 2
    )
    start, true = off.to_query(shown.aspect), frame.to_query(shown.aspect)
    patterns = np.stack([pattern(0), pattern(1), pattern(2)])
    maps, worth = fitted(shown, patterns, np.stack([start] * 3))
    before, after = (np.abs((affine - true) @ CORNERS).max() for affine in (start, maps[1]))
    assert before > 0.03
    assert after < before / 5
    assert worth[1] > 3 * max(worth[0], worth[2])
    apart = fitted(shown, patterns[1:2], start[None])
    np.testing.assert_allclose(apart[0][0], maps[1], atol=1e-6)
    np.testing.assert_allclose(apart[1][0], worth[1], rtol=1e-4)


def test_what_the_query_does_not_show_has_no_part() -> None:
    frame = Frame(0.1, 0.1, 0.8, 0.8)
    shown = query(1, frame, 120, 120)
    covered = shown.planes.copy()
    covered[60:] = 0  # transparent
    half = Picture(covered, 1.0)
    maps, worth = fitted(half, pattern(1)[None], Frame(0.12, 0.09, 0.8, 0.8).to_query()[None])
    assert np.abs((maps[0] - frame.to_query()) @ CORNERS).max() < 0.02
    whole = fitted(shown, pattern(1)[None], frame.to_query()[None])[1]
    assert 0.25 * whole[0] < worth[0] < 0.75 * whole[0]


def test_grey_patterns_and_pictures_of_nothing() -> None:
    flat = Picture(np.ones((30, 30, 2), np.float32), 1.0)
    start = Frame(0.2, 0.2, 0.5, 0.5).to_query()[None]
    maps, worth = fitted(flat, pattern(1)[None, ..., :1], start)
    assert np.array_equal(maps, start)
    assert worth.tolist() == [0]
    beyond = Frame(3, 3, 1, 1).to_query()[None]
    assert np.array_equal(fitted(flat, pattern(1)[None, ..., :1], beyond)[0], beyond)


def test_a_fit_is_never_worth_less_than_its_start() -> None:
    shown = query(3, Frame(-0.2, -0.2, 1.3, 1.5), 90, 110)
    draws = np.random.default_rng(0)
    starts = np.stack([Frame(*draws.uniform(-0.5, 0.2, 2), *draws.uniform(0.5, 1.6, 2)).to_query(shown.aspect) for _ in range(20)])
    patterns = np.stack([pattern(seed % 5) for seed in range(20)])
    worth = fitted(shown, patterns, starts)[1]
    from uhop_cli.frames.whole import fitting

    again = pytest.MonkeyPatch()
    again.setattr(fitting, "ITERATIONS", 0)
    maps, unmoved = fitted(shown, patterns, starts)
    again.undo()
    assert np.array_equal(maps, starts)
    assert (worth >= unmoved).all()
    assert (worth > unmoved).sum() > 10


def test_only_the_best_go_on() -> None:
    """Those that do end as if all had, the others where `ROUGH` steps led."""
    frame = Frame(-0.2, -0.2, 1.3, 1.5)
    shown = query(3, frame, 90, 110)
    draws = np.random.default_rng(0)
    starts = np.stack([frame.to_query(shown.aspect) + draws.uniform(-0.05, 0.05, (2, 3)) for _ in range(12)])
    patterns = np.stack([pattern(seed % 6) for seed in range(12)])
    maps, worth = fitted(shown, patterns, starts)
    some, few = fitted(shown, patterns, starts, 4)
    same = few == worth
    assert 4 <= same.sum() < 12
    assert same[[3, 9]].all(), "those of the right picture"
    np.testing.assert_array_equal(some[same], maps[same])
    assert (few <= worth).all()
    assert np.array_equal(fitted(shown, patterns, starts, 12)[1], worth)


def test_a_block_is_worth_what_its_correlation_tells() -> None:
    """By hand, a block of 64 cells of +-.1 and one that is the same but for +-.1 of its own: c^2 = 1/2, 32 ln 2 nats.

    A block without contrast, +-.0001, is below the floor: c^2 = 1e-8 / (1e-8 + 1e-5), and of it 32 in a thousand.
    """
    signs = np.where(np.arange(64) % 2, 1, -1).reshape(8, 8)
    one, own = 0.1 * signs, 0.1 * np.where(np.arange(64) // 2 % 2, 1, -1).reshape(8, 8)
    queries = np.stack([one + own, one, one]).astype(np.float32)
    originals = np.stack([one, 1e-3 * one, -one]).astype(np.float32)
    found = _worth(0.5 + queries, 0.5 + originals, np.ones((3, 8, 8), np.bool_))
    np.testing.assert_allclose(found, [32 * np.log(2), 0.032, 0], rtol=0.01, atol=1e-3)
