"""Null, beta and gate of a surprise memory, chosen on validation events and validation calm, and the curve of gain against cost.

gain = MSE after events, over the frozen model's; cost = MSE of calm windows, over the frozen model's. Without a gate the setting of
the least gain ratio is taken; with one, the least among those whose cost is within `MOST` of 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from uhop_cli.errors import SettingsError
from uhop_cli.forecasting.moments import Moments
from uhop_cli.forecasting.surprise import SurpriseMemory

BETAS = (0.03, 0.1, 0.3, 1.0)
NULLS = (0.0, 10.0, 20.0, 40.0, 60.0)
GATES = (0.0, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995)
MOST = 0.02  # what calm windows may lose on validation


@dataclass(frozen=True)
class Price:
    """One setting: what it gains after events and what it costs in calm weather, both over the frozen model's error."""

    beta: float
    null: float
    gate: float
    gain: float
    cost: float


def prices(
    stores: Sequence[SurpriseMemory],
    events: Sequence[Moments],
    calm: Moments,
    *,
    betas: Sequence[float] = BETAS,
    nulls: Sequence[float] = NULLS,
    gates: Sequence[float] = GATES,
) -> list[Price]:
    """Gain and cost of every setting.

    Args:
        stores: memories, one for each draw of events.
        events: moments after the events that each memory is asked about.
        calm: moments without events, which every memory is asked about.
        betas, nulls, gates: the grid.

    Raises:
        SettingsError: as many stores as draws of events are needed, at least one.
    """
    if not stores or len(stores) != len(events):
        raise SettingsError(f"{len(stores)} stores do not fit {len(events)} draws of events")
    after = [_ratios(store, moments, betas, nulls, gates) for store, moments in zip(stores, events, strict=True)]
    still = [_ratios(store, calm, betas, nulls, gates) for store in stores]
    return [
        Price(
            *setting, float(np.mean([ratios[setting] for ratios in after])), float(np.mean([ratios[setting] for ratios in still]))
        )
        for setting in product(betas, nulls, gates)
    ]


def without_gate(found: Sequence[Price]) -> Price:
    """The least gain ratio without a gate."""
    return min((price for price in found if price.gate == 0), key=lambda price: price.gain)


def with_gate(found: Sequence[Price], most: float = MOST) -> Price:
    """The least gain ratio with a gate among those whose cost is at most 1 + `most`; the cheapest where there is none."""
    gated = [price for price in found if price.gate > 0]
    cheap = [price for price in gated if price.cost <= 1 + most]
    return min(cheap, key=lambda price: price.gain) if cheap else min(gated, key=lambda price: price.cost)


def curve(found: Sequence[Price]) -> list[Price]:
    """The settings of which no other has both a smaller gain ratio and a smaller cost, by rising cost."""
    best: list[Price] = []
    for price in sorted(found, key=lambda price: (price.cost, price.gain)):
        if not best or price.gain < best[-1].gain:
            best.append(price)
    return best


def _ratios(
    memory: SurpriseMemory, moments: Moments, betas: Sequence[float], nulls: Sequence[float], gates: Sequence[float]
) -> dict[tuple[float, float, float], float]:
    """MSE over the frozen model's of every setting; the evidence is computed once."""
    base = np.sum(moments.missed**2, axis=(1, 2))
    sums = dict.fromkeys(product(betas, nulls, gates), 0.0)
    for evidence in memory.evidence(moments.errors):
        missed, frozen = moments.missed[evidence.rows], base[evidence.rows]
        for beta, null in product(betas, nulls):
            left = np.sum((missed - memory.with_settings(beta=beta, null=null).correction(evidence)) ** 2, axis=(1, 2))
            for gate in gates:
                open_ = memory.with_settings(gate=gate).surprised(evidence.size)
                sums[beta, null, gate] += float(np.sum(np.where(open_, left, frozen)))
    return {setting: total / float(base.sum()) for setting, total in sums.items()}
