"""Events lie where they are put and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.experiments.forecasts.events import FRESH_SHAPES, SHARES, SIZES, TEST_SHAPES, VALIDATION_SHAPES, Event, draw

ROWS = np.arange(200.0)


@pytest.mark.parametrize("shape", TEST_SHAPES + VALIDATION_SHAPES + FRESH_SHAPES, ids=lambda shape: shape.name)
def test_shapes_begin_suddenly_and_stay_bounded(shape: object) -> None:
    values = shape.form(ROWS)  # type: ignore[attr-defined]
    assert values[0] == 1
    assert np.abs(values).max() == 1


def test_no_two_families_have_a_shape_in_common() -> None:
    forms = [shape.form(ROWS) for shape in TEST_SHAPES + VALIDATION_SHAPES + FRESH_SHAPES]
    likeness = np.corrcoef(forms)
    assert np.abs(likeness - np.eye(len(forms))).max() < 0.95


def test_an_event_is_added_from_its_onset_on() -> None:
    event = Event(TEST_SHAPES[1], 3, np.array([2.0, -1.0]))
    values = np.ones((6, 2))
    changed = event.put_into(values)
    np.testing.assert_array_equal(changed[:3], 1)
    np.testing.assert_allclose(changed[3:] - 1, np.exp(-np.arange(3) / 60)[:, None] * [2, -1])
    assert (values == 1).all()
    rising = np.zeros((20, 2)) + ROWS[:20, None]
    around, onset = event.around(rising, 2, 4)
    assert onset == 2
    np.testing.assert_allclose(around, event.put_into(rising)[1:7])
    np.testing.assert_array_equal(around[:2, 0], [1, 2])


def test_draws_take_the_shapes_in_turn() -> None:
    events = draw(TEST_SHAPES, 60, range(5, 9), 4, np.random.default_rng(0))
    assert [event.shape.name for event in events[:4]] == [TEST_SHAPES[i].name for i in (0, 1, 2, 0)]
    assert {event.onset for event in events} == set(range(5, 9))
    sizes = np.abs([event.amplitude for event in events])
    assert sizes.min() >= SIZES[0] * SHARES[0]
    assert sizes.max() <= SIZES[1] * SHARES[1]
    signs = np.sign([event.amplitude for event in events])
    assert (np.abs(signs.sum(axis=1)) == 4).all()
    assert 0 < (signs[:, 0] > 0).sum() < 60
