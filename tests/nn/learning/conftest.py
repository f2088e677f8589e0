"""Sets of tokens whose class is what most of their tokens look like."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.nn.learning import NetSettings, Samples

TOKENS, FEATURES, CLASSES = 4, 6, 3


def made(count: int, seed: int = 0) -> Samples:
    generator = np.random.default_rng(seed)
    labels = generator.integers(CLASSES, size=count)
    tokens = generator.integers(0, 60, size=(count, TOKENS, FEATURES))
    tokens[np.arange(count), generator.integers(TOKENS, size=count), labels] += 150
    one = np.ones(FEATURES, np.float32)
    return Samples.of(tokens.astype(np.uint8), labels, shift=one / 10, scale=one / 5)


@pytest.fixture(scope="session")
def samples() -> Samples:
    return made(200)


@pytest.fixture(scope="session")
def others() -> Samples:
    """Made in the same way, never trained on."""
    return made(300, seed=1)


@pytest.fixture(scope="session")
def settings() -> NetSettings:
    return NetSettings(features=FEATURES, tokens=TOKENS, classes=CLASSES, width=16, heads=2)
