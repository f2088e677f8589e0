"""A few small pictures of three classes, and a few bags."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.experiments.data.bags import Bags
from uhop_cli.experiments.data.class_folders import Labelled
from uhop_cli.experiments.data.labelled import LabelledSet
from uhop_cli.experiments.learning import classify, pictures


def labelled(count: int, seed: int) -> Labelled:
    """Noise with one bright block of 8 x 8 of the colour of the class."""
    generator = np.random.default_rng(seed)
    pixels = generator.integers(0, 80, (count, 16, 16, 3), dtype=np.uint8)
    labels = generator.integers(3, size=count)
    for index, label in enumerate(labels):
        top, left = 8 * generator.integers(2, size=2)
        pixels[index, top : top + 8, left : left + 8, label] += 150
    return Labelled(pixels, labels)


@pytest.fixture(scope="session")
def data() -> LabelledSet:
    return LabelledSet("made", labelled(120, 0), labelled(60, 1), "digest")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rate is chosen with few pictures, and there are two of them; a warm-up has few steps."""
    monkeypatch.setattr(classify, "WARM_UP", 4)
    monkeypatch.setattr(pictures, "HELD_OUT", 30)
    monkeypatch.setattr(pictures, "CHOICE_SIZE", 40)
    monkeypatch.setattr(classify, "RATES", (1e-3, 1e-2))
    monkeypatch.setattr(classify, "CHOICE_EPOCHS", 1)


@pytest.fixture(scope="session")
def bags() -> Bags:
    """40 bags of 1 to 4 instances; those of class 1 have one whose first feature is large."""
    generator = np.random.default_rng(0)
    counts = generator.integers(1, 5, size=40)
    labels = np.arange(40) % 2
    bag = np.repeat(np.arange(40), counts)
    instances = generator.normal(size=(len(bag), 5))
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    instances[first[labels == 1], 0] += 4
    instances[:, 4] = 1  # has no deviation
    order = generator.permutation(len(bag))
    return Bags("made", instances[order], bag[order], labels, "digest")
