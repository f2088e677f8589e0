"""Frames: each by its definition, on the picture at its own size, and as the frame that verification speaks of."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.corruption.corruption import KINDS, Corruption, parse
from uhop_cli.corruption.kinds import Kind
from uhop_cli.corruption.random_streams import Draws
from uhop_cli.frames.frame import Frame
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import PatternSpec

PICTURE = np.random.default_rng(0).integers(1, 255, (60, 40, 3), dtype=np.uint8)
FRAMES = [kind for kind in KINDS.values() if kind.frame is not None]
EVERY = [Corruption(kind.name, level) for kind in FRAMES for level in (kind.levels or (None,))]


def reframed(label: str, picture: np.ndarray = PICTURE, seed: int = 0) -> np.ndarray:
    return parse(label).reframed(Image(picture, None), seed).pixels


def place_of(label: str, picture: np.ndarray = PICTURE, seed: int = 0) -> np.ndarray:
    """The upper two rows of the map from the view to the picture."""
    corruption = parse(label)
    frame = KINDS[corruption.kind].frame
    assert frame is not None
    return frame(picture.shape, corruption.level, corruption.fill, Draws(seed, corruption.label).row(0)).place[:2]


def where(view: np.ndarray, picture: np.ndarray = PICTURE) -> tuple[int, int]:
    """The corner (top, left) of the picture in a view that shows all of it, searched for."""
    height, width = picture.shape[:2]
    places = [(top, left) for top in range(view.shape[0] - height + 1) for left in range(view.shape[1] - width + 1)]
    return next(at for at in places if np.array_equal(view[at[0] : at[0] + height, at[1] : at[1] + width], picture))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("corruption", EVERY, ids=str)
def test_laws_of_every_frame(corruption: Corruption, channels: int) -> None:
    picture = PICTURE[..., :channels]
    shown = corruption.reframed(Image(picture, None), 5).pixels
    assert shown.dtype == np.uint8
    assert shown.shape[2] == channels
    assert np.array_equal(shown, corruption.reframed(Image(picture, None), 5).pixels), "deterministic"
    assert not np.array_equal(shown, picture)
    for size in ((1, 1), (1, 50), (33, 2)):
        assert corruption.reframed(Image(np.full((*size, channels), 9, np.uint8), None)).pixels.size > 0
    assert KINDS[corruption.kind].acts_on == "picture"


def test_only_frames_act_on_the_picture() -> None:
    assert [kind.name for kind in FRAMES] == [
        *("crop", "border", "square", "instant-print", "caption", "mirror", "turn", "tilt", "tilt-inside"),
        *("move", "stretch", "perspective", "screenshot"),
    ]
    assert not parse("noise:0.3").is_frame
    assert parse("crop:0.6").is_frame
    assert KINDS["shift"].acts_on == "pattern"
    for name in ("border", "square", "tilt", "move"):
        assert KINDS[name].fills, name


def test_a_crop_keeps_its_share_of_each_side_anywhere() -> None:
    places = set()
    for seed in range(60):
        part = reframed("crop:0.6", seed=seed)
        assert part.shape == (36, 24, 3)
        places.add(where(PICTURE, part))
    assert {top for top, _ in places} >= {0, 24} or len(places) > 40
    assert max(top for top, _ in places) <= 24
    assert max(left for _, left in places) <= 16
    assert np.array_equal(reframed("crop:1"), PICTURE)


def test_a_border_is_a_share_of_the_shorter_side() -> None:
    for label, value in (("border:0.3", 0), ("border:0.3:white", 255), ("border:0.3:grey", 128)):
        view = reframed(label)
        assert view.shape == (84, 64, 3)
        assert np.array_equal(view[12:72, 12:52], PICTURE)
        assert np.unique(np.concatenate([view[:12].ravel(), view[72:].ravel(), view[:, :12].ravel()])).tolist() == [value]
    coloured = reframed("border:0.3:colour")[:12].reshape(-1, 3)
    assert len(np.unique(coloured, axis=0)) == 1
    assert np.ptp(coloured[0]) == 255
    assert len(np.unique(reframed("border:0.3:noise")[:12])) > 200


def test_what_a_picture_is_laid_on() -> None:
    assert where(reframed("square:white")) == (0, 10)
    assert reframed("square").shape == (60, 60, 3)
    assert reframed("square", PICTURE[:20]).shape == (40, 40, 3)
    view = reframed("instant-print")
    assert view.shape == (60 + 2 + 11, 44, 3)
    assert where(view) == (2, 2)
    assert (view[:2] == 250).all()
    view = reframed("caption:0.5")
    assert where(view) == (30, 0)
    assert set(np.unique(view[:30])) == {25, 250}


def test_a_phone_shows_the_whole_picture_between_bars() -> None:
    colours = set()
    for seed in range(8):
        view = reframed("screenshot", seed=seed)
        assert view.shape == (87, 40, 3)
        assert where(view) == (13, 0)
        colours.add(int(view[11, 0, 0]))
        assert len(np.unique(view[2:8])) == 2, "one line of letters in the bar above"
        assert len(np.unique(view[8:11])) == 1
    assert colours == {0, 255}
    tall = reframed("screenshot:phone", np.repeat(PICTURE, 3, axis=0))
    assert tall.shape[0] == pytest.approx(225, abs=2), "a picture fills eight tenths of the height at most"
    assert tall.shape[0] / tall.shape[1] == pytest.approx(19.5 / 9, rel=0.01)


def test_a_desktop_shows_it_in_a_window() -> None:
    sizes = set()
    for seed in range(8):
        view = reframed("screenshot:desktop", seed=seed)
        top, left = where(view)
        assert top >= 24
        assert view.shape[0] - 60 - top >= 18
        assert 0 < left < 0.22 * 40 + 1
        assert (view[-1] == 40).all()
        assert (view[2:8, : view.shape[1] // 2] == 25).any(), "one line of letters in the title bar"
        assert (view[8:24, : view.shape[1] // 2] == 230).all()
        sizes.add(view.shape)
    assert len(sizes) > 4


def test_mirror_and_turns_move_pixels_whole() -> None:
    assert np.array_equal(reframed("mirror"), PICTURE[:, ::-1])
    for times in (1, 2, 3):
        assert np.array_equal(reframed(f"turn:{90 * times}"), np.rot90(PICTURE, -times)), "clockwise"
    assert Corruption("turn", 180).label == "turn:180"


def test_a_move_is_a_share_of_the_sides_along_eight_directions() -> None:
    found = set()
    for seed in range(60):
        view = reframed("move:0.1:white", seed=seed)
        assert view.shape == PICTURE.shape
        for down in (-6, 0, 6):
            for right in (-4, 0, 4):
                if np.array_equal(view[6:54, 4:36], PICTURE[6 - down : 54 - down, 4 - right : 36 - right]):
                    found.add((down, right))
                    assert (view == 255).all(axis=2).sum() == 60 * 40 - (60 - abs(down)) * (40 - abs(right))
    assert len(found) == 8
    assert (0, 0) not in found


def test_a_stretch_changes_the_width_alone() -> None:
    assert reframed("stretch:0.5").shape == (60, 20, 3)
    means = PICTURE.reshape(60, 20, 2, 3).mean(axis=2)
    assert np.abs(reframed("stretch:0.5") - means).max() <= 0.5
    assert reframed("stretch:1.25").shape == (60, 50, 3)


def test_a_tilt_fills_its_corners_or_leaves_them_out() -> None:
    solid = np.full((60, 40, 3), 200, np.uint8)
    for degrees in (5, 20, 45):
        view = reframed(f"tilt:{degrees}:black", solid)
        assert view.shape == solid.shape
        assert (view[0, 0] == 0).all()
        assert (view[29, 19] == 200).all()
        inside = reframed(f"tilt-inside:{degrees}", solid)
        assert (inside == 200).all(), "no corner is seen"
        assert inside.shape[0] / inside.shape[1] == pytest.approx(1.5, rel=0.08)
    assert reframed("tilt-inside:0").shape == PICTURE.shape
    assert reframed("tilt-inside:90").shape[0] == pytest.approx(40, abs=1), "lying, it is cut to 40 rows"


def test_both_tilts_are_to_either_side() -> None:
    for label in ("tilt:20", "tilt-inside:20"):
        assert {float(np.sign(place_of(label, seed=seed)[0, 1])) for seed in range(12)} == {-1, 1}, label


def test_a_perspective_shortens_one_side_of_a_print_on_a_table() -> None:
    solid = np.full((200, 200, 3), 255, np.uint8)
    sides = set()
    for seed in range(12):
        view = reframed("perspective:0.2", solid, seed)
        assert view.shape == (260, 260, 3)
        shown = (view == 255).all(axis=2)
        lengths = {"top": shown[32].sum(), "bottom": shown[228].sum(), "left": shown[:, 32].sum(), "right": shown[:, 228].sum()}
        parallel = {side: length for side, length in lengths.items() if length > 100}  # the other two are slanted
        short = min(parallel, key=lambda side: parallel[side])
        assert sorted(parallel.values()) == pytest.approx([160, 200], abs=4)
        assert shown.sum() == pytest.approx(200 * 180, rel=0.02)
        sides.add(short)
    assert len(sides) == 4


@pytest.mark.parametrize("label", ["mirror", "turn:90", "turn:180", "turn:270"])
def test_turns_are_the_frames_of_that_name(label: str) -> None:
    name, _, degrees = label.partition(":")
    frame = Frame(0, 0, 1, 1, turn=int(degrees or 0) // 90, mirrored=name == "mirror")
    assert np.allclose(place_of(label), frame.to_original(), atol=1e-12)


def test_crops_borders_and_tilts_are_frames() -> None:
    top, left = where(PICTURE, reframed("crop:0.5", seed=3))
    assert np.allclose(place_of("crop:0.5", seed=3), Frame(-left / 20, -top / 30, 2, 2).to_original())
    assert np.allclose(place_of("border:0.1"), Frame(4 / 48, 4 / 68, 40 / 48, 60 / 68).to_original())
    for seed in range(4):
        place = place_of("tilt:30", seed=seed)
        angles = [np.allclose(place, Frame(0, 0, 1, 1, angle=angle).to_original(40 / 60)) for angle in (30, -30)]
        assert sum(angles) == 1


@pytest.mark.parametrize("kind", FRAMES, ids=lambda kind: kind.name)
def test_a_pattern_is_a_picture_of_its_own_size(kind: Kind) -> None:
    spec = PatternSpec(40, 60, 3)
    rows = np.repeat(PICTURE.reshape(1, -1).astype(np.float32) / 255, 3, axis=0)
    corruption = Corruption(kind.name)
    damaged = corruption(rows, spec, 2)
    assert damaged.visible is None
    assert not np.array_equal(damaged.patterns, rows)
    shown = corruption.reframed(Image(PICTURE, None), 2).pixels
    if shown.shape == PICTURE.shape:
        assert np.abs(damaged.patterns[0] * 255 - shown.ravel()).max() <= 0.51, "the first row is what happens to a picture"
    if kind.name in ("crop", "move", "screenshot"):
        assert not np.array_equal(damaged.patterns[0], damaged.patterns[1]) or not np.array_equal(*damaged.patterns[1:])
