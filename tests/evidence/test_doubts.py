"""The reasons for which an answer is refused, worked by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.evidence.doubts import ABOUT_EQUAL, Doubt, Reason, doubts_of_choice, doubts_of_visible
from uhop_cli.evidence.facts import Outcome
from uhop_cli.evidence.verdicts import Verdict


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


def outcome(device: Device, model: int, second: float, powers: float, spectrum: float) -> Outcome:
    """One query: identity is at 50, affine 1x1 at 100 with the runner-up `second` behind its top, bands at 70; then agreement."""

    def column(*values: float) -> np.ndarray:
        return device.put(np.array(values, np.float32)[:, None])

    tops = (300.0, 400.0, 500.0, 600.0)
    return Outcome(
        verdicts=Verdict(
            top=column(*tops),
            leader=device.put(np.array([[0], [4], [2], [3]])),
            odds=column(1, 1, 1, 1),
            second=column(290, 400 - second, 480, 599),
            follower=device.put(np.array([[1], [7], [5], [6]])),
            spread=column(0, 0, 0, 0),
        ),
        densities=column(50, 100, 70),
        model=device.put(np.array([model])),
        best=device.put(np.array([1])),
        kept=device.put(np.array([0.5], np.float32)),
        powers=device.put(np.array([powers], np.float32)),
        spectrum=device.put(np.array([spectrum], np.float32)),
    )


def test_two_that_explain_more_than_an_unknown_picture_share_the_weight(device: Device) -> None:
    for powers, spectrum in ((60, 20), (20, 60)):  # 40 above the larger null, and 40 - 30
        (doubt,) = doubts_of_choice(outcome(device, 1, 30, powers, spectrum))
        assert doubt == Doubt(Reason.TWO, ((4, 0.8), (7, 0.2)))


def test_a_second_that_explains_no_more_than_an_unknown_picture_is_none(device: Device) -> None:
    assert doubts_of_choice(outcome(device, 1, 40, 60, 20)) == (Doubt(Reason.UNKNOWN),)
    assert doubts_of_choice(outcome(device, 1, 10, 95, 20)) == (Doubt(Reason.UNKNOWN),)


def test_a_single_memory_is_not_one_of_two(device: Device) -> None:
    assert doubts_of_choice(outcome(device, 1, math.inf, 60, 20)) == (Doubt(Reason.UNKNOWN),)


def test_bands_speak_for_themselves_and_the_best_density_of_the_pixels_for_agreement(device: Device) -> None:
    (bands,) = doubts_of_choice(outcome(device, 2, 30, 40, 40))  # 30 and 10
    assert bands == Doubt(Reason.TWO, ((2, 0.75), (5, 0.25)))
    (agreement,) = doubts_of_choice(outcome(device, 3, 30, 60, 20))
    assert agreement == Doubt(Reason.TWO, ((4, 0.8), (7, 0.2)))


def test_rows_of_a_part(device: Device) -> None:
    doubt = Doubt(Reason.TWO, ((1, 0.75), (0, 0.25)))
    assert doubt.among(np.array([40, 50])) == Doubt(Reason.TWO, ((50, 0.75), (40, 0.25)))


def test_by_the_visible_pixels(device: Device) -> None:
    assert pytest.approx(math.log(20)) == ABOUT_EQUAL
    scores = np.array([[9, 1, 10, 2], [9, 8, 10, 2], [1, 2, 10, 3], [9, 1, 10, 2]], np.float32)
    unrelated = np.array([5, 5, 5, 10], np.float32)
    two, hidden, unknown, unexplained = doubts_of_visible(device.put(scores), device.put(unrelated))
    assert two.reason is Reason.TWO
    assert [row for row, _ in two.pair] == [2, 0]
    assert two.pair[0][1] == pytest.approx(1 / (1 + math.exp(-1)), rel=1e-5)
    assert sum(share for _, share in two.pair) == pytest.approx(1)
    assert hidden == Doubt(Reason.HIDDEN)
    assert unknown == unexplained == Doubt(Reason.UNKNOWN)
