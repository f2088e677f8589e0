"""Each of the searches finds what it is for, and says what it costs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.frames.frame import Frame
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.whole.search import PARTS, WholeSearch
from uhop_cli.frames.whole.windows import Picture, picture_of
from uhop_cli.images.decode import Image
from uhop_cli.images.warp import area
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory

SIDE = 96


def original(seed: int) -> np.ndarray:
    draws = np.random.default_rng(seed)
    planes = np.full((SIDE, SIDE, 3), 128, np.float32)
    for cells in (3, 6, 12, 24):
        for channel in range(3):
            planes[..., channel] += 50 * area(draws.uniform(-1, 1, (cells, cells)).astype(np.float32), SIDE, SIDE)
    return np.rint(np.clip(planes, 0, 255)).astype(np.uint8)


@pytest.fixture(scope="module")
def memory() -> Memory:
    patterns = np.stack([original(seed).reshape(32, 3, 32, 3, 3).mean(axis=(1, 3)) for seed in range(20)]).astype(np.uint8)
    return replace(learn(patterns, self_test=False), shapes=np.full((20, 2), SIDE))


def seen(pixels: np.ndarray) -> Picture:
    return picture_of(Image(np.ascontiguousarray(pixels), None), 3)


def test_parts_are_halves_and_quarters() -> None:
    halves = [(0, 0, 0.5, 1), (0.5, 0, 0.5, 1), (0, 0, 1, 0.5), (0, 0.5, 1, 0.5)]
    quarters = [(0, 0, 0.5, 0.5), (0.5, 0, 0.5, 0.5), (0, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5)]
    assert [part.window for part in PARTS] == [*halves, *quarters]


CROP = original(4)[30:84, 12:66]


@pytest.mark.parametrize(
    ("kind", "shown", "window"),
    [
        ("boxes", np.rot90(original(4)), (0, 0, 1, 1)),
        ("boxes", np.pad(original(4), ((9, 9), (24, 24), (0, 0)), constant_values=200), (1 / 6, 9 / 114, 2 / 3, 96 / 114)),
        ("family", np.pad(original(4), ((90, 60), (90, 60), (0, 0)), mode="reflect"), (90 / 246, 90 / 246, 96 / 246, 96 / 246)),
        ("crops", CROP, (-12 / 54, -30 / 54, 96 / 54, 96 / 54)),
        ("crops", CROP[:, ::-1], (-30 / 54, -30 / 54, 96 / 54, 96 / 54)),
    ],
)
def test_found_where_it_lies(memory: Memory, kind: str, shown: np.ndarray, window: tuple[float, ...]) -> None:
    found = getattr(WholeSearch(memory), kind)(seen(shown))
    assert found[0].row == 4
    assert found[0].score > 2 * found[1].score
    off = Frame(*found[0].frame.window).to_original() - Frame(*window).to_original()
    assert np.abs(off @ [[0, 1, 0, 1], [0, 0, 1, 1], [1, 1, 1, 1]]).max() < 0.1, "shares of the original's sides"
    assert [one.score for one in found] == sorted((one.score for one in found), reverse=True)


def test_what_is_left_after_trimming_is_looked_at_by_itself(memory: Memory) -> None:
    shown = np.pad(original(4)[::-1, ::-1][12:, 12:], ((60, 40), (30, 20), (0, 0)), constant_values=(250,))
    found = WholeSearch(memory).trimmed(seen(shown))
    assert (found[0].row, found[0].frame.turn) == (4, 2)
    height, width = shown.shape[:2]
    np.testing.assert_allclose(found[0].frame.window, (18 / width, 48 / height, 96 / width, 96 / height), atol=0.03)
    assert WholeSearch(memory).trimmed(seen(original(4))) == []


@pytest.mark.parametrize("kind", ["family", "crops", "trimmed"])
def test_families_of_some_of_the_memories(memory: Memory, kind: str) -> None:
    shown = seen(np.pad(original(4), 12, constant_values=250)[:, :, 12:15] if kind == "trimmed" else CROP)
    ends = np.concatenate(([0], np.cumsum(np.arange(20) % 5 != 2)))
    local = LocalDescriptors(np.zeros((16, 64), np.int8), np.zeros((16, 4), np.uint8), ends, np.zeros((65, 128), np.float32))
    search = WholeSearch(replace(memory, local=local))
    found = getattr(search, kind)(shown, undescribed=True)
    assert {one.row for one in found} <= {2, 7, 12, 17}
    assert {one.row for one in getattr(search, kind)(shown)} == {one.row for one in getattr(WholeSearch(memory), kind)(shown)}


def test_the_work_by_hand(memory: Memory) -> None:
    """A multiplication and an addition for each value of a canvas: twice 2,000 frames on 8 x 8, 1,500 on 12 x 12; three colours."""
    search = WholeSearch(memory)
    assert search.family_work(1000) == 2 * 4000 * 64 * 3 * 1000
    assert search.crops_work(10) == 2 * 1500 * 144 * 3 * 10


def test_the_best_fits_of_many(memory: Memory) -> None:
    """Of 25 proposals the 20 that are worth the most, each in the frame that the fit led to."""
    shown = seen(CROP)
    whole = Frame(-12 / 54, -30 / 54, 96 / 54, 96 / 54)
    proposals = [Proposal(row % 20, replace(whole, x=whole.x + 0.01 * (row % 3)), 0.0) for row in range(25)]
    found = WholeSearch(memory).fit(shown, proposals)
    assert len(found) == 20
    assert [one.row for one in found[:2]] == [4, 4], "rows 4 and 24"
    assert min(found[0].score, found[1].score) > 2 * found[2].score
    assert WholeSearch(memory).fit(shown, []) == []
