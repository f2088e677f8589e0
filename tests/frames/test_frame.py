"""Frames: the map of each against pictures that are really cropped, framed, turned and mirrored; laws of composition."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.errors import SettingsError
from uhop_cli.frames.frame import IDENTITY, Frame, composed, inverse, refined
from uhop_cli.images.warp import warp

shares = st.floats(-2, 2)
sides = st.floats(0.1, 3)
FRAMES = st.builds(Frame, shares, shares, sides, sides, st.integers(0, 3), st.booleans(), st.floats(-180, 180))
ASPECTS = st.floats(0.2, 5)


def at(affine: np.ndarray, u: float, v: float) -> np.ndarray:
    return affine @ np.array([u, v, 1])


def test_the_identity() -> None:
    assert IDENTITY.is_identity
    np.testing.assert_array_equal(IDENTITY.to_query(), np.eye(2, 3))
    assert not Frame(0, 0, 1, 1, 1).is_identity


@given(FRAMES, ASPECTS)
def test_there_and_back(frame: Frame, aspect: float) -> None:
    there, back = frame.to_query(aspect), frame.to_original(aspect)
    np.testing.assert_allclose(composed(back, there), np.eye(2, 3), atol=1e-9)
    np.testing.assert_allclose(inverse(back), there, atol=1e-9)


@given(FRAMES, ASPECTS)
def test_a_rotation_keeps_the_centre_and_lengths_in_pixels(frame: Frame, aspect: float) -> None:
    still = Frame(frame.x, frame.y, frame.width, frame.height, frame.turn, frame.mirrored)
    np.testing.assert_allclose(at(frame.to_query(aspect), 0.5, 0.5), at(still.to_query(aspect), 0.5, 0.5), atol=1e-9)
    scale = np.array([aspect, 1])

    def side(which: Frame, u: float, v: float) -> float:
        affine = which.to_query(aspect)
        return float(np.linalg.norm((at(affine, u, v) - at(affine, 0, 0)) * scale))

    assert side(frame, 1, 0) == pytest.approx(side(still, 1, 0))
    assert side(frame, 0, 1) == pytest.approx(side(still, 0, 1))


def test_clockwise_as_the_eye_sees_it() -> None:
    """A quarter turn clockwise of a square takes its top left corner to the top right."""
    affine = Frame(0, 0, 1, 1, angle=90).to_query()
    np.testing.assert_allclose(at(affine, 0, 0), [1, 0], atol=1e-12)
    np.testing.assert_allclose(at(affine, 1, 0), [1, 1], atol=1e-12)
    wide = Frame(0, 0, 1, 1, angle=90).to_query(2.0)  # two wide, one high: the corner (-1, -1/2) goes to (1/2, -1)
    np.testing.assert_allclose(at(wide, 0, 0), [0.5 + 0.5 / 2, 0.5 - 1], atol=1e-12)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turn", range(4))
def test_pictures_agree(turn: int, mirrored: bool) -> None:
    """A query made by NumPy from an original is what `to_original` says that it is."""
    original = np.random.default_rng(0).uniform(0, 1, (6, 10)).astype(np.float32)
    upright = np.full((8, 20), -1, np.float32)
    upright[1:7, 4:14] = original
    query = np.rot90(upright[:, ::-1] if mirrored else upright, -turn)
    frame = Frame(0.2, 0.125, 0.5, 0.75, turn, mirrored)
    affine = frame.to_original(query.shape[1] / query.shape[0])
    seen = warp(original[None], affine, *query.shape)[0]
    np.testing.assert_allclose(seen[query >= 0], query[query >= 0], atol=1e-6)
    assert (query >= 0).sum() == 60


def test_what_is_visible() -> None:
    assert IDENTITY.visible == 1
    assert Frame(0.25, -0.5, 0.5, 1).visible == pytest.approx(0.25)
    assert Frame(-1, 0, 3, 1).visible == 1
    assert Frame(2, 0, 1, 1).visible == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ((float("nan"), 0, 1, 1), "finite"),
        ((0, 0, 0, 1), "not possible"),
        ((0, 0, 1, -1), "not possible"),
        ((0, 0, 1, 2000), "not possible"),
        ((2000, 0, 1, 1), "finite"),
        ((0, 0, 1, 1, 4), "quarter turns"),
        ((0, 0, 1, 1, 0, False, 181), "degrees"),
        ((0, 0, 1, 1, 0, False, float("inf")), "finite"),
    ],
)
def test_what_is_no_frame(values: tuple, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Frame(*values)


@given(FRAMES, ASPECTS)
def test_the_frame_of_a_map(frame: Frame, aspect: float) -> None:
    """`of_affine` undoes `to_original`; of the frames that are one map it takes the one that is rotated least."""
    found = Frame.of_affine(frame.to_original(aspect), aspect)
    np.testing.assert_allclose(found.to_query(aspect), frame.to_query(aspect), atol=1e-6)
    assert found.mirrored == frame.mirrored
    assert abs(found.angle) <= 45 + 1e-9
    if abs(frame.angle) < 44.9:
        assert found.turn == frame.turn
        np.testing.assert_allclose(
            [found.x, found.y, found.width, found.height, found.angle],
            [frame.x, frame.y, frame.width, frame.height, frame.angle],
            atol=1e-6,
        )


@given(FRAMES, ASPECTS, st.floats(-0.3, 0.3))
def test_the_frame_nearest_to_a_sheared_map(frame: Frame, aspect: float, shear: float) -> None:
    """No frame of another angle or other sides is nearer, in pixels; the centre stays."""

    def sides(affine: np.ndarray) -> np.ndarray:
        return np.diag((aspect, 1)) @ affine[:, :2]

    sheared = composed(frame.to_query(aspect), np.array([[1, shear, 0], [0, 1, 0]]))
    try:
        found = Frame.of_affine(inverse(sheared), aspect)
    except SettingsError:
        return
    np.testing.assert_allclose(at(found.to_query(aspect), 0.5, 0.5), at(sheared, 0.5, 0.5), atol=1e-6)
    least = np.linalg.norm(sides(found.to_query(aspect)) - sides(sheared))
    for angle, wide, high in ((0.5, 1, 1), (-0.5, 1, 1), (0, 1.02, 1), (0, 0.98, 1), (0, 1, 1.02), (0, 1, 0.98)):
        turned = max(-180.0, min(180.0, found.angle + angle))
        other = replace(found, width=found.width * wide, height=found.height * high, angle=turned)
        assert np.linalg.norm(sides(other.to_query(aspect)) - sides(sheared)) >= least - 1e-9


@pytest.mark.parametrize(
    "affine",
    [
        [[0, 0, 0], [0, 1, 0]],  # singular
        [[1, 1, 0], [1, 1, 0]],
        [[float("nan"), 0, 0], [0, 1, 0]],
        [[1e-5, 0, 0], [0, 1e-5, 0]],  # the original would be 100,000 times as large as the query
        [[1, 0, 5000], [0, 1, 0]],
    ],
)
def test_maps_that_are_no_frames(affine: list) -> None:
    with pytest.raises(SettingsError):
        Frame.of_affine(np.array(affine, np.float64))


@given(FRAMES, ASPECTS)
def test_a_frame_of_a_part_is_that_of_the_whole(frame: Frame, aspect: float) -> None:
    """The map of the composed frame is that of the part and then that of the box."""
    box = Frame(0.2, 0.1, 0.5, 0.7)
    inner = aspect * box.width / box.height
    expected = composed(box.to_query(), frame.to_query(inner))
    np.testing.assert_allclose(frame.within(box).to_query(aspect), expected, rtol=1e-9, atol=1e-7)


@given(FRAMES)
def test_the_window_is_the_rectangle_in_the_query_as_it_is(frame: Frame) -> None:
    x, y, width, height = frame.window
    corners = replace(frame, angle=0).to_query() @ np.array([[0, 1], [0, 1], [1, 1]])
    np.testing.assert_allclose(np.sort(corners, axis=1), [[x, x + width], [y, y + height]], rtol=1e-9, atol=1e-7)


def test_a_refined_frame() -> None:
    """One that was not moved stays, to the last digit; a map that is no frame leaves it as it was."""
    frame = Frame(0.1, 0.2, 0.7, 0.6, 1, True, 10.0)
    assert refined(frame, frame.to_original(1.5), 1.5) is frame
    moved = Frame(0.11, 0.2, 0.7, 0.6, 1, True, 10.0)
    found = refined(frame, moved.to_original(1.5), 1.5)
    assert (found.turn, found.mirrored) == (1, True)
    np.testing.assert_allclose((found.x, found.y, found.width, found.height, found.angle), (0.11, 0.2, 0.7, 0.6, 10), atol=1e-9)
    assert refined(frame, np.zeros((2, 3)), 1.5) is frame
