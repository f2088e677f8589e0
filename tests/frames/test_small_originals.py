"""Which pictures, found in a frame by their patterns alone, are told to be others by their clean cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.frames.frame import IDENTITY, Frame
from uhop_cli.frames.small_originals import shows_another
from uhop_cli.frames.whole.windows import picture_of
from uhop_cli.images.decode import Image
from uhop_cli.memory.memory import Memory

SIDE = 20
OPAQUE = (slice(3, 17), slice(4, 18))
FRAMES = [Frame(0, 0, 1, 1, turn, mirrored) for turn in range(4) for mirrored in (False, True)]


def drawing(seed: int) -> np.ndarray:
    """(20, 20, 3): a thing in eight colours."""
    draws = np.random.default_rng(seed)
    palette = draws.integers(20, 236, (8, 3))
    cells = np.full((SIDE, SIDE, 3), 128, np.uint8)
    cells[OPAQUE] = palette[draws.integers(8, size=(14, 14))]
    return cells


def recoloured(picture: np.ndarray) -> np.ndarray:
    """The same with other colours of its own in every third column of what is opaque."""
    changed = picture.copy()
    changed[OPAQUE][:, ::3] = np.roll(changed[OPAQUE][:, ::3], 5, axis=0)
    return changed


@pytest.fixture(scope="module")
def memory() -> Memory:
    opacity = np.zeros((4, SIDE, SIDE), np.uint8)
    opacity[:, *OPAQUE] = 255
    return replace(learn(np.stack([drawing(seed) for seed in range(4)]), self_test=False), opacity=opacity)


def seen(picture: np.ndarray, frame: Frame) -> np.ndarray:
    """A picture as a query shows it that has it in one of the eight turns."""
    turned = np.rot90(picture, -frame.turn) if not frame.mirrored else np.rot90(picture[:, ::-1], -frame.turn)
    return np.ascontiguousarray(turned)


def is_another(query: np.ndarray, memory: Memory, frame: Frame, alpha: np.ndarray | None = None) -> bool:
    return shows_another(picture_of(Image(query, alpha), 3), memory, 1, frame)


@pytest.mark.parametrize("frame", FRAMES)
def test_in_all_eight_turns_a_copy_is_none_and_a_thing_in_other_colours_is(memory: Memory, frame: Frame) -> None:
    to_query = frame.to_query()
    corner = seen(np.pad(np.full((1, 1, 3), 255, np.uint8), ((0, SIDE - 1), (0, SIDE - 1), (0, 0))), frame)[..., 0]
    u, v = to_query @ (0.5 / SIDE, 0.5 / SIDE, 1)
    assert corner[int(v * SIDE), int(u * SIDE)] == 255, "the turn of the test is that of the frame"
    assert not is_another(seen(drawing(1), frame), memory, frame)
    assert is_another(seen(recoloured(drawing(1)), frame), memory, frame)


def test_on_any_background_and_under_any_light(memory: Memory) -> None:
    clear = np.ones((SIDE, SIDE), bool)
    clear[OPAQUE] = False
    for edited, expected in ((drawing(1), False), (recoloured(drawing(1)), True)):
        laid = np.where(clear[..., None], np.array((250, 240, 30), np.uint8), edited)
        assert is_another(laid, memory, IDENTITY) == expected
        assert is_another(np.rint(edited * 0.8 + 20).astype(np.uint8), memory, IDENTITY) == expected
        assert is_another(laid, memory, IDENTITY, np.where(clear, 0, 255).astype(np.uint8)) == expected


@pytest.mark.parametrize(("down", "across"), [(0, 0), (1, 0), (0, -2), (-3, 2)])
def test_moved_by_whole_cells(memory: Memory, down: int, across: int) -> None:
    moved = Frame(across / SIDE, down / SIDE, 1, 1)
    for edited, expected in ((drawing(1), False), (recoloured(drawing(1)), True)):
        query = np.roll(edited, (down, across), (0, 1))  # of what goes round, all is background
        assert is_another(query, memory, moved) == expected
        nearly = replace(moved, x=moved.x + 0.3 / SIDE, width=0.97, angle=1.5)
        assert is_another(query, memory, nearly) == expected, "a fit is hardly exact"


@pytest.mark.parametrize(("shift", "expected"), [(9, True), (12, False)])
def test_half_of_it_has_to_be_seen(memory: Memory, shift: int, expected: bool) -> None:
    """11 of 20 columns; or 8, and at most 9 one cell beside."""
    query = np.full((SIDE, SIDE, 3), 128, np.uint8)
    query[:, shift:] = recoloured(drawing(1))[:, : SIDE - shift]
    assert is_another(query, memory, Frame(shift / SIDE, 0, 1, 1)) == expected


@pytest.mark.parametrize(("width", "expected"), [(1.12, True), (1.13, False), (0.88, True), (0.87, False)])
def test_a_side_may_be_two_and_a_half_cells_off(memory: Memory, width: float, expected: bool) -> None:
    assert is_another(recoloured(drawing(1)), memory, Frame((1 - width) / 2, 0, width, 1)) == expected


def icon(picture: np.ndarray, top: int, left: int, frame: Frame) -> np.ndarray:
    """A picture at its own size in a corner of a larger one, in one of the eight turns."""
    larger = np.full((33, 37, 3), 250, np.uint8)
    larger[top : top + SIDE, left : left + SIDE] = seen(picture, frame)
    return larger


def framed(box: Frame, turn: Frame) -> Frame:
    """The frame, in one of the eight turns, of which a box is the window."""
    middle = np.array([box.x + box.width / 2, box.y + box.height / 2, 1])
    x, y = turn.to_original() @ middle  # where the middle lies once it is upright
    wide, high = (box.width, box.height) if turn.turn % 2 == 0 else (box.height, box.width)
    return replace(turn, x=x - wide / 2, y=y - high / 2, width=wide, height=high)


def around(top: float, left: float, size: float, turn: Frame) -> Frame:
    """The frame of that corner of `icon`."""
    return framed(Frame(left / 37, top / 33, size / 37, size / 33), turn)


@pytest.mark.parametrize("frame", FRAMES)
def test_at_its_own_size_in_a_larger_picture(memory: Memory, frame: Frame) -> None:
    place = around(9, 14, SIDE, frame)
    assert place.window == pytest.approx((14 / 37, 9 / 33, SIDE / 37, SIDE / 33))
    for edited, expected in ((drawing(1), False), (recoloured(drawing(1)), True)):
        assert is_another(icon(edited, 9, 14, frame), memory, place) == expected
        nearly = around(10.2, 14.1, SIDE - 1.6, frame)
        assert is_another(icon(edited, 9, 14, frame), memory, nearly) == expected, "a fit is hardly exact"


@pytest.mark.parametrize(("size", "expected"), [(SIDE + 2, True), (SIDE + 3, False), (SIDE - 2, True), (SIDE - 3, False)])
def test_at_another_size_no_pixel_is_as_it_was(memory: Memory, size: int, expected: bool) -> None:
    middle = 9 + SIDE / 2, 12 + SIDE / 2
    place = around(middle[0] - size / 2, middle[1] - size / 2, size, IDENTITY)
    assert is_another(icon(recoloured(drawing(1)), 9, 12, IDENTITY), memory, place) == expected


@pytest.mark.parametrize(("angle", "expected"), [(14, True), (15, False)])
def test_rotation_may_move_a_corner_as_far(memory: Memory, angle: float, expected: bool) -> None:
    """By hand: sin 14 x 10 = 2.4 pixels, sin 15 x 10 = 2.6."""
    place = replace(around(9, 12, SIDE, IDENTITY), angle=angle)
    assert is_another(icon(recoloured(drawing(1)), 9, 12, IDENTITY), memory, place) == expected


@pytest.mark.parametrize("frame", FRAMES)
def test_a_quarter_turn_swaps_its_sides(memory: Memory, frame: Frame) -> None:
    """Originals twice as high as wide, whose patterns are square."""
    high, larger = replace(memory, shapes=np.array([[SIDE, 2 * SIDE]] * 4)), np.full((60, 60, 3), 250, np.uint8)
    for edited, expected in ((drawing(1), False), (recoloured(drawing(1)), True)):
        shown = seen(edited.repeat(2, axis=0), frame)
        larger[13 : 13 + shown.shape[0], 8 : 8 + shown.shape[1]] = shown
        box = Frame(8 / 60, 13 / 60, shown.shape[1] / 60, shown.shape[0] / 60)
        assert is_another(larger, high, framed(box, frame)) == expected


def test_an_icon_that_is_cut_off_is_left_alone(memory: Memory) -> None:
    """It fits in down to 13 of 33 rows and 17 of 37 columns."""
    query = icon(recoloured(drawing(1)), 9, 14, IDENTITY)
    for down, across, expected in ((4, 0, True), (6, 0, False), (0, 3, True), (0, 5, False)):
        moved = np.roll(query, (down, across), (0, 1))
        assert is_another(moved, memory, around(9 + down, 14 + across, SIDE, IDENTITY)) == expected


def test_its_own_size_is_that_of_the_original(memory: Memory) -> None:
    """Twice that of the pattern: each cell is 2 x 2 pixels."""
    twice = replace(memory, shapes=np.full((4, 2), 2 * SIDE))
    larger = np.full((60, 60, 3), 250, np.uint8)
    for edited, expected in ((drawing(1), False), (recoloured(drawing(1)), True)):
        larger[13 : 13 + 2 * SIDE, 8 : 8 + 2 * SIDE] = edited.repeat(2, axis=0).repeat(2, axis=1)
        frame = Frame(8 / 60, 13 / 60, 40 / 60, 40 / 60)
        assert is_another(larger, twice, frame) == expected
        assert not is_another(larger, memory, frame)


@pytest.mark.parametrize(
    "frame",
    [
        Frame(0, 0, 1.14, 1),
        Frame(0, 0, 1, 0.86),
        Frame(0, 0, 1, 1, angle=15),
        Frame(0.25, 0.25, 0.5, 0.5),
    ],
)
def test_other_frames_change_values_of_copies_too(memory: Memory, frame: Frame) -> None:
    assert not is_another(recoloured(drawing(1)), memory, frame)


def test_damage_has_more_colours(memory: Memory) -> None:
    noise = np.random.default_rng(5).integers(-30, 31, (SIDE, SIDE, 3))
    assert not is_another(np.clip(recoloured(drawing(1)) + noise, 0, 255).astype(np.uint8), memory, IDENTITY)


@pytest.mark.parametrize(("colours", "expected"), [(100, True), (101, False)])
def test_among_too_many_colours_nothing_is_clean(colours: int, expected: bool) -> None:
    """A quarter of 400 cells."""
    levels = np.random.default_rng(6).permutation(SIDE * SIDE) % colours
    pattern = (20 + 2 * levels).astype(np.uint8).reshape(SIDE, SIDE, 1).repeat(3, axis=2)
    many = learn(np.stack([drawing(0), pattern, drawing(2), drawing(3)]), self_test=False)
    assert is_another(recoloured(pattern), many, IDENTITY) == expected


def test_greys_are_always_few() -> None:
    patterns = np.stack([drawing(seed) for seed in range(4)])
    assert is_another(recoloured(patterns[1]), learn(patterns, self_test=False), IDENTITY)
    grey = learn(patterns[..., :1], self_test=False)
    assert not shows_another(picture_of(Image(recoloured(patterns[1])[..., :1], None), 1), grey, 1, IDENTITY)


def test_grids_that_a_turn_does_not_keep_are_left_alone() -> None:
    wide = np.stack([np.pad(drawing(seed), ((0, 0), (2, 2), (0, 0)), constant_values=128) for seed in range(4)])
    memory = learn(wide, self_test=False)
    half, quarter = Frame(0, 0, 1, 1, 2), Frame(0, 0, 1, 1, 1)
    changed = recoloured(wide[1])
    assert is_another(np.ascontiguousarray(changed[::-1, ::-1]), memory, half)
    assert not is_another(np.ascontiguousarray(np.rot90(changed)), memory, quarter)
