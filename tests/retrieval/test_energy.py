"""The conjugates are what their gradients say, and no map of the engine ever raises its energy."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.energy import conjugate, entropy
from uhop_cli.retrieval.entmax import entmax, softmax

Array = NDArray[np.float64]
Map = Callable[[Array], tuple[Array, Array]]  # state -> (its energy, the next state)
ALPHAS = [1.0, 1.25, 1.5, 2.0]


def unit(rows: Array) -> Array:
    scaled: Array = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return scaled


def random_memories(rng: np.random.Generator) -> Array:
    """2 to 40 patterns of 2 to 30 values, Gaussian or in [0, 1]."""
    shape = (int(rng.integers(2, 40)), int(rng.integers(2, 30)))
    return rng.normal(size=shape) if rng.random() < 0.5 else rng.random(shape)


def drawn_memories(rng: np.random.Generator) -> Array:
    """Pictures of 8x8: smooth blobs and bars in [0, 1], strongly correlated as real images are."""
    y, x = np.mgrid[:8, :8]
    blobs = []
    for _ in range(25):
        cy, cx, width = rng.uniform([0, 0, 1], [7, 7, 4])
        blob = np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / width**2) * rng.uniform(0.3, 1)
        blob[:, : int(rng.integers(0, 3))] += 0.4
        blobs.append(np.clip(blob + rng.uniform(0, 0.3), 0, 1).ravel())
    return np.array(blobs)


@functools.cache
def _sample() -> Array:
    folder = Path(__file__).parents[2] / "sample_data" / "images"
    rows = []
    for path in sorted(folder.rglob("*.png")):
        with Image.open(path) as picture:
            rows.append(np.asarray(picture.convert("L").resize((10, 10)), float).ravel() / 255)
    assert len(rows) > 10
    return np.array(rows)


def sample_pictures(rng: np.random.Generator) -> Array:
    """Twenty of the project's sample pictures, 10x10 grey."""
    return _sample()[rng.permutation(len(_sample()))[:20]]


def energy(quadratic: Array | float, scores: Array, beta: float, alpha: float) -> Array:
    """`quadratic` - Psi*, for the maps in the table at the head of the module."""
    return np.asarray(quadratic - conjugate(scores, beta, alpha))


def raw_kernel(x: Array, w: Array, beta: float, alpha: float) -> Map:
    def step(state: Array) -> tuple[Array, Array]:
        features = state @ w.T
        scores = features @ (x @ w.T).T
        return energy(np.sum(features**2, -1) / 2, scores, beta, alpha), entmax(beta * scores, alpha) @ x

    return step


def features_of(x: Array, w: Array) -> Array:
    return unit(x @ w.T)


def feature_space(f: Array, beta: float, alpha: float) -> Map:
    return raw_kernel(f, np.eye(f.shape[1]), beta, alpha)


def on_the_sphere(f: Array, beta: float, alpha: float) -> Map:
    def step(state: Array) -> tuple[Array, Array]:
        scores = state @ f.T
        return energy(0.0, scores, beta, alpha), unit(entmax(beta * scores, alpha) @ f)

    return step


def squared_distance(x: Array, beta: float, alpha: float) -> Map:
    def step(state: Array) -> tuple[Array, Array]:
        scores = -np.sum((state[:, None] - x) ** 2, -1)
        return energy(0.0, scores, beta, alpha), entmax(beta * scores, alpha) @ x

    return step


def largest_rise(step: Map, state: Array, count: int = 8) -> float:
    """The largest relative rise of the energy over `count` steps."""
    energies = []
    for _ in range(count):
        value, state = step(state)
        energies.append(value)
    trace = np.array(energies)
    return float(np.max(np.diff(trace, axis=0) / np.maximum(1, np.abs(trace[1:]))))


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(-1.5, 2.5), st.sampled_from([random_memories, drawn_memories, sample_pictures]))
def test_no_map_raises_its_energy(seed: int, log_beta: float, memories: Callable[[np.random.Generator], Array]) -> None:
    rng = np.random.default_rng(seed)
    x, beta = memories(rng), 10.0**log_beta
    damaged = np.where(rng.random(x.shape) < 0.5, 0, x)[:6]
    queries = np.concatenate([damaged + 1e-3, rng.normal(size=(4, x.shape[1]))])
    w = rng.normal(size=(int(rng.integers(1, 30)), x.shape[1]))
    f, z = features_of(x, w), unit(queries @ w.T)
    for alpha in ALPHAS:
        assert largest_rise(raw_kernel(x, w, beta, alpha), queries) < 1e-12
        assert largest_rise(raw_kernel(x, np.eye(x.shape[1]), beta, alpha), queries) < 1e-12
        assert largest_rise(feature_space(f, beta, alpha), z) < 1e-12
        assert largest_rise(squared_distance(x, beta, alpha), queries) < 1e-12
        if np.all(np.linalg.norm(f.mean(axis=0)) > 1e-3):  # a weighted mean of zero has no direction
            assert largest_rise(on_the_sphere(f, beta, alpha), z) < 1e-12


def test_re_embedding_the_pixel_average_does_raise_it() -> None:
    """The counterexample that keeps the law above from being empty: with normalised features this is another map."""
    rng = np.random.default_rng(1)
    rises = 0
    for _ in range(60):
        x = random_memories(rng)
        w = rng.normal(size=(12, x.shape[1]))
        f = features_of(x, w)

        def step(z: Array, f: Array = f, x: Array = x, w: Array = w) -> tuple[Array, Array]:
            scores = z @ f.T
            return energy(0.0, scores, 3.0, 1.0), unit(entmax(3.0 * scores, 1.0) @ x @ w.T)

        rises += largest_rise(step, unit(rng.normal(size=(8, 12)))) > 1e-6
    assert rises > 5


@pytest.mark.parametrize("alpha", [*ALPHAS, 1.001, 3.0])
@pytest.mark.parametrize("beta", [0.3, 1.0, 7.0])
def test_the_gradient_of_the_conjugate_is_the_weights(alpha: float, beta: float) -> None:
    rng = np.random.default_rng(2)
    z, h = rng.normal(size=(5, 9)), 1e-6
    shifted = np.stack([conjugate(z + h * e, beta, alpha) - conjugate(z - h * e, beta, alpha) for e in np.eye(9)], axis=-1) / (
        2 * h
    )
    np.testing.assert_allclose(shifted, entmax(beta * z, alpha), atol=1e-5)


def test_the_printed_conjugate_of_alpha_two_is_beta_times_ours() -> None:
    """U-Hop eq. 2.3: (||b z||^2 - ||p - b z||^2 + 1) / 2, whose gradient is b sparsemax(b z), not sparsemax(b z)."""
    rng = np.random.default_rng(3)
    z = rng.normal(size=(6, 8))
    for beta in (0.5, 1.0, 4.0):
        p = entmax(beta * z, 2.0)
        printed = (np.sum((beta * z) ** 2, -1) - np.sum((p - beta * z) ** 2, -1) + 1) / 2
        np.testing.assert_allclose(printed, beta * conjugate(z, beta, 2.0), atol=1e-12)


def test_known_values() -> None:
    np.testing.assert_allclose(conjugate(np.log([1.0, 3]), 1.0, 1.0), np.log(4))
    np.testing.assert_allclose(conjugate(np.log([1.0, 3]), 2.0, 1.0), np.log(10) / 2)
    # sparsemax((1, .5)) = (.75, .25): .875 + (1 - .625) / 2
    np.testing.assert_allclose(conjugate(np.array([1.0, 0.5]), 1.0, 2.0), 1.0625)
    np.testing.assert_allclose(entropy(np.array([0.5, 0.5, 0]), 1.0), np.log(2))
    np.testing.assert_allclose(entropy(np.array([0.75, 0.25, 0]), 2.0), 0.1875)
    np.testing.assert_allclose(entropy(np.full(4, 0.25), 1.5), (1 - 4 * 0.125) / 0.75)


def test_the_entropies_go_over_into_each_other() -> None:
    p = np.random.default_rng(4).dirichlet(np.ones(6), size=5)
    np.testing.assert_allclose(entropy(p, 1 + 1e-7), entropy(p, 1.0), rtol=1e-6)
    np.testing.assert_allclose(entropy(p[:, :2], 1.5) + entropy(p[:, 2:], 1.5), entropy(p, 1.5))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_memory_at_minus_infinity_takes_no_part(alpha: float) -> None:
    z = np.random.default_rng(5).normal(size=(4, 6))
    padded = np.concatenate([z, np.full((4, 2), -np.inf)], axis=1)
    np.testing.assert_allclose(conjugate(padded, 2.0, alpha), conjugate(z, 2.0, alpha))
    np.testing.assert_allclose(conjugate(z + 100, 2.0, alpha), conjugate(z, 2.0, alpha) + 100)


def test_beta_has_to_be_positive_and_finite() -> None:
    for beta in (0.0, -1.0, np.inf, np.nan):
        with pytest.raises(SettingsError, match="beta"):
            conjugate(np.zeros(3), beta, 1.0)


def test_numpy_and_torch_agree() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(6)
    z = rng.normal(size=(5, 20)).astype(np.float32)
    calls: dict[str, Callable[[Any], Any]] = {
        **{f"conjugate {a}": lambda z, a=a: conjugate(z, 3.0, a) for a in ALPHAS},
        **{f"entropy {a}": lambda z, a=a: entropy(entmax(z, a), a) for a in ALPHAS},
    }
    for name, call in calls.items():
        np.testing.assert_allclose(call(torch.from_numpy(z)).numpy(), call(z), rtol=2e-5, atol=1e-5, err_msg=name)


def test_the_conjugate_of_softmax_from_its_weights() -> None:
    scores = np.random.default_rng(0).normal(size=(5, 40))
    for beta in (0.1, 3.0, 1e4):
        expected = conjugate(scores, beta, 1.0)
        np.testing.assert_allclose(conjugate(scores, beta, 1.0, softmax(beta * scores)), expected, rtol=1e-12)
