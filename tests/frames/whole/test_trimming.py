"""Borders of one colour go, round by round; nothing else does."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.frames.frame import Frame
from uhop_cli.frames.whole.trimming import reduced, trimmed_frames


def picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("colour", [(255, 255, 255), (0, 0, 0), (30, 200, 90)])
def test_a_border_of_any_colour(colour: tuple[int, int, int]) -> None:
    framed = np.empty((80, 100, 3), np.uint8)
    framed[:] = colour
    framed[8:72, 10:85] = picture(64, 75)
    assert trimmed_frames(framed) == [Frame(0.1, 0.1, 0.75, 0.8)]


def test_nothing_to_trim() -> None:
    assert trimmed_frames(picture(40, 50)) == []
    assert trimmed_frames(np.full((40, 50, 3), 77, np.uint8)) == []
    assert trimmed_frames(np.full((1, 1, 1), 77, np.uint8)) == []


def test_each_round_is_a_frame() -> None:
    """A grey bar with a dark end across the top: its rows are even once the columns beside the picture are gone."""
    framed = np.full((100, 100, 3), 250, np.uint8)
    framed[20:, 20:80] = picture(80, 60)
    framed[10:20, 20:80] = 60
    assert trimmed_frames(framed) == [Frame(0.2, 0.1, 0.6, 0.9), Frame(0.2, 0.2, 0.6, 0.8)]


def test_one_channel_is_enough_to_stay() -> None:
    framed = np.full((60, 60, 3), 100, np.uint8)
    framed[20:40, 20:40] = picture(20, 20)
    framed[:20, :, 2] = np.random.default_rng(1).integers(0, 256, (20, 60))
    assert trimmed_frames(framed) == [Frame(0, 0, 1, 40 / 60)]


def test_what_counts_as_one_colour() -> None:
    """Stripes of +-8 have a deviation of 8, of +-10 one of 10."""
    for amplitude, frames in ((8, 1), (10, 0)):
        framed = np.full((40, 40, 1), 128, np.int64)
        framed += amplitude * (-1) ** np.indices((40, 40)).sum(axis=0)[..., None]
        framed[10:30, 10:30] = picture(20, 20)[..., :1]
        assert len(trimmed_frames(framed.astype(np.uint8))) == frames


def test_large_pictures_are_reduced() -> None:
    large = np.full((1000, 500, 3), 255, np.uint8)
    large[250:750, 100:400] = picture(50, 30).repeat(10, axis=0).repeat(10, axis=1)
    assert reduced(large, 256).shape == (256, 128, 3)
    assert reduced(large, 1000) is large
    (frame,) = trimmed_frames(large)
    for found, true in zip((frame.x, frame.y, frame.width, frame.height), (0.2, 0.25, 0.6, 0.5), strict=True):
        assert found == pytest.approx(true, abs=1 / 100)
