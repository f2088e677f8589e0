"""T steps of retrieval against ten-line references: fixed points, falling energy, clamped pixels, both back ends."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.kernel.closed_form import decompose, whitening
from uhop_cli.retrieval.dynamics import MAX_STEPS, run
from uhop_cli.retrieval.models import ClampedModel, FixedModel, LinearModel
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.retrieval.separation import Separation

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 3), dtype=np.uint8)
X = PIXELS.reshape(30, -1).astype(np.float32) / 255
FAMILY = whitening(decompose(PIXELS), (1e-2,))
NORMS = FAMILY.norms(X)[:, 0]
NOISY = X + np.random.default_rng(1).normal(0, 0.3, X.shape).astype(np.float32)


@pytest.fixture(params=["cpu", "torch-cpu"])
def device(request: pytest.FixtureRequest) -> Device:
    if request.param != "cpu":
        pytest.importorskip("torch")
    return Device(request.param)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def test_raw_kernel_is_the_paper_update(device: Device) -> None:
    model = LinearModel(pattern_matrix(PIXELS, device), Separation.parse("softmax"), 3.0, weight=device.put(FAMILY.weight))
    got = run(model, model.X, device.put(NOISY), steps=2, trace=True)
    a = FAMILY.weight.T @ FAMILY.weight
    x = NOISY
    for step in range(2):
        x = softmax(3.0 * x @ a @ X.T) @ X
        np.testing.assert_allclose(got.pictures[step], x, atol=1e-4)


def test_normalised_kernel_iterates_in_feature_space(device: Device) -> None:
    model = LinearModel(
        pattern_matrix(PIXELS, device), Separation.parse("softmax"), 8.0, weight=device.put(FAMILY.weight), norms=device.put(NORMS)
    )
    got = run(model, model.X, device.put(NOISY), steps=3, trace=True)
    f = X @ FAMILY.weight.T
    f /= np.linalg.norm(f, axis=1, keepdims=True)
    z = NOISY @ FAMILY.weight.T
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    for step in range(3):
        p = softmax(8.0 * z @ f.T)
        np.testing.assert_allclose(got.pictures[step], p @ X, atol=1e-4)
        z = p @ f


@pytest.mark.parametrize("separation", ["softmax", "sparsemax", "entmax:1.25", "entmax:1.5"])
@pytest.mark.parametrize("beta", [0.5, 5.0, 50.0])
def test_energy_never_rises(separation: str, beta: float) -> None:
    matrix = pattern_matrix(PIXELS)
    kind = Separation.parse(separation)
    squares = np.square(X).sum(axis=1)
    models = [
        LinearModel(matrix, kind, beta, weight=FAMILY.weight, norms=NORMS),
        LinearModel(matrix, kind, beta, weight=FAMILY.weight),
        LinearModel(matrix, kind, beta),
        LinearModel(matrix, kind, beta, norms=np.sqrt(squares)),
        LinearModel(matrix, kind, beta, bias=-squares, scale=2.0),
    ]
    for model in models:
        energies = run(model, matrix, NOISY, steps=6).energies
        assert energies is not None
        scale = np.abs(energies).max()
        assert np.diff(energies, axis=0).max() <= 1e-5 * scale
        assert energies[0].mean() > energies[-1].mean() - 1e-9


def test_clamped_pixels_stay_and_the_energy_still_falls(device: Device) -> None:
    known = np.zeros(X.shape, np.bool_)
    known[:, : 2 * X.shape[1] // 3] = True
    query = np.where(known, X, 0)
    put = device.put
    matrix = pattern_matrix(PIXELS, device)
    model = ClampedModel(matrix, Separation.parse("softmax"), 30.0, weight=put(FAMILY.weight), norms=put(NORMS), known=put(known))
    got = run(model, matrix, put(query), clamp=(put(known), put(query)), trace=True)
    assert got.energies is not None
    assert np.diff(got.energies, axis=0).max() <= 1e-5
    np.testing.assert_array_equal(got.pictures[-1][known], X[known])
    np.testing.assert_allclose(got.pictures[-1], X, atol=1e-3)


def test_auto_stops_at_the_fixed_point_and_says_when_it_was_reached() -> None:
    matrix = pattern_matrix(PIXELS)
    model = LinearModel(matrix, Separation.parse("softmax"), 200.0, weight=FAMILY.weight, norms=NORMS)
    got = run(model, matrix, NOISY)
    assert got.converged.all()
    assert (got.steps >= 1).all()
    assert (got.steps < MAX_STEPS).all()
    again = run(model, matrix, got.pictures[-1], steps=1)
    np.testing.assert_allclose(again.pictures[-1], got.pictures[-1], atol=1e-3)
    assert not run(model, matrix, NOISY, steps=1).converged.any()  # one step cannot know


def test_fixed_scores_are_a_fixed_point_at_once() -> None:
    matrix = pattern_matrix(PIXELS)
    scores = -np.abs(NOISY[:, None] - X[None]).sum(axis=2)
    got = run(FixedModel(scores, Separation.parse("softmax"), 1.0, "l1"), matrix, NOISY)
    np.testing.assert_allclose(got.pictures[-1], softmax(scores) @ X, atol=1e-5)
    assert (got.steps == 1).all()
    assert got.converged.all()


def test_a_memory_without_a_direction_attracts_nothing() -> None:
    stored = PIXELS.copy()
    stored[4] = 0
    family = whitening(decompose(stored), (1e-2,))
    rows = stored.reshape(30, -1).astype(np.float32) / 255
    matrix = pattern_matrix(stored)
    model = LinearModel(matrix, Separation.parse("softmax"), 100.0, weight=family.weight, norms=family.norms(rows)[:, 0])
    got = run(model, matrix, NOISY[:3])
    np.testing.assert_array_equal(to_numpy(got.weights).argmax(axis=1), [0, 1, 2])
    assert np.isfinite(got.pictures).all()
