"""The passes of a search in frames over shards find what they find in one memory."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.frames import search
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.local.matching import nearest
from uhop_cli.frames.whole.family import whole_picture_frames
from uhop_cli.frames.whole.looking import CanvasSearch, FramesOf, Look, These
from uhop_cli.frames.whole.windows import picture_of
from uhop_cli.images.decode import Image
from uhop_cli.memory.joining import joined
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings, RetrievalSettings
from uhop_cli.querying.shards.asking import InTurn
from uhop_cli.querying.shards.framing import passes_over

CODES = np.random.default_rng(0).integers(-20, 21, (90, 64)).astype(np.int8)
DESCRIBED = (2, 0, 3, 1)  # descriptors of the first ten pictures of each shard; the others have none


def _described(memory: Memory) -> Memory:
    """The memory with descriptors: of one shard none."""
    shards, begin = [], 0
    for shard, each in zip(memory.shards, DESCRIBED, strict=True):
        counts = np.where(np.arange(len(shard)) < 10, each, 0)
        offsets = np.concatenate(([0], np.cumsum(counts)))
        codes = CODES[begin : begin + offsets[-1]]
        begin += len(codes)
        local = LocalDescriptors(codes, np.zeros((len(codes), 4), np.uint8), offsets, np.zeros((65, 128), np.float32))
        shards.append(replace(shard, local=local, shapes=np.full((len(shard), 2), 12)))
    return joined(shards)


def _passes(memory: Memory) -> Any:
    return passes_over(memory, InTurn(memory, RetrievalSettings(), CPU))


@pytest.mark.parametrize("frames_of", [These((Frame(0, 0, 1, 1, 0, True), Frame(0, 0, 1, 1, 1))), whole_picture_frames])
@pytest.mark.parametrize("undescribed", [False, True])
def test_canvases(pair: Any, frames_of: FramesOf, undescribed: bool) -> None:
    memory = _described(pair.shards)
    picture = picture_of(Image(pair.whole.patterns[33][:, ::-1], None), 3)
    picture.windows([Frame(0, 0, 1, 1)], 8)  # what it made of itself does not travel
    look = pickle.loads(pickle.dumps(Look(picture, frames_of, 8, 9, undescribed)))
    assert vars(look.picture).keys() == {"planes", "aspect"}
    found, whole = _passes(memory).canvases(look), CanvasSearch(replace(memory, shards=()))(look)
    assert [(one.row, one.frame) for one in found] == [(one.row, one.frame) for one in whole]
    np.testing.assert_allclose([one.score for one in found], [one.score for one in whole], rtol=1e-4)
    assert len(found) == 9
    assert found[0].row == 33 or undescribed
    assert not undescribed or all(one.row % 15 >= 10 or 15 <= one.row < 30 for one in found)


@pytest.mark.parametrize("count", [1, 20])
def test_nearest_descriptors(pair: Any, count: int) -> None:
    memory = _described(pair.shards)
    assert memory.local is not None
    asked = np.random.default_rng(1).standard_normal((count, 64)).astype(np.float32)
    likeness, numbers = _passes(memory).nearest(asked)
    expected = nearest(asked, memory.local.codes)
    np.testing.assert_array_equal(numbers, expected[1])
    np.testing.assert_allclose(likeness, expected[0], rtol=1e-5)


def test_nothing_is_nearest_where_nothing_is_stored() -> None:
    likeness, numbers = nearest(np.ones((2, 64), np.float32), np.zeros((0, 64), np.int8))
    assert likeness.tolist() == [[-np.inf] * 3] * 2
    assert numbers.tolist() == [[0] * 3] * 2


def test_who_has_workers_has_them_go_through_the_canvases(pair: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "LEAD", 1.0)  # patterns of 12 x 12 say little
    asked: list[str] = []

    class Noted(InTurn):
        def all(self, name: str, *arguments: Any, **options: Any) -> list[Any]:
            asked.append(name)
            return super().all(name, *arguments, **options)

    def asker(memory: Memory, settings: RetrievalSettings, device: Device) -> Noted:
        return Noted(memory, settings, device)

    settings, shown = QuerySettings(verify="never"), pair.whole.patterns[33][:, ::-1].copy()
    there = Restorer(pair.shards, settings, asker=asker).restore(shown).answer.matches[0]
    assert "on_canvases" in asked
    for memory in pair:
        here = Restorer(memory, settings).restore(shown).answer.matches[0]
        assert (here.row, here.frame is not None) == (there.row, there.frame is not None) == (33, True)
        assert here.frame.mirrored  # type: ignore[union-attr]
