"""Which proposals the search looks at, and which it believes."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.frames import search
from uhop_cli.frames.frame import IDENTITY, Frame
from uhop_cli.frames.local.search import Sighting
from uhop_cli.frames.outcome import Reason
from uhop_cli.frames.proposal import Proposal
from uhop_cli.frames.search import FrameSearch
from uhop_cli.frames.sheet import sheet_of_image
from uhop_cli.frames.whole.windows import picture_of
from uhop_cli.images.decode import Image
from uhop_cli.images.warp import area
from uhop_cli.memory.memory import Memory

SIDE = 64


def original(seed: int) -> np.ndarray:
    draws = np.random.default_rng(seed)
    planes = np.full((SIDE, SIDE, 3), 128, np.float32)
    for cells in (3, 6, 12):
        for channel in range(3):
            planes[..., channel] += 60 * area(draws.uniform(-1, 1, (cells, cells)).astype(np.float32), SIDE, SIDE)
    return np.rint(np.clip(planes, 0, 255)).astype(np.uint8)


@pytest.fixture(scope="module")
def memory() -> Memory:
    patterns = np.stack([original(seed).reshape(32, 2, 32, 2, 3).mean(axis=(1, 3)) for seed in range(8)]).astype(np.uint8)
    return replace(learn(patterns, self_test=False), shapes=np.full((8, 2), SIDE))


def nothing(row: int) -> None:
    raise AssertionError(f"the original of {row} is not to be asked for")


def test_a_mirror_image_is_found_by_the_patterns_alone(memory: Memory) -> None:
    (found,) = FrameSearch(memory).find(Image(original(5)[:, ::-1], None), None, nothing, most=4)
    assert (found.row, found.unseen) == (5, Reason.ABSENT)
    assert found.frame.mirrored
    np.testing.assert_allclose(found.frame.window, (0, 0, 1, 1), atol=0.01)
    np.testing.assert_allclose(found.affine, Frame(0, 0, 1, 1, 0, True).to_original(), atol=0.02)


def test_by_the_patterns_alone_it_takes_a_lead(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Image(original(5)[:, ::-1], None)
    for name in ("AHEAD", "LEAD"):
        with monkeypatch.context() as patched:
            patched.setattr(search, name, 1e6)
            assert FrameSearch(memory).find(shown, None, nothing) == []
    assert FrameSearch(memory).find(Image(original(50), None), None, nothing) == []


def test_several_pictures_are_found_one_after_the_other(memory: Memory) -> None:
    page = Image(np.concatenate((original(1), original(6)[::-1, ::-1]), axis=1), None)
    found = FrameSearch(memory).find(page, None, nothing, most=3)
    assert {one.row: one.frame.turn for one in found} == {1: 0, 6: 2}
    assert len(FrameSearch(memory).find(page, None, nothing, most=1)) == 1


@pytest.mark.parametrize(
    ("frame", "possible"),
    [
        (IDENTITY, True),
        (Frame(0, 0, 0.5, 0.74), True),
        (Frame(0, 0, 0.5, 0.76), False),
        (Frame(0, 0, 0.5, 0.33), False),
        (Frame(0.5, 0.5, 0.19, 0.19), False),
        (Frame(-1.0, -1.0, 3.4, 3.4), True),
        (Frame(-1.0, -1.0, 3.6, 3.6), False),
        (Frame(0.9, 0.9, 1, 1), False),
        (Frame(0.5, 0, 0.5, 1), True),
        (Frame(0.51, 0.01, 0.49, 1.01), True),
        (Frame(0.53, 0, 0.5, 1), False),
    ],
)
def test_slivers_are_not_possible(memory: Memory, frame: Frame, possible: bool) -> None:
    """A square original in a square query: .04 of the query, .08 of itself seen; stretched by 1.5 at most, or over half."""
    assert FrameSearch(memory)._is_possible(0, frame, 1.0) == possible


@pytest.mark.parametrize(
    ("frame", "columns", "another"),
    [
        (Frame(0.05, 0, 1, 1), slice(0, 3), True),  # five pixels to the right: two of the five are where it runs into the others
        (Frame(0.05, 0, 1, 1), slice(3, 5), False),
        (Frame(-0.05, 0, 1, 1), slice(97, 100), True),
        (Frame(-0.05, 0, 1, 1), slice(95, 97), False),
        (Frame(0.05, 0, 1, 1), slice(97, 100), False),
        (Frame(0.07, 0, 1, 1), slice(0, 3), True),  # of its size, and moved by anything
        (Frame(0.5, 0, 1, 1), slice(0, 40), True),
        (Frame(-0.5, 0, 1, 1), slice(60, 100), True),
        (Frame(-0.5, 0, 1, 1), slice(0, 40), False),
        (Frame(0.1, 0, 1.02, 0.98), slice(0, 5), True),
        (Frame(0.1, 0, 0.96, 1), slice(0, 5), False),  # smaller, and moved by more than a shot
        (Frame(0.1, 0, 1, 0.96), slice(0, 5), False),
        (Frame(0.05, 0, 1, 1, 2), slice(0, 3), False),
        (Frame(0.05, 0, 1, 1, 0, True), slice(0, 3), False),
        (IDENTITY, slice(0, 3), False),
    ],
)
def test_a_picture_that_goes_on_beside_the_original_is_another_shot(frame: Frame, columns: slice, another: bool) -> None:
    """100 x 100 pixels, grey but for these columns, which have two tones; or rows, where it is the other way round."""
    pixels = np.full((100, 100, 3), 128, np.uint8)
    pixels[::2, columns] = 60
    assert search._is_another_shot(frame, picture_of(Image(pixels, None), 3)) == another
    across = replace(frame, x=frame.y, y=frame.x)
    assert search._is_another_shot(across, picture_of(Image(pixels.swapaxes(0, 1).copy(), None), 3)) == another


def test_a_turn_swaps_the_aspect(memory: Memory) -> None:
    wide = FrameSearch(replace(memory, shapes=np.full((8, 2), (200, 100))))
    assert wide._is_possible(0, Frame(0, 0, 1, 1, 1), 0.5)
    assert not wide._is_possible(0, Frame(0, 0, 1, 1, 0), 0.5)


def test_what_is_there_twice_is_a_rival_at_one_place_only(memory: Memory) -> None:
    one = search.Proposal(0, Frame(0, 0, 0.5, 1), 1.0)
    beside, above = Frame(0.5, 0, 0.5, 1), Frame(0.1, 0.1, 0.5, 0.5)
    finder = FrameSearch(memory)
    assert not finder._are_rivals(one, search.Proposal(1, beside, 1.0))
    assert finder._are_rivals(one, search.Proposal(1, above, 1.0))
    assert not finder._are_rivals(one, search.Proposal(0, above, 1.0))


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (1, 200), (200, 1), (2, 3), (7, 900), (9000, 3)])
@pytest.mark.parametrize("even", [True, False])
def test_pictures_of_any_shape_end_without_an_answer(memory: Memory, shape: tuple[int, int], even: bool) -> None:
    pixels = np.full((*shape, 3), 90, np.uint8) if even else np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    image = Image(pixels, None)
    opened = Image(original(3), None)
    assert FrameSearch(memory).find(image, sheet_of_image(image), lambda row: opened, most=2) == []


def test_a_picture_of_which_nothing_is_visible(memory: Memory) -> None:
    hidden = Image(original(3), np.zeros((SIDE, SIDE), np.uint8))
    assert FrameSearch(memory).find(hidden, sheet_of_image(hidden), nothing) == []


@pytest.mark.parametrize("shape", [(30_000, 1), (1, 30_000)])
def test_originals_of_any_shape(memory: Memory, shape: tuple[int, int]) -> None:
    odd = replace(memory, shapes=np.full((8, 2), shape))
    image = Image(original(60), None)
    assert FrameSearch(odd).find(image, sheet_of_image(image), lambda row: Image(original(3), None)) == []


class Rounds:
    """A search that notes what it is asked for: the name of a round, and whether only undescribed memories count."""

    def __init__(self, found: dict[str, list[Proposal]] | None = None) -> None:
        self.asked: list[str | tuple[str, bool]] = []
        self.found = found or {}

    def family_work(self, count: int) -> float:
        return 10.0 * count

    def crops_work(self, count: int) -> float:
        return 5.0 * count

    def boxes(self, picture) -> list[Proposal]:
        self.asked.append("boxes")
        return self.found.get("boxes", [])

    def __getattr__(self, name: str):
        def asked(picture, undescribed) -> list[Proposal]:
            self.asked.append((name, undescribed))
            return self.found.get(name, [])

        return asked


def searching(memory: Memory, rounds: Rounds, limit: float | None, described: int | None = None, keypoints: int = 150):
    finder = FrameSearch(memory, limit)
    finder.whole = rounds
    seen = Sighting(rounds.found.get("local", []), keypoints)
    local = SimpleNamespace(look=lambda image: rounds.asked.append("local") or seen, described=np.arange(8) < (described or 0))
    finder.__dict__["local"] = None if described is None else local
    return finder


@pytest.mark.parametrize(
    ("limit", "described", "keypoints", "families", "thorough"),
    [
        (None, None, 150, ["family", "crops", "trimmed"], True),
        (120, None, 150, ["family", "crops", "trimmed"], True),
        (119, None, 150, ["family", "trimmed"], False),
        (79, None, 150, [], False),
        (120, 8, 75, [], True),
        (120, 8, 74, ["family", "crops", "trimmed"], True),
        (None, 8, 150, ["family", "crops", "trimmed"], True),
        (29, 6, 150, ["family", "trimmed"], False),
        (30, 6, 150, ["family", "crops", "trimmed"], True),
        (30, 6, 74, [], True),
    ],
)
def test_families_are_for_what_keypoints_do_not_tell_and_within_a_limit(
    memory: Memory, limit: float | None, described: int | None, keypoints: int, families: list[str], thorough: bool
) -> None:
    """10 a memory for the families, 5 more for the crops; without a limit all are looked for everywhere."""
    rounds = Rounds()
    finder = searching(memory, rounds, limit, described, keypoints)
    assert finder.find(Image(original(3), None), None, nothing) == []
    told = described is not None and keypoints >= 75 and limit is not None
    first = ["boxes"] if described is None else ["boxes", "local"]
    assert rounds.asked == [*first, *((name, told) for name in families)]
    assert finder.thorough == thorough


def test_an_original_is_compared_once_in_one_place_and_opened_once(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Confirmed in the third round only, where it lies elsewhere."""
    shown = Image(np.ascontiguousarray(original(5)[:, ::-1]), None)
    near = Frame(0.01, 0.02, 1.0, 0.99)
    places = {
        "boxes": [Proposal(5, near, 100)],
        "local": [Proposal(5, IDENTITY, 2)],
        "family": [Proposal(5, Frame(0.01, 0, 1, 1, 0, True), 100)],
    }
    asked: list[int] = []

    def opened(row: int) -> Image:
        asked.append(row)
        return Image(original(row), None)

    compared: list[int] = []
    real = search.confirm
    monkeypatch.setattr(search, "confirm", lambda *a, **k: compared.append(len(a[1])) or real(*a, **k))
    (found,) = searching(memory, Rounds(places), None, 8).find(shown, sheet_of_image(shown), opened)
    assert (found.row, found.frame.mirrored, asked) == (5, True, [5])
    assert compared == [1, 1]


def test_by_the_patterns_alone_a_rival_counts_at_whichever_rank_it_is(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The three that follow the first lie beside it, where they are no rivals; the fifth lies where the first does."""
    left, right = Frame(0, 0, 0.5, 1), Frame(0.5, 0, 0.5, 1)
    proposals = [Proposal(row, left if row in (0, 4) else right, 900.0 - row) for row in range(5)]
    rounds = Rounds({"boxes": proposals})
    finder = searching(memory, rounds, None)
    worth = {0: 900.0, 4: 700.0}
    fitted: list[list[int]] = []

    def fit(picture, several: list[Proposal]) -> list[Proposal]:
        fitted.append([one.row for one in several])
        return sorted((replace(one, score=worth.get(one.row, 0)) for one in several), key=lambda one: -one.score)

    monkeypatch.setattr(Rounds, "fit", staticmethod(fit), raising=False)
    assert finder.find(Image(original(60), None), None, nothing) == []
    assert fitted[0] == [0, 4]
    worth[4] = 400
    assert [one.row for one in finder.find(Image(original(60), None), None, nothing)] == [0]


LEFT, CROPPED = Frame(0, 0, 0.5, 1), Frame(-0.5, -0.5, 2, 2)


@pytest.mark.parametrize(
    ("frame", "side", "lead", "expected"),
    [
        (LEFT, 64, 310, [0]),
        (LEFT, 32, 310, []),
        (LEFT, 32, 620, [0]),
        (LEFT, 24, 620, []),
        (CROPPED, 16, 310, [0]),
        (CROPPED, 14, 310, []),
    ],
)
def test_by_the_patterns_alone_pixels_count_once(
    memory: Memory, monkeypatch: pytest.MonkeyPatch, frame: Frame, side: int, lead: float, expected: list[int]
) -> None:
    """1,024 cells are fitted to 64 x 32, 32 x 16 and 24 x 12 pixels: of 620 nats 310 and 174 are worth as much as is asked.
    A crop to 16 x 16 pixels shows 256 cells, one to 14 x 14 as many: of 310 nats 237 count."""
    finder = searching(memory, Rounds({"boxes": [Proposal(row, frame, 900.0) for row in (0, 4)]}), None)
    worth = {0: lead + 100.0, 4: 100.0}

    def fit(picture, several: list[Proposal]) -> list[Proposal]:
        return sorted((replace(one, score=worth[one.row]) for one in several), key=lambda one: -one.score)

    monkeypatch.setattr(Rounds, "fit", staticmethod(fit), raising=False)
    shown = Image(np.zeros((side, side, 3), np.uint8), None)
    assert [one.row for one in finder.find(shown, None, nothing)] == expected
