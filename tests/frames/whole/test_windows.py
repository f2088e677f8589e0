"""What canvases see of a query: against means taken cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.frames.frame import Frame
from uhop_cli.frames.whole.windows import COVERED, FLOOR, Picture, picture_of
from uhop_cli.images.decode import Image

SIDE = 4


def picture(height: int, width: int, channels: int = 3, *, holes: bool = False) -> Picture:
    draws = np.random.default_rng(height * 100 + width)
    cover = (draws.uniform(size=(height, width, 1)) < 0.8).astype(np.float32) if holes else np.ones((height, width, 1), np.float32)
    colours = draws.uniform(size=(height, width, channels)).astype(np.float32) * cover
    return Picture(np.concatenate((colours, cover), axis=2), width / height)


def canvas(planes: np.ndarray, left: int, top: int, cell_width: int, cell_height: int) -> tuple[np.ndarray, np.ndarray]:
    """q and what is visible, cell by cell, of a picture that has been turned."""
    height, width, count = planes.shape
    means, seen = np.zeros((SIDE, SIDE, count - 1)), np.zeros((SIDE, SIDE), bool)
    for row in range(SIDE):
        for column in range(SIDE):
            total = np.zeros(count)
            for y in range(top + row * cell_height, top + (row + 1) * cell_height):
                for x in range(left + column * cell_width, left + (column + 1) * cell_width):
                    total += planes[y, x] if 0 <= y < height and 0 <= x < width else 0
            seen[row, column] = total[-1] / (cell_width * cell_height) > COVERED
            means[row, column] = total[:-1] / total[-1] if seen[row, column] else 0
    fine = np.zeros_like(means)
    for row, column in np.argwhere(seen):
        near = (slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2))
        fine[row, column] = means[row, column] - means[near][seen[near]].mean(axis=0)
    return fine / np.sqrt((fine**2).sum() + FLOOR * max(seen.sum(), 1) * (count - 1)), seen


@given(
    left=st.integers(-12, 12), top=st.integers(-12, 12), cell=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    turn=st.integers(0, 3), mirrored=st.booleans(), holes=st.booleans(), channels=st.sampled_from((1, 3)),
)  # fmt: skip
def test_upright_frames(left: int, top: int, cell: tuple[int, int], turn: int, mirrored: bool, holes: bool, channels: int) -> None:
    query = picture(12, 18, channels, holes=holes)
    turned = np.rot90(query.planes, turn)
    turned = turned[:, ::-1] if mirrored else turned
    height, width = turned.shape[:2]
    q, seen = canvas(turned, left, top, *cell)
    frame = Frame(left / width, top / height, SIDE * cell[0] / width, SIDE * cell[1] / height, turn, mirrored)
    found = query.windows([frame], SIDE)
    if seen.mean() < 0.1:
        assert not found.frames
        return
    assert found.frames == [frame]
    assert np.array_equal(found.visible[0].reshape(SIDE, SIDE), seen)
    np.testing.assert_allclose(found.values[0].reshape(q.shape), q, atol=2e-4)


def test_many_frames_are_each_as_alone() -> None:
    query = picture(20, 30)
    draws = np.random.default_rng(0)
    frames = [
        Frame(*draws.uniform(-0.5, 0.3, 2), *draws.uniform(0.4, 1.5, 2), int(turn), bool(turn % 3), float(angle))
        for turn, angle in zip(draws.integers(0, 4, 40), draws.choice([0, 0, 20, -70], 40), strict=True)
    ]
    together = query.windows(frames, 8)
    assert together.frames == [frame for frame in frames if query.windows([frame], 8).frames]
    for place, frame in enumerate(together.frames):
        alone = query.windows([frame], 8)
        np.testing.assert_allclose(together.values[place], alone.values[0], atol=1e-5)
        assert np.array_equal(together.visible[place], alone.visible[0])


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_rotation_by_90_degrees_is_a_turn(mirrored: bool) -> None:
    query = picture(12, 12)  # three samples along a cell are its pixels
    by_angle = query.windows([Frame(0, 0, 1, 1, 0, mirrored, -90 if mirrored else 90)], SIDE)
    by_turn = query.windows([Frame(0, 0, 1, 1, 1, mirrored)], SIDE)
    np.testing.assert_allclose(by_angle.values, by_turn.values, atol=1e-5)


@pytest.mark.parametrize("angle", [25.0, -40.0])
def test_a_mirrored_rotation_is_the_rotation_of_the_mirror_image(angle: float) -> None:
    query = picture(16, 24)
    swapped = Picture(np.ascontiguousarray(query.planes[:, ::-1]), query.aspect)
    frame = (0.1, 0.2, 0.9, 0.6)
    found = query.windows([Frame(*frame, 0, True, angle)], SIDE)
    np.testing.assert_allclose(found.values, swapped.windows([Frame(*frame, 0, False, angle)], SIDE).values, atol=1e-5)
    assert not np.allclose(found.values, query.windows([Frame(*frame, 0, False, angle)], SIDE).values, atol=0.1)


def test_a_part_is_the_picture_in_its_box() -> None:
    query = picture(20, 40)
    part = query.part(Frame(0.25, 0.2, 0.5, 0.6))
    assert np.array_equal(part.planes, query.planes[4:16, 10:30])
    assert part.aspect == pytest.approx(20 / 12)


def test_pictures_are_reduced_and_what_is_transparent_has_no_part_in_a_mean() -> None:
    pixels = np.zeros((400, 800, 3), np.uint8)
    pixels[:, 400:] = (250, 100, 0)
    alpha = np.full((400, 800), 255, np.uint8)
    alpha[:200] = 0
    seen = picture_of(Image(pixels, alpha), 3)
    assert seen.planes.shape == (128, 256, 4)
    assert seen.aspect == 2
    np.testing.assert_allclose(seen.planes[100, 200], (250 / 255, 100 / 255, 0, 1), atol=1e-6)
    assert (seen.planes[:64] == 0).all()
    grey = picture_of(Image(pixels, None), 1, most=40)
    assert grey.planes.shape == (20, 40, 2)
    np.testing.assert_allclose(grey.planes[5, 30], ((0.299 * 250 + 0.587 * 100) / 255, 1), atol=1e-6)
    assert np.array_equal(np.unique(grey.pixels), [0, 133])
