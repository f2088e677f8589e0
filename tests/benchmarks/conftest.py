"""What the benchmarks share: contestants take turns in one run, and only ratios are shown as results.

A machine has other things to do, and no two runs meet the same machine. So contestants run interleaved, each as often as all
others, and the best time of each counts. pytest-benchmark runs them one after the other, and is not used.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

import uhop_cli
from uhop_cli.experiments.data.datasets import load as load_set
from uhop_cli.memory.memory import Memory
from uhop_cli.storing.settings import StoreSettings

REST = 0.3  # seconds; BLAS and OpenMP threads go on turning for a while after a product, in the way of whoever comes next
Contest = Callable[..., dict[str, float]]


@pytest.fixture
def race() -> Contest:
    """Runs contestants in turn; prints best times and their ratios to the first one; returns the times."""

    def run(
        title: str, contestants: Mapping[str, Callable[[], object]], limits: Mapping[str, float] | None = None, rounds: int = 9
    ) -> dict[str, float]:
        best = dict.fromkeys(contestants, float("inf"))
        for turn in range(rounds + 1):  # the first turn warms up
            for name, work in contestants.items():
                time.sleep(REST)
                started = time.perf_counter()
                work()
                best[name] = min(best[name], time.perf_counter() - started) if turn else best[name]
        first = next(iter(best.values()))
        print(f"\n{title}")
        for name, seconds in best.items():
            limit = (limits or {}).get(name)
            verdict = "" if limit is None else f"  (limit {limit:g}: {'kept' if seconds <= limit * first else 'MISSED'})"
            print(f"  {name:<44} {1e3 * seconds:10.2f} ms   {seconds / first:7.3f}{verdict}")
        return best

    return run


@pytest.fixture(scope="session")
def pictures() -> np.ndarray:
    """50,000 pictures of 32 x 32: CIFAR-10 from UHOP_DATA_DIR, else random blobs, which are as large."""
    if "UHOP_DATA_DIR" in os.environ and (Path(os.environ["UHOP_DATA_DIR"]) / "cifar-10-batches-py").is_dir():
        return load_set("cifar10").pixels
    print("\nCIFAR-10 is not under UHOP_DATA_DIR: random pictures take its place")
    coarse = np.random.default_rng(0).integers(0, 256, (50_000, 8, 8, 3), dtype=np.uint8)
    return coarse.repeat(4, axis=1).repeat(4, axis=2)


@pytest.fixture(scope="session")
def memory(pictures: np.ndarray) -> Memory:
    """A memory of all pictures, as `uhop store` makes it."""
    return uhop_cli.learn(pictures, StoreSettings())
