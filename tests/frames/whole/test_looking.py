"""What is asked of canvases: they are made once for all queries, and the windows of the same frames once for all aspects."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.whole import looking
from uhop_cli.frames.whole.family import aspect_group, crop_frames
from uhop_cli.frames.whole.looking import CanvasSearch, Look, These
from uhop_cli.frames.whole.windows import Picture, Windows, picture_of
from uhop_cli.images.decode import Image
from uhop_cli.memory.memory import Memory

FRAMES = (Frame(0, 0, 1, 1), Frame(0, 0, 1, 1, 0, True))


@pytest.fixture(scope="module")
def memory() -> Memory:
    """Six pictures, two of them twice as wide as high."""
    patterns = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    return replace(learn(patterns, self_test=False), shapes=np.array([[64, 64]] * 4 + [[128, 64]] * 2))


def test_each_thing_is_made_once(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Counted(looking.Canvases):
        def __init__(self, memory: Memory, side: int) -> None:
            made.append(side)
            super().__init__(memory, side)

    def windows(self: Picture, frames: list[Frame], side: int) -> Windows:
        made.append(len(frames))
        return original(self, frames, side)

    original = Picture.windows
    monkeypatch.setattr(looking, "Canvases", Counted)
    monkeypatch.setattr(Picture, "windows", windows)
    search, picture = CanvasSearch(memory), picture_of(Image(memory.patterns[2][:, ::-1], None), 3)
    first = search(Look(picture, These(FRAMES), 8, 6))
    assert (first[0].row, first[0].frame) == (2, FRAMES[1])
    assert made == [8, 2]
    assert search(Look(picture, These(FRAMES), 8, 6)) == first
    assert made == [8, 2, 2]
    made.clear()
    search(Look(picture, crop_frames, 12, 6))  # other frames for the originals of either aspect
    assert made == [12, len(crop_frames(1.0, 0)), len(crop_frames(1.0, aspect_group(2.0)))]


def test_those_without_descriptors_are_all_where_there_are_none(memory: Memory) -> None:
    look = Look(picture_of(Image(memory.patterns[2], None), 3), These(FRAMES), 8, 6, undescribed=True)
    assert CanvasSearch(memory)(look) == CanvasSearch(memory)(replace(look, undescribed=False)) != []
