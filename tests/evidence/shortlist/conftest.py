"""Pictures with codes."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.evidence.shortlist.codes import Coder

SHAPE = (16, 16, 3)


@pytest.fixture(scope="module")
def patterns() -> np.ndarray:
    """Smooth random pictures."""
    rng = np.random.default_rng(0)
    coarse = rng.random((3000, 6, 6, 3), dtype=np.float32)
    place = np.linspace(0, 5, 16)
    left = np.minimum(place.astype(int), 4)
    share = (place - left).astype(np.float32)
    rows = coarse[:, left] * (1 - share)[:, None, None] + coarse[:, left + 1] * share[:, None, None]
    both = rows[:, :, left] * (1 - share)[:, None] + rows[:, :, left + 1] * share[:, None]
    return both.reshape(3000, -1)


@pytest.fixture(scope="module")
def coder(patterns: np.ndarray) -> Coder:
    return Coder.learn(patterns.reshape(-1, *SHAPE), SHAPE)


@pytest.fixture(scope="module")
def codes(coder: Coder, patterns: np.ndarray) -> np.ndarray:
    return coder.encode(patterns)
