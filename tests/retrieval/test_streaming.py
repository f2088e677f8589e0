"""The streaming forms give what the whole rows give, chunk by chunk, in either array library."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.energy import conjugate
from uhop_cli.retrieval.separation import Separation
from uhop_cli.retrieval.streaming import EntmaxStream, stream

LABELS = ["softmax", "sparsemax", "entmax:1.2", "entmax:1.5", "entmax:3", "argmax", "top-k:1", "top-k:7", "polynomial:10"]
CUTS = {"ragged": (0, 1, 2, 60, 61, 200, 300), "halves": (0, 150, 300), "whole": (0, 300)}
CHUNKS = pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)


def rows() -> NDArray[np.float64]:
    """Rows that rise, fall, tie, have no positive value, and lack whole chunks."""
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(30, 300)) * 10.0 ** rng.uniform(-2, 2, size=(30, 1))
    logits[0], logits[1] = np.sort(logits[0]), np.sort(logits[1])[::-1]
    logits[2] = np.round(logits[2] / np.abs(logits[2]).max() * 2)
    logits[3] = 1.0
    logits[4] = -np.abs(logits[4])
    logits[5, :250] = -np.inf
    logits[6, 60:] = -np.inf
    return logits


def run(label: str, logits: Any, cuts: tuple[int, ...]) -> NDArray[np.float64]:
    state = stream(Separation.parse(label))
    spans = list(itertools.pairwise(cuts))
    for start, stop in spans:
        state.add(logits[:, start:stop], start)
    return np.concatenate([np.asarray(state.weights(logits[:, start:stop], start)) for start, stop in spans], axis=1)


@CHUNKS
@pytest.mark.parametrize("label", LABELS)
def test_equals_the_whole(label: str, cuts: tuple[int, ...]) -> None:
    np.testing.assert_allclose(run(label, rows(), cuts), Separation.parse(label)(rows()), atol=1e-12)


@pytest.mark.parametrize("label", LABELS)
def test_torch_streams_alike(label: str) -> None:
    torch = pytest.importorskip("torch")
    found = run(label, torch.from_numpy(rows()), (0, 13, 14, 250, 300))
    np.testing.assert_allclose(found, Separation.parse(label)(rows()), atol=1e-12)


@pytest.mark.parametrize("alpha", [1.0, 1.2, 1.5, 2.0])
def test_the_conjugate_comes_out_of_the_same_pass(alpha: float) -> None:
    state = EntmaxStream(alpha)
    for start in range(0, 300, 70):
        state.add(rows()[:, start : start + 70], start)
    np.testing.assert_allclose(state.conjugate(2.5), conjugate(rows() / 2.5, 2.5, alpha), atol=1e-12)


def test_only_few_logits_are_kept() -> None:
    state = EntmaxStream(2.0)
    for start in range(0, 300, 50):
        state.add(rows()[10:][:, start : start + 50] * 1e5, start)
    assert state.threshold().cut.shape == (20, 1)
    assert np.shape(state._kept)[1] < 5


@pytest.mark.parametrize("label", ["random:0.5", "window:3"])
def test_supports_of_whole_rows_do_not_stream(label: str) -> None:
    with pytest.raises(SettingsError, match="all memories at once"):
        stream(Separation.parse(label))


@pytest.mark.parametrize("label", LABELS)
def test_weights_before_any_memory_are_refused(label: str) -> None:
    with pytest.raises(SettingsError, match="no memory"):
        stream(Separation.parse(label)).weights(rows(), 0)
