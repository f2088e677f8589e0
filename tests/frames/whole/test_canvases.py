"""Stage A against the same scores computed one memory and one frame at a time."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.frames.frame import IDENTITY, Frame
from uhop_cli.frames.whole.canvases import MOST, Canvases, aspects_of
from uhop_cli.frames.whole.family import whole_picture_frames
from uhop_cli.frames.whole.windows import FLOOR, Picture, Windows
from uhop_cli.memory.memory import Memory


@pytest.fixture(scope="module", params=[1, 3])
def memory(request: pytest.FixtureRequest) -> Memory:
    draws = np.random.default_rng(0)
    patterns = draws.integers(0, 256, (12, 16, 16, request.param), dtype=np.uint8)
    shapes = np.array([(30, 40)] * 5 + [(40, 30)] * 4 + [(50, 50)] * 3)
    return replace(learn(patterns, self_test=False), shapes=shapes)


def picture(memory: Memory, row: int) -> Picture:
    """A memory in a query: in the lower right of something else, at its own aspect."""
    height, width = 64, 72
    planes = np.ones((height, width, memory.spec.channels + 1), np.float32)
    planes[..., :-1] = 0.5
    shape = memory.shapes[row]
    pattern = memory.patterns[row].repeat(4, axis=0).repeat(4, axis=1)[: int(shape[1]), : int(shape[0])]
    planes[20 : 20 + len(pattern), 24 : 24 + pattern.shape[1], :-1] = pattern / 255
    return Picture(planes, width / height)


def canvas(memory: Memory, row: int, side: int) -> np.ndarray:
    step = 16 // side
    cells = memory.patterns[row].reshape(side, step, side, step, -1).astype(float).mean(axis=(1, 3)) / 255
    padded = np.pad(cells, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = [padded[y : y + side, x : x + side] for y in range(3) for x in range(3)]
    return (cells - np.mean(around, axis=0)).reshape(side * side, -1)


def score(f: np.ndarray, windows: Windows, place: int) -> float:
    seen = windows.visible[place]
    n = int(seen.sum())
    product = float((windows.values[place].reshape(f.shape)[seen] * f[seen]).sum())
    c = max(product, 0) / math.sqrt((f[seen] ** 2).sum() + FLOOR * n * f.shape[1])
    return -n / 2 * math.log1p(-min(c * c, MOST))


def test_scores_and_frames_are_those_of_the_best_frame_of_each(memory: Memory) -> None:
    query = picture(memory, 2)
    asked: dict[int, Windows] = {}

    def windows(group: int) -> Windows:
        asked[group] = query.windows(whole_picture_frames(query.aspect, group)[::7], 8)
        return asked[group]

    found = Canvases(memory, 8).proposals(windows, 12)
    assert set(asked) == {-2, 0, 2}  # 3:4, 1:1, 4:3
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)
    best = {}
    for row in range(12):
        seen = asked[-2 if row < 5 else 2 if row < 9 else 0]
        scores = [score(canvas(memory, row, 8), seen, place) for place in range(len(seen.frames))]
        best[row] = max(scores), seen.frames[int(np.argmax(scores))]
    assert {one.row for one in found} == {row for row, (value, _) in best.items() if value > 0}
    for one in found:
        assert one.score == pytest.approx(best[one.row][0], rel=1e-3, abs=1e-4)
        assert one.frame == best[one.row][1]


def test_a_memory_in_its_own_frame_is_first(memory: Memory) -> None:
    patterns = memory.patterns[7].astype(np.float32) / 255
    query = Picture(np.concatenate((patterns, np.ones((16, 16, 1), np.float32)), axis=2), 4 / 3)
    found = Canvases(memory, 8).proposals(lambda group: query.windows([IDENTITY], 8), 3)
    assert found[0].row == 7
    assert 2 * found[1].score < found[0].score < -32 * math.log1p(-MOST), "only the edges are filled up in another way"
    assert len(found) == 3


def test_nothing_is_proposed_where_nothing_is_seen(memory: Memory) -> None:
    query = picture(memory, 0)
    canvases = Canvases(memory, 8)
    assert canvases.proposals(lambda group: query.windows([Frame(5, 5, 1, 1)], 8), 5) == []
    flat = Picture(np.ones((8, 8, memory.spec.channels + 1), np.float32), 1.0)
    assert canvases.proposals(lambda group: flat.windows([IDENTITY], 8), 5) == []


def test_canvases_may_have_more_cells_than_patterns(memory: Memory) -> None:
    query = picture(memory, 3)
    assert Canvases(memory, 20).proposals(lambda group: query.windows([IDENTITY], 20), 5)


def test_aspects_without_shapes_are_those_of_the_patterns(memory: Memory) -> None:
    assert np.array_equal(aspects_of(replace(memory, shapes=None)), np.ones(12))
    assert aspects_of(memory)[[0, 5, 9]].tolist() == [0.75, 4 / 3, 1]


def test_some_of_the_memories_only(memory: Memory) -> None:
    """Their scores are the same, and no windows are made for the aspects of the others."""
    query = picture(memory, 2)
    asked: list[int] = []

    def windows(group: int) -> Windows:
        asked.append(group)
        return query.windows(whole_picture_frames(query.aspect, group)[::7], 8)

    canvases = Canvases(memory, 8)
    every = {one.row: one for one in canvases.proposals(windows, 12)}
    asked.clear()
    among = np.isin(np.arange(12), (1, 2, 10))
    found = canvases.proposals(windows, 12, among)
    assert asked == [-2, 0]
    assert {one.row: one for one in found} == {row: one for row, one in every.items() if row in (1, 2, 10)}
    assert canvases.proposals(windows, 12, np.zeros(12, bool)) == []
