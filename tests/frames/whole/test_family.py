"""The family holds a frame near every one that it is meant for."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.frames.frame import IDENTITY, Frame
from uhop_cli.frames.whole.family import aspect_group, crop_frames, whole_picture_frames


def offsets(a: Frame, b: Frame, aspect: float) -> float:
    """The furthest that a corner of the original lies apart in the two frames, in shares of the original's sides."""
    corners = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]])
    apart = a.to_original(aspect)[:, :2] @ ((a.to_query(aspect) - b.to_query(aspect)) @ corners)
    return float(np.abs(apart).max())


def nearest(frame: Frame, aspect: float, group: int) -> float:
    same = [f for f in whole_picture_frames(aspect, group) if (f.turn, f.mirrored) == (frame.turn, frame.mirrored)]
    return min(offsets(frame, other, aspect) for other in same)


def test_groups() -> None:
    assert aspect_group(1) == 0
    assert aspect_group(math.exp(0.12 * 3 + 0.05)) == 3
    assert aspect_group(1 / math.exp(0.12 * 3 + 0.07)) == -4


@pytest.mark.parametrize("query_aspect", [0.5, 0.75, 1.0, 1.6])
@pytest.mark.parametrize("group", [-4, 0, 3])
def test_what_the_family_is(query_aspect: float, group: int) -> None:
    frames = whole_picture_frames(query_aspect, group)
    aspect = math.exp(0.12 * group)
    assert frames[0] == IDENTITY
    assert 900 < len(frames) < 3500
    assert len(set(frames)) > 0.97 * len(frames)
    for frame in frames[5:]:
        upright = 1 / query_aspect if frame.turn % 2 else query_aspect
        assert frame.width / frame.height * upright == pytest.approx(aspect), "the original is not stretched"
        if frame.angle:
            assert frame.x + frame.width / 2 == pytest.approx(0.5)
            assert frame.y + frame.height / 2 == pytest.approx(0.5)
            continue
        crop = frame.x <= 1e-9 and frame.y <= 1e-9 and frame.x + frame.width >= 1 - 1e-9 and frame.y + frame.height >= 1 - 1e-9
        if crop:
            assert 1 / (frame.width * frame.height) >= 0.1 - 1e-9
        else:
            assert min(frame.x, frame.y, 1 - frame.x - frame.width, 1 - frame.y - frame.height) >= -1e-9
            assert frame.width * frame.height >= 0.08 - 1e-9
    assert {(frame.turn, frame.mirrored) for frame in frames} == {(t, m) for t in range(4) for m in (False, True)}
    assert {abs(frame.angle) for frame in frames} == {0, 9, 18, 27, 36, 45}


def test_every_crop_and_border_has_a_neighbour() -> None:
    """Half a step and half a size away at most: the original's corners lie within a cell and a half of theirs."""
    draws = np.random.default_rng(0)
    for _ in range(30):
        share = draws.uniform(0.5, 1)
        x, y = draws.uniform(0, 1 - share, 2)
        turn, mirrored = int(draws.integers(4)), bool(draws.integers(2))
        crop = Frame(-x / share, -y / share, 1 / share, 1 / share, turn, mirrored)
        assert nearest(crop, 1.0, 0) < 1.6 / 8
        border = Frame(x, y, share, share, turn, mirrored)
        assert nearest(border, 1.0, 0) < 2.2 / 8


def test_rotations_of_a_square_by_hand() -> None:
    found = [f.height for f in whole_picture_frames(1.0, 0) if f.angle == 45 and not f.mirrored]
    expected = [1, 1 / math.sqrt(2), 1 / math.sqrt(2), 0.65, 0.8, 1.2, 1.45]
    np.testing.assert_allclose(found, expected)
    wide = [f for f in whole_picture_frames(2.0, 0) if f.angle == -18 and f.mirrored]
    cos, sin = math.cos(math.radians(18)), math.sin(math.radians(18))
    np.testing.assert_allclose([f.height for f in wide[:3]], [1, 2 / (cos + sin), 1 / (cos + sin)])
    np.testing.assert_allclose([f.width for f in wide], [f.height / 2 for f in wide])


def test_finer_crops_upright_and_mirrored() -> None:
    """Each lies within a cell of 12 of any crop; in a query as wide as the originals the first is the whole."""
    frames = crop_frames(1.0, 0)
    assert frames[0] == IDENTITY
    assert {(f.turn, f.mirrored, f.angle) for f in frames} == {(0, False, 0.0), (0, True, 0.0)}
    assert all(f.x <= 0 and f.y <= 0 and f.x + f.width >= 1 - 1e-9 and f.y + f.height >= 1 - 1e-9 for f in frames)
    assert min(1 / (f.width * f.height) for f in frames) >= 0.1
    assert len(frames) == 2 * sum((math.ceil(12 * (1 - 0.9**k) - 1e-9) + 1) ** 2 for k in range(11))  # .9^22 < .1
    draws = np.random.default_rng(1)
    for _ in range(30):
        share = draws.uniform(0.4, 1)
        x, y = draws.uniform(0, 1 - share, 2)
        crop = Frame(-x / share, -y / share, 1 / share, 1 / share, 0, bool(draws.integers(2)))
        assert min(offsets(crop, other, 1.0) for other in frames if other.mirrored == crop.mirrored) < 1.1 / 12
    assert crop_frames(30.0, 0) == [], "a line of the original"
