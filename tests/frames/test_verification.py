"""Queries compared with originals: what is said of them, and what is opened."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from uhop_cli.frames.frame import Frame
from uhop_cli.frames.outcome import Outcome, Reason
from uhop_cli.frames.sheet import Sheet
from uhop_cli.frames.verification import Candidate, Verification, confirm, verify
from uhop_cli.images.decode import Image
from uhop_cli.images.patterns import LUMA
from uhop_cli.images.resample import Axis
from uhop_cli.images.warp import area, warp


def photo(seed: int, height: int = 240, width: int = 180) -> np.ndarray:
    """A picture with structure at every scale, (H, W, 3) uint8."""
    draws = np.random.default_rng(seed)
    plane = np.zeros((height, width, 3))
    for cells, weight in ((3, 50), (8, 40), (20, 30), (60, 25), (140, 20)):
        for channel in range(3):
            plane[..., channel] += weight * area(draws.uniform(-1, 1, (cells, cells)).astype(np.float32), height, width)
    return np.clip(128 + plane, 0, 255).round().astype(np.uint8)


def sheet(pixels: np.ndarray, missing: np.ndarray | None = None) -> Sheet:
    """A query of pixels, 8-bit or floats with noise that leads beyond 0 and 1."""
    values = pixels.astype(np.float32) / (255 if pixels.dtype == np.uint8 else 1)
    grey = values[..., 0] if values.shape[2] == 1 else values @ LUMA.astype(np.float32)
    cover = None if missing is None else (~missing).astype(np.float32)
    return Sheet(grey if cover is None else grey * cover, cover, (0.0, grey.shape[0]), (0.0, grey.shape[1]))


PHOTOS = [photo(seed) for seed in range(5)]


class Opened:
    """Candidates that count how often they are opened."""

    def __init__(self, *pictures: np.ndarray | Image | None, frames: dict[int, Frame] | None = None, group: int | None = None):
        self.log: list[int] = []
        frames = frames or {}
        self.candidates = [
            Candidate(self._opener(place, picture), frames.get(place, Frame(0, 0, 1, 1)), -1 if group is None else group)
            for place, picture in enumerate(pictures)
        ]

    def _opener(self, place: int, picture: np.ndarray | Image | None) -> Callable[[], Image | None]:
        def work() -> Image | None:
            self.log.append(place)
            return Image(picture, None) if isinstance(picture, np.ndarray) else picture

        return work


def ask(query: np.ndarray, *pictures: np.ndarray | Image | None, side: int = 32, **rest) -> tuple[Verification, list[int]]:
    missing = rest.pop("missing", None)
    opened = Opened(*pictures, **rest)
    return verify(sheet(query, missing), opened.candidates, pattern_side=side), opened.log


def test_a_copy_is_confirmed_and_nothing_else_is_opened() -> None:
    answer, log = ask(PHOTOS[0], *PHOTOS)
    assert (answer.outcome, answer.best, answer.reason) == (Outcome.CONFIRMED, 0, Reason.FITS)
    assert log == [0, 1]
    assert [m.comparison is not None for m in answer.measured] == [True, True, False, False, False]
    assert answer.measured[0].moved is None
    assert answer.measured[0].comparison.explained == pytest.approx(1, abs=0.01)
    assert answer.margin == answer.measured[0].comparison.evidence - answer.measured[1].comparison.evidence


def test_a_runner_up_that_is_the_one() -> None:
    answer, log = ask(PHOTOS[1], *PHOTOS)
    assert (answer.outcome, answer.best, log) == (Outcome.CONFIRMED, 1, [0, 1])
    answer, log = ask(PHOTOS[3], *PHOTOS)
    assert (answer.outcome, answer.best, log) == (Outcome.CONFIRMED, 3, [0, 1, 2, 3, 4])


def test_a_stranger_is_contradicted_after_alignment() -> None:
    answer, log = ask(photo(99), *PHOTOS[:3])
    assert (answer.outcome, answer.reason, log) == (Outcome.CONTRADICTED, Reason.DIFFERS, [0, 1, 2])


@pytest.mark.parametrize(
    "damage",
    [
        lambda p, d: np.clip(p + d.normal(0, 40, p.shape), 0, 255).astype(np.uint8),
        lambda p, d: np.where(np.arange(240)[:, None, None] < 120, np.uint8(30), p),
        lambda p, d: (p * 0.3 + 20).astype(np.uint8),
        lambda p, d: p[2::5, 2::5],
        lambda p, d: p.astype(np.float64) / 255,
        lambda p, d: p[:, :, 1:2],
    ],
    ids=["noise", "half", "light", "small", "float", "grey"],
)
def test_damaged_copies_are_confirmed(damage) -> None:
    answer, _ = ask(damage(PHOTOS[2], np.random.default_rng(0)), PHOTOS[2], PHOTOS[1])
    assert (answer.outcome, answer.best) == (Outcome.CONFIRMED, 0)


def test_strong_noise_and_blur_are_not_decided() -> None:
    """--noise 3 of a stored picture is neither confirmed nor refused by the undamaged file."""
    noisy = PHOTOS[0] / 255 + np.random.default_rng(0).normal(0, 3, PHOTOS[0].shape)
    blurred = area(PHOTOS[0].mean(axis=2).astype(np.float32) / 255, 8, 6)
    smooth = area(blurred, 240, 180)[..., None]
    for query in (noisy, np.clip(noisy, 0, 1), smooth):
        assert ask(query, *PHOTOS)[0].outcome == Outcome.UNDECIDED


def test_a_moved_copy_is_found_by_alignment() -> None:
    shifted = np.array([[1, 0, 0.008], [0, 1, -0.006]])
    planes = np.moveaxis(PHOTOS[0], 2, 0).astype(np.float32)
    query = np.moveaxis(warp(planes, shifted, 240, 180, 2), 0, 2).round().astype(np.uint8)
    answer, log = ask(query, *PHOTOS[:3])
    assert (answer.outcome, answer.best, log) == (Outcome.CONFIRMED, 0, [0, 1, 2])
    assert answer.measured[0].moved == pytest.approx(0.008, abs=0.002)
    np.testing.assert_allclose(answer.measured[0].affine, shifted, atol=0.003)
    far = np.array([[1, 0, 0.03], [0, 1, -0.02]])
    query = np.moveaxis(warp(planes, far, 240, 180, 2), 0, 2).round().astype(np.uint8)
    answer, _ = ask(query, *PHOTOS[:3])
    assert (answer.outcome, answer.best, answer.reason) == (Outcome.UNDECIDED, 0, Reason.MOVED)
    sibling = np.moveaxis(warp(planes, np.array([[1, 0, 0.016], [0, 1, 0.01]]), 240, 180, 2), 0, 2).round().astype(np.uint8)
    answer, _ = ask(query, PHOTOS[0], sibling, PHOTOS[1])
    assert answer.outcome == Outcome.UNDECIDED, "shots of a scene"


def test_a_copy_of_one_shot_is_told_from_its_siblings() -> None:
    planes = np.moveaxis(PHOTOS[0], 2, 0).astype(np.float32)
    moves = [np.array([[1, 0, x], [0, 1, y]]) for x, y in ((0.012, 0), (0, 0), (0, -0.015))]
    shots = [np.moveaxis(warp(planes, move, 240, 180, 2), 0, 2).round().astype(np.uint8) for move in moves]
    noisy = np.clip(shots[1] + np.random.default_rng(1).normal(0, 10, shots[1].shape), 0, 255).astype(np.uint8)
    answer, _ = ask(noisy, *shots)
    assert (answer.outcome, answer.best) == (Outcome.CONFIRMED, 1)


@pytest.mark.parametrize(
    ("frame", "edit"),
    [
        (Frame(-0.25, -0.5, 1.5, 2.0), lambda p: p[60:180, 30:150]),
        (Frame(0.1, 0.125, 0.75, 0.75), lambda p: np.pad(p, ((40, 40), (24, 36), (0, 0)), constant_values=255)),
        (Frame(0, 0, 1, 1, 3), lambda p: np.rot90(p)),
        (Frame(0, 0, 1, 1, 0, True), lambda p: p[:, ::-1]),
        (Frame(-0.25, -0.5, 1.5, 2.0, 1, True), lambda p: np.rot90(p[60:180, 30:150][:, ::-1], -1)),
    ],
    ids=["crop", "border", "turn", "mirror", "crop, mirror and turn"],
)
def test_a_copy_in_a_known_frame(frame: Frame, edit) -> None:
    query = edit(PHOTOS[0])
    answer, _ = ask(query, PHOTOS[0], PHOTOS[1], frames={0: frame, 1: frame})
    assert (answer.outcome, answer.best) == (Outcome.CONFIRMED, 0)
    assert answer.measured[0].comparison.explained == pytest.approx(1, abs=0.03)
    wrong = ask(query, PHOTOS[0], PHOTOS[1])[0]
    assert wrong.outcome != Outcome.CONFIRMED


def test_what_is_missing_is_not_compared() -> None:
    missing = np.zeros((240, 180), bool)
    missing[:, 90:] = True
    query = PHOTOS[0].copy()
    query[missing] = 255
    whole = ask(query, *PHOTOS[:2])[0].measured[0].comparison
    answer, _ = ask(query, *PHOTOS[:2], missing=missing)
    comparison = answer.measured[0].comparison
    assert answer.outcome == Outcome.CONFIRMED
    assert comparison.pixels == pytest.approx(whole.pixels / 2, rel=0.03)
    assert comparison.explained == pytest.approx(1, abs=0.01)
    assert whole.explained < 0.9
    nothing, _ = ask(query, *PHOTOS[:2], missing=np.ones((240, 180), bool))
    assert (nothing.outcome, nothing.reason) == (Outcome.UNDECIDED, Reason.BLANK)


def test_originals_that_are_not_at_hand_or_too_small() -> None:
    absent, log = ask(PHOTOS[0], None, None)
    assert (absent.outcome, absent.reason, absent.best, log) == (Outcome.UNDECIDED, Reason.ABSENT, None, [0, 1])
    assert [m.reason for m in absent.measured] == [Reason.ABSENT, Reason.ABSENT]
    small, _ = ask(PHOTOS[0], PHOTOS[0], PHOTOS[1], side=121)
    assert (small.outcome, small.reason) == (Outcome.UNDECIDED, Reason.SMALL)
    assert ask(PHOTOS[0], PHOTOS[0], PHOTOS[1], side=120)[0].outcome == Outcome.CONFIRMED
    # the size of the original counts, not that of its reduction
    reduced = Image(PHOTOS[0], None, (Axis(960, 4), Axis(720, 4)))
    assert ask(PHOTOS[0], reduced, PHOTOS[1], side=200)[0].measured[0].comparison is not None
    # a rival that can't be seen: a stranger is not contradicted, a copy must fit by itself
    assert ask(photo(99), PHOTOS[0], None)[0].outcome == Outcome.UNDECIDED
    assert ask(PHOTOS[0], PHOTOS[0], None)[0].outcome == Outcome.CONFIRMED


def test_one_picture_under_two_names() -> None:
    answer, log = ask(PHOTOS[0], PHOTOS[0], PHOTOS[0], group=4)
    assert (answer.outcome, log) == (Outcome.CONFIRMED, [0])
    assert ask(PHOTOS[0], PHOTOS[0], PHOTOS[0])[0].outcome == Outcome.UNDECIDED


def test_no_candidates() -> None:
    answer = verify(sheet(PHOTOS[0]), [], pattern_side=32)
    assert (answer.outcome, answer.measured) == (Outcome.UNDECIDED, ())


def test_a_drawing_on_any_background() -> None:
    """Strokes on nothing: the original takes the grey that the query has where it is transparent."""
    alpha = (area(np.random.default_rng(3).uniform(0, 1, (30, 30)).astype(np.float32), 200, 200) > 0.55).astype(np.uint8) * 255
    ink = Image(np.full((200, 200, 3), 60, np.uint8), alpha)
    other = Image(ink.pixels, np.rot90(alpha).copy())
    for paper in (255, 0, 140):
        query = np.where(alpha[..., None] > 0, ink.pixels, np.uint8(paper))
        answer, _ = ask(query, ink, other)
        assert (answer.outcome, answer.best) == (Outcome.CONFIRMED, 0)


CROP = Frame(-0.25, -0.5, 1.5, 2.0)


def confirmed(*pictures: np.ndarray, frames: dict[int, Frame]) -> tuple[Verification, list[int]]:
    opened = Opened(*pictures, frames=frames)
    return confirm(sheet(PHOTOS[0][60:180, 30:150]), opened.candidates, pattern_side=32), opened.log


def test_rivals_are_opened_only_beside_what_is_confirmed_alone() -> None:
    stranger, log = confirmed(PHOTOS[1], PHOTOS[0], frames={0: CROP, 1: CROP})
    assert (stranger.outcome, log) == (Outcome.CONTRADICTED, [0])
    copy, log = confirmed(PHOTOS[0], PHOTOS[1], frames={0: CROP, 1: CROP})
    assert (copy.outcome, copy.best, log) == (Outcome.CONFIRMED, 0, [0, 1])
    assert copy.margin == copy.measured[0].comparison.evidence - copy.measured[1].comparison.evidence
    both = verify(
        sheet(PHOTOS[0][60:180, 30:150]), Opened(PHOTOS[0], PHOTOS[1], frames={0: CROP, 1: CROP}).candidates, pattern_side=32
    )
    assert [m.comparison for m in copy.measured] == [m.comparison for m in both.measured]
    alone, log = confirmed(PHOTOS[0], frames={0: CROP})
    assert (alone.outcome, log) == (Outcome.CONFIRMED, [0])
    twin, _ = confirmed(PHOTOS[0], PHOTOS[0], frames={0: CROP, 1: CROP})
    assert twin.outcome == Outcome.UNDECIDED, "another picture fits as well"


def test_what_a_search_proposes_in_the_same_frame_has_to_fit_as_in_any_other() -> None:
    """Two pictures, the one with 1.5 times the contrast of the other: X is about 1.5^2 / (1 + 1.5^2) = .69."""
    query = np.clip((0.6 * PHOTOS[0] + 0.4 * PHOTOS[1]), 0, 255).round().astype(np.uint8)
    opened = Opened(PHOTOS[0], PHOTOS[2])
    asked = verify(sheet(query), opened.candidates, pattern_side=32)
    assert asked.measured[0].comparison.explained == pytest.approx(0.69, abs=0.05)
    assert (asked.outcome, asked.best) == (Outcome.CONFIRMED, 0)
    searched = confirm(sheet(query), opened.candidates, pattern_side=32)
    assert (searched.outcome, searched.reason) == (Outcome.UNDECIDED, Reason.ALIKE)
    assert confirm(sheet(PHOTOS[0]), opened.candidates, pattern_side=32).outcome == Outcome.CONFIRMED


def test_a_guess_that_shows_nothing_is_given_up_on_the_coarse_grid() -> None:
    """120 x 120 pixels of the query are compared as 48 x 48; a rival, whose evidence is the margin, on the fine grid."""
    stranger, _ = confirmed(PHOTOS[1], frames={0: CROP})
    assert stranger.measured[0].comparison.pixels <= 48 * 48
    copy, _ = confirmed(PHOTOS[0], PHOTOS[1], frames={0: CROP, 1: CROP})
    assert [m.comparison.pixels > 100 * 100 for m in copy.measured] == [True, True]


def test_in_the_same_frame_such_a_one_counts_as_it_lies() -> None:
    answer, _ = ask(photo(99), *PHOTOS[:2])
    assert [m.moved for m in answer.measured] == [0, 0]
    for measured in answer.measured:
        np.testing.assert_array_equal(measured.affine, np.eye(2, 3))
        assert measured.comparison.pixels > 110 * 110
