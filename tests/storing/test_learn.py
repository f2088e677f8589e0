"""Stage I on stored patterns, and what it says of the separation, against plain formulas."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import ResourceError
from uhop_cli.images.patterns import to_vectors
from uhop_cli.kernel.closed_form import RHO_GRID, decompose, whitening
from uhop_cli.kernel.losses import AverageLoss, MaxLoss, TemperatureLoss
from uhop_cli.progress import Progress
from uhop_cli.storing import learn as module
from uhop_cli.storing import needs
from uhop_cli.storing.learn import learn, loss_of, margins, separation, separation_loss
from uhop_cli.storing.settings import StoreSettings

PATTERNS = np.random.default_rng(0).integers(0, 256, (20, 5, 5, 3), dtype=np.uint8)
OTHERS = 2 * np.eye(20)  # taken off the cosines: a memory is no rival of itself


def cosines() -> np.ndarray:
    """Of the features of the whitening kernel, float64."""
    z = whitening(decompose(PATTERNS)).features(to_vectors(PATTERNS)).astype(float)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    return np.asarray(z @ z.T)


def test_the_closed_form_is_the_default_and_its_grid_that_of_rho() -> None:
    told: list[Progress] = []
    found = learn(PATTERNS, StoreSettings(), told.append)
    assert found.kernel.rhos == RHO_GRID
    assert found.stage1["solver"] == "closed-form"
    assert found.stage1["feature_dim"] == found.kernel.feature_dim == 20
    assert told[-1].stage == "learn"
    assert learn(PATTERNS, StoreSettings(regularization=0.25)).kernel.rhos == (0.25,)
    assert learn(PATTERNS, StoreSettings(feature_dim=7)).kernel.feature_dim == 7


def test_an_option_of_the_gradient_solver_is_not_dropped() -> None:
    found = learn(PATTERNS, StoreSettings(iterations=3, feature_dim=6))
    assert (found.stage1["solver"], found.stage1["iterations"], found.kernel.feature_dim) == ("gradient", 3, 6)
    assert found.stage1["loss_final"] < found.stage1["loss_initial"]
    paper = learn(PATTERNS, StoreSettings(protocol="paper", iterations=2))
    assert paper.stage1["learning_rate"] == 1.0
    assert learn(PATTERNS[:1], StoreSettings(iterations=3)).stage1["solver"] == "closed-form"  # nothing to separate


def test_losses_are_the_ones_that_are_named() -> None:
    assert loss_of(StoreSettings(t=3.0)) == AverageLoss(t=3.0)
    assert loss_of(StoreSettings(loss="max", t=0.5)) == MaxLoss(t=0.5)
    assert isinstance(loss_of(StoreSettings(loss="temperature")), TemperatureLoss)


def test_margins_and_separation_are_those_of_the_cosines(monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = whitening(decompose(PATTERNS))
    norms = kernel.norms(to_vectors(PATTERNS))
    found = margins(kernel, norms, PATTERNS, 0)
    expected = 1 - (cosines() - OTHERS).max(axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    figures = separation(found)
    assert figures["margin_min"] == pytest.approx(expected.min(), abs=1e-5)
    assert figures["r_phi"] == pytest.approx(np.sqrt(2 * expected.min()) / 2, abs=1e-5)
    assert figures["sample"] == 20
    monkeypatch.setattr(module, "LOSS_SAMPLE", 19)
    monkeypatch.setattr(module, "MARGIN_SAMPLE", 5)
    some = margins(kernel, norms, PATTERNS, 0)
    rows = np.sort(np.random.default_rng(0).choice(20, 5, replace=False))
    np.testing.assert_allclose(some, 1 - (cosines() - OTHERS)[:, rows].max(axis=1), atol=1e-5)
    assert separation(some)["sample"] == 5
    assert separation(np.array([-1e-7, 0.5], np.float32))["margin_min"] == 0


def test_the_loss_is_that_of_unit_features() -> None:
    off = ~np.eye(20, dtype=bool)
    expected = np.log(np.exp(-2 * 2.0 * (1 - cosines()))[off].mean())  # ln mean exp(-t |f - g|^2), t = 2
    assert separation_loss(whitening(decompose(PATTERNS)), PATTERNS, AverageLoss(), 0) == pytest.approx(expected, rel=1e-4)
    rows = to_vectors(PATTERNS).astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    bare = np.log(np.exp(-2 * 2.0 * (1 - rows @ rows.T))[off].mean())
    assert separation_loss(None, PATTERNS, AverageLoss(), 0) == pytest.approx(bare, rel=1e-4)
    assert separation_loss(None, PATTERNS[:1], AverageLoss(), 0) is None


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "available_memory", lambda: 1000)
    with pytest.raises(ResourceError):
        learn(PATTERNS, StoreSettings())
