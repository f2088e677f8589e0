"""What a retrieval may take: the arithmetic, by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from uhop_cli.arrays.device import CPU, Device
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.memory import Memory
from uhop_cli.querying import budget as module
from uhop_cli.querying.budget import Budget

FREE = 4 * 4 * 4 * 20  # bytes, of which a quarter are 4 features of 20 memories


@pytest.fixture
def memory(make_memory: Any) -> Memory:
    """20 memories of 192 values and 4 features."""
    memory: Memory = make_memory(patterns=20, files=20, spec=PatternSpec(8, 8, 3))
    return memory


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "available_memory", lambda: FREE)


@pytest.mark.parametrize(
    ("strategy", "free", "batch"),
    # 24 or 6 arrays of 20 float32 values for each query: 1,920 and 480 bytes of a quarter of what is free
    [("evidence", 4 * 1920 * 7, 7), ("evidence", 4 * 1920 * 7 - 4, 6), ("evidence", 1 << 40, 256), ("evidence", 0, 1),
     ("similarity", 4 * 480 * 7, 7), ("similarity", 1 << 40, 1024)],
)  # fmt: skip
def test_batches_fit_into_a_quarter_of_the_memory(
    memory: Memory, strategy: Literal["evidence", "similarity"], free: int, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Device, "free_memory", lambda self: free)
    assert Budget(memory, CPU, strategy).batch == batch


def test_features_pay_from_so_many_products_on(memory: Memory) -> None:
    # d D / (d - D) = 192 * 4 / 188 = 4.085 products make up for them, of which 0.9 are enough: 3.68
    for asked, expected, products in ((3, 0, 1), (0, 3, 1), (1, 0, 3), (1, 3, 1)):
        budget = Budget(memory, CPU, "evidence", expected)
        budget.asked = asked
        assert not budget.features_pay(products)
    for asked, expected, products in ((4, 0, 1), (0, 4, 1), (2, 0, 2), (1, 4, 1)):
        budget = Budget(memory, CPU, "evidence", expected)
        budget.asked = asked
        assert budget.features_pay(products)


def test_features_that_do_not_fit_or_are_too_many_are_not_made(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    def pays(size: int, device: Device = CPU) -> bool:
        weight = np.zeros((size, 192), np.float32)
        kernel = replace(memory.kernel, weight=weight, gains=np.ones((1, size), np.float32), rhos=(1.0,), chosen=0, spectrum=None)
        return Budget(replace(memory, kernel=kernel), device, "similarity", 10**6).features_pay(2)

    assert pays(4)
    assert not pays(5)  # a value more than fits
    monkeypatch.setattr(module, "available_memory", lambda: 1 << 40)
    assert pays(96)
    assert not pays(97)  # more than half as many as the pixels
    assert not pays(4, Device("torch-cpu"))
