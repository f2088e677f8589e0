"""Frames: the map of each against pictures that are really cropped, framed, turned and mirrored; laws of composition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.errors import SettingsError
from uhop_cli.frames.frame import IDENTITY, Frame, composed, inverse
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
