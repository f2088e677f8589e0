"""Verdicts, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.evidence.verdicts import PROPOSALS, Verdict, stacked


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


def test_a_verdict_by_hand(device: Device) -> None:
    ratios = np.full((4, PROPOSALS + 3), -50.0, np.float32)
    ratios[0, [2, 7, 9]] = 10, 6, 1  # the runner-up is another memory
    ratios[1, [5, 3]] = 8, -3  # the runner-up is "unrelated"
    ratios[2] = -np.arange(1, PROPOSALS + 4)  # nothing is better than unrelated
    ratios[3] = np.arange(PROPOSALS + 3)  # the spread ends at the last of the proposals: 13 - 3
    found = Verdict.of(device.put(ratios))
    assert to_numpy(found.top).tolist() == [10, 8, -1, 14]
    assert to_numpy(found.leader).tolist() == [2, 5, 0, 14]
    assert to_numpy(found.odds).tolist() == [4, 8, -1, 1]
    assert to_numpy(found.spread).tolist() == [6, 0, 0, 10]
    assert to_numpy(found.second).tolist() == [6, -3, -2, 13]
    assert to_numpy(found.follower).tolist() == [7, 3, 1, 13]


def test_rows_name_the_memories(device: Device) -> None:
    ratios, rows = np.array([[1, 5, -np.inf]], np.float32), np.array([[40, 30, 20]])
    found = Verdict.of(device.put(ratios), device.put(rows))
    assert to_numpy(found.leader).tolist() == [30]
    assert to_numpy(found.follower).tolist() == [40]
    assert to_numpy(found.odds).tolist() == [4]


def test_a_single_memory_competes_with_unrelated_alone(device: Device) -> None:
    found = Verdict.of(device.put(np.array([[7], [-2]], np.float32)))
    assert to_numpy(found.odds).tolist() == [7, -2]
    assert to_numpy(found.spread).tolist() == [0, 0]
    assert to_numpy(found.second).tolist() == [-np.inf, -np.inf]
    assert to_numpy(found.follower).tolist() == [0, 0]


def test_stacked_keeps_the_order(device: Device) -> None:
    parts = [Verdict.of(device.put(np.array([values], np.float32))) for values in ([3, 1], [0, 9])]
    found = stacked(parts)
    assert to_numpy(found.top).tolist() == [[3], [9]]
    assert to_numpy(found.leader).tolist() == [[0], [1]]
    assert to_numpy(found.odds).tolist() == [[2], [9]]
