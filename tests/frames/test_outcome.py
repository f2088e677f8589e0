"""The three outcomes, at either side of every threshold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from made_comparisons import FIT
from uhop_cli.frames.block_evidence import NOTHING, Comparison
from uhop_cli.frames.outcome import Compared, Outcome, Reason, decide
from uhop_cli.frames.thresholds import VerificationSettings

DEFAULT = VerificationSettings()
STRANGER = replace(FIT, evidence=200, explained=0.1, correlation=0.1, agreeing=0.0)


def said(*comparisons: Comparison | None, all_seen: bool = True, identity: bool = True, moved: float | None = None):
    compared = [None if c is None else Compared(c, place, identity, moved) for place, c in enumerate(comparisons)]
    return decide(compared, all_seen, DEFAULT)


def test_nothing_compared() -> None:
    assert said(None, None) == decide([], True, DEFAULT)
    assert (said(None).outcome, said(None).reason, said(None).best) == (Outcome.UNDECIDED, Reason.ABSENT, None)
    blank = said(NOTHING)
    assert (blank.outcome, blank.reason) == (Outcome.UNDECIDED, Reason.BLANK)


def test_the_bar_is_for_128_by_128_pixels() -> None:
    assert said(replace(FIT, evidence=1800), STRANGER).outcome == Outcome.CONFIRMED
    assert said(replace(FIT, evidence=1799), STRANGER).outcome == Outcome.UNDECIDED
    assert said(replace(FIT, evidence=1600)).outcome == Outcome.CONFIRMED, "of a single one L2 is 0"
    quarter = replace(FIT, evidence=600, pixels=4096)
    assert said(quarter, STRANGER).outcome == Outcome.CONFIRMED
    assert said(replace(quarter, pixels=4097), STRANGER).outcome == Outcome.UNDECIDED


def test_the_best_is_the_one_with_the_most_evidence() -> None:
    decision = said(STRANGER, None, FIT)
    assert (decision.outcome, decision.best, decision.margin, decision.reason) == (Outcome.CONFIRMED, 2, 2800, Reason.FITS)


def test_one_picture_under_two_names_is_no_rival() -> None:
    twin = replace(FIT, evidence=2990)
    assert said(FIT, twin).outcome == Outcome.UNDECIDED
    together = [Compared(FIT, 7, True), Compared(twin, 7, True), Compared(STRANGER, 1, True)]
    assert decide(together, True, DEFAULT).margin == 2800
    assert decide(together, True, DEFAULT).outcome == Outcome.CONFIRMED


@pytest.mark.parametrize(
    ("explained", "agreeing", "evidence", "outcome"),
    [
        (0.6, 0.0, 2000, Outcome.CONFIRMED),
        (0.59, 0.0, 2000, Outcome.UNDECIDED),
        (0.1, 0.6, 2000, Outcome.CONFIRMED),
        (0.59, float("nan"), 2000, Outcome.UNDECIDED),
        (0.1, 0.1, 5000, Outcome.CONFIRMED),
        (0.1, 0.1, 4999, Outcome.UNDECIDED),
    ],
)
def test_a_margin_needs_a_fit_or_three_bars(explained: float, agreeing: float, evidence: float, outcome: Outcome) -> None:
    first = replace(FIT, explained=explained, agreeing=agreeing, evidence=evidence)
    assert said(first, STRANGER).outcome == outcome


@pytest.mark.parametrize(
    ("explained", "evidence", "outcome"),
    [(0.69, 3200, Outcome.CONFIRMED), (0.69, 3199, Outcome.UNDECIDED), (0.7, 1600, Outcome.CONFIRMED)],
)
def test_of_what_was_searched_for_two_bars_are_asked_where_x_is_low(explained: float, evidence: float, outcome: Outcome) -> None:
    first = replace(FIT, explained=explained, agreeing=0.65, evidence=evidence)
    assert said(first, identity=False).outcome == outcome
    assert said(first, None, all_seen=False).outcome == Outcome.CONFIRMED, "no frame was searched for"


def test_the_same_frame_asks_as_much_where_a_search_comes_back_to_it() -> None:
    first = replace(FIT, explained=0.7, agreeing=0.5)
    assert decide([Compared(first, 0, True)], True, DEFAULT).outcome == Outcome.CONFIRMED
    decision = decide([Compared(first, 0, True, searched=True)], True, DEFAULT)
    assert (decision.outcome, decision.reason) == (Outcome.UNDECIDED, Reason.ALIKE)
    few = replace(FIT, explained=0.69, agreeing=0.65)
    assert decide([Compared(few, 0, True, searched=True)], True, DEFAULT).outcome == Outcome.UNDECIDED


@pytest.mark.parametrize("circumstance", [{"identity": False}, {"all_seen": False}])
def test_other_frames_and_unseen_rivals_ask_more(circumstance: dict) -> None:
    for explained, agreeing, outcome in (
        (0.8, 0.0, Outcome.CONFIRMED),
        (0.79, 0.64, Outcome.UNDECIDED),
        (0.1, 0.65, Outcome.CONFIRMED),
    ):
        decision = said(replace(FIT, explained=explained, agreeing=agreeing, evidence=3600), STRANGER, **circumstance)
        assert decision.outcome == outcome
        assert decision.reason == (Reason.FITS if outcome == Outcome.CONFIRMED else Reason.ALIKE)
    weak = said(replace(FIT, evidence=300), STRANGER, **circumstance)
    assert (weak.outcome, weak.reason) == (Outcome.UNDECIDED, Reason.CLOSE)
    sure = replace(FIT, explained=0.5, agreeing=0.5, evidence=9000)
    assert said(sure, STRANGER, **circumstance).outcome == Outcome.UNDECIDED, "three bars don't do here"


def test_contradicted() -> None:
    decision = said(STRANGER, replace(STRANGER, evidence=90))
    assert (decision.outcome, decision.reason) == (Outcome.CONTRADICTED, Reason.DIFFERS)


@pytest.mark.parametrize(
    "change",
    [
        {"explained": 0.5},
        {"agreeing": 0.41},
        {"textured": 2},
        {"power": 1e-5},
        {"noise": 0.31},
        {"sharpness": 0.39},
        {"evidence": 1600},
    ],
)
def test_what_speaks_against_a_contradiction(change: dict) -> None:
    assert said(replace(STRANGER, **change)).outcome == Outcome.UNDECIDED


@pytest.mark.parametrize(
    "change",
    [
        {"explained": 0.49},
        {"agreeing": 0.4},
        {"agreeing": float("nan")},
        {"textured": 3},
        {"power": 1.1e-5},
        {"noise": 0.3},
        {"sharpness": 0.4},
        {"evidence": 1599},
    ],
)
def test_what_does_not(change: dict) -> None:
    assert said(replace(STRANGER, **change)).outcome == Outcome.CONTRADICTED


def test_a_second_that_fits_somewhat_or_was_not_seen_forbids_a_contradiction() -> None:
    assert said(STRANGER, replace(STRANGER, evidence=90, explained=0.5)).outcome == Outcome.UNDECIDED
    assert said(STRANGER, None, all_seen=False).outcome == Outcome.UNDECIDED
    blurred = replace(STRANGER, evidence=90, sharpness=0.1)
    assert said(STRANGER, blurred).outcome == Outcome.CONTRADICTED, "of the others only the fit counts"


HALF_LIKE = replace(FIT, evidence=1700, explained=0.55, agreeing=0.5)  # neither contradicted nor like, and without a margin


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, Reason.UNLIKE),
        ({"explained": 0.599, "agreeing": 0.599}, Reason.UNLIKE),
        ({"explained": 0.6}, Reason.CLOSE),
        ({"agreeing": 0.6}, Reason.CLOSE),
        ({"noise": 0.3}, Reason.UNLIKE),
        ({"noise": 0.31}, Reason.CLOSE),
        ({"textured": 3}, Reason.UNLIKE),
        ({"textured": 2}, Reason.CLOSE),
        ({"power": 1e-5}, Reason.CLOSE),
        ({"sharpness": 0.51}, Reason.UNLIKE),
        ({"sharpness": 0.49}, Reason.CLOSE),
    ],
)
def test_a_clear_query_that_no_original_fits_well(change: dict, reason: Reason) -> None:
    rivals = [replace(STRANGER, evidence=900, sharpness=sharpness) for sharpness in (0.1, 9)]
    decision = said(replace(HALF_LIKE, **change), *rivals)
    assert (decision.outcome, decision.reason) == (Outcome.UNDECIDED, reason)


def test_it_is_clear_beside_most_originals_and_like_none_of_all() -> None:
    rival = replace(STRANGER, evidence=900)
    assert said(replace(HALF_LIKE, sharpness=0.1), rival, rival).reason == Reason.UNLIKE
    assert said(HALF_LIKE, replace(rival, explained=0.6)).reason == Reason.CLOSE, "a rival that fits"
    assert said(HALF_LIKE, None, all_seen=False).reason == Reason.CLOSE


def test_shots_of_a_scene() -> None:
    sibling = replace(FIT, evidence=500, explained=0.7)
    assert said(FIT, sibling).outcome == Outcome.CONFIRMED, "as they lie"
    aligned = said(FIT, sibling, moved=0.001)
    assert (aligned.outcome, aligned.reason) == (Outcome.UNDECIDED, Reason.NEAR)
    assert said(FIT, replace(sibling, explained=0.59, agreeing=0.59), moved=0.001).outcome == Outcome.CONFIRMED
    sibling = replace(sibling, agreeing=0.6)
    elsewhere = said(FIT, sibling, moved=0.2, identity=False)
    assert elsewhere.outcome == Outcome.CONFIRMED, "in other frames alignment makes strangers fit somewhat"
    twin = said(FIT, replace(sibling, explained=0.8), moved=0.2, identity=False)
    assert (twin.outcome, twin.reason) == (Outcome.UNDECIDED, Reason.NEAR)
    moved = said(FIT, STRANGER, moved=0.016)
    assert (moved.outcome, moved.reason) == (Outcome.UNDECIDED, Reason.MOVED)
    assert said(FIT, STRANGER, moved=0.015).outcome == Outcome.CONFIRMED
    assert said(FIT, STRANGER, moved=0.016, identity=False).outcome == Outcome.CONFIRMED
