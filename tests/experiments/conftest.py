"""A small generated data set: smooth pictures, some alike, so that retrieval is neither trivial nor hopeless."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.experiments.data.datasets import Dataset


@pytest.fixture(scope="session")
def dataset() -> Dataset:
    rng = np.random.default_rng(7)
    coarse = rng.random((60, 3, 3, 3))
    pixels = np.clip(coarse.repeat(3, axis=1).repeat(3, axis=2) + 0.15 * rng.standard_normal((60, 9, 9, 3)), 0, 1)
    return Dataset("generated", np.rint(pixels * 255).astype(np.uint8), "0" * 64)
