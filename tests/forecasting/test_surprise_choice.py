"""Prices of settings: what is told is what the memory does; what is taken is what was asked for."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.moments import Moments
from uhop_cli.forecasting.surprise import Calm, SurpriseMemory, SurpriseSettings
from uhop_cli.forecasting.surprise_choice import Price, curve, prices, with_gate, without_gate

GENERATOR = np.random.default_rng(0)


def drawn(count: int, size: float) -> Moments:
    errors = size * GENERATOR.normal(size=(count, 4, 2))
    prediction = np.zeros((count, 6, 2))
    return Moments(errors, prediction, prediction + size * GENERATOR.normal(size=(count, 6, 2)))


CALM, EVENTS = drawn(60, 1.0), [drawn(8, 3.0), drawn(8, 3.0)]
EMPTY = SurpriseMemory(SurpriseSettings(6, 4), Calm.of(CALM.errors))
STORES = [EMPTY.store(events.errors[:3], events.missed[:3]) for events in EVENTS]


def test_every_price_is_what_the_memory_does() -> None:
    found = prices(STORES, EVENTS, CALM, betas=(0.2, 1.0), nulls=(2.0,), gates=(0.0, 0.7))
    assert len(found) == 4
    for price in found:
        gains, costs = [], []
        for store, events in zip(STORES, EVENTS, strict=True):
            memory = store.with_settings(beta=price.beta, null=price.null, gate=price.gate)
            for moments, ratios in ((events, gains), (CALM, costs)):
                left = moments.truth - memory.correct(moments.prediction, moments.errors)
                ratios.append(np.sum(left**2) / np.sum(moments.missed**2))
        assert price.gain == pytest.approx(np.mean(gains), rel=1e-9)
        assert price.cost == pytest.approx(np.mean(costs), rel=1e-9)


FOUND = [
    Price(1, 1, 0.0, gain=0.5, cost=1.2),
    Price(1, 2, 0.0, gain=0.6, cost=1.0),
    Price(1, 1, 0.9, gain=0.55, cost=1.1),
    Price(1, 2, 0.9, gain=0.7, cost=1.02),
    Price(1, 3, 0.9, gain=0.8, cost=1.001),
]


def test_what_is_taken() -> None:
    assert without_gate(FOUND) is FOUND[0]
    assert with_gate(FOUND) is FOUND[3]
    assert with_gate(FOUND, 0.2) is FOUND[2]
    assert with_gate(FOUND, -0.5) is FOUND[4]


def test_the_curve_holds_what_nothing_beats_in_both() -> None:
    assert curve(FOUND) == [FOUND[1], FOUND[2], FOUND[0]]


def test_stores_and_events_go_together() -> None:
    for stores, events in (([], []), (STORES, EVENTS[:1])):
        with pytest.raises(SettingsError, match="do not fit"):
            prices(stores, events, CALM)
