"""The frame over query and original, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.cli.report.outline import Outline, outline


def frame(window: list[float], kind: str = "crop", turn: int = 0, mirrored: bool = False, angle: float = 0.0) -> dict[str, object]:
    return {"kind": kind, "window": window, "turn": turn, "mirrored": mirrored, "angle": angle}


def corners(text: str) -> list[tuple[float, ...]]:
    return [tuple(float(number) for number in point.split(",")) for point in text.split()]


def test_a_crop_is_drawn_on_the_original() -> None:
    # the query shows the middle quarter of the original, which is twice as wide and high
    found = outline(frame([-0.5, -0.5, 2, 2]), 1.5)
    assert found.query == ""
    assert corners(found.answer) == [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
    assert found.words == "crop, 50% of each side shown"


def test_a_border_is_drawn_on_the_query() -> None:
    found = outline(frame([0.1, 0.2, 0.8, 0.6], "border"), 1.0)
    assert corners(found.query) == [(0.1, 0.2), (0.9, 0.2), (0.9, 0.8), (0.1, 0.8)]
    assert found.answer == ""
    assert found.words == "border, it fills 48% of the query"


def test_a_shift_is_drawn_on_both_and_a_mirror_image_on_none() -> None:
    shifted = outline(frame([0.2, 0, 1, 1], "shift"), 1.0)
    assert corners(shifted.query)[0] == (0.2, 0)
    assert corners(shifted.answer)[1] == (0.8, 0)
    assert shifted.words == "shifted, 80% of the width, 100% of the height shown"
    assert outline(frame([0, 0, 1, 1], "mirrored", mirrored=True), 1.0) == Outline("", "", "mirrored")


def test_turned_and_rotated() -> None:
    # the query is upright after a quarter turn anticlockwise: then its upper left corner is what was its upper right one
    found = outline(frame([0.25, 0, 0.75, 1], "border", turn=1), 1.0)
    assert corners(found.query)[0] == pytest.approx((1.0, 0.25))
    assert found.words == "turned, border, it fills 75% of the query"
    tilted = outline(frame([0, 0, 1, 1], "tilt", angle=10), 2.0)
    points = np.array(corners(tilted.query)) * (2, 1)  # in pixels of a query twice as wide as high
    assert np.allclose(np.linalg.norm(np.roll(points, -1, axis=0) - points, axis=1), [2, 1, 2, 1], atol=1e-3)
    assert tilted.words == "rotated"


@pytest.mark.parametrize("claim", [None, {}, frame([0, 0, 0, 1]), frame([0, 0, 1]), frame([0, 0, 1, 1], turn=7), {"window": 3}])
def test_what_is_no_frame_is_not_drawn(claim: dict[str, object] | None) -> None:
    assert outline(claim, 1.0) == Outline()
