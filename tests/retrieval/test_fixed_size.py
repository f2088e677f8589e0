"""The fixed-size models equal their sums over memories, and their state does not grow."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.entmax import softmax
from uhop_cli.retrieval.fixed_size import FixedSizeMemory, LinearMemory, RandomFeatureMemory, orthogonal_gaussians

Array = NDArray[Any]
MODELS: dict[str, Callable[[int], FixedSizeMemory]] = {
    "linear": LinearMemory,
    "random features": lambda d: RandomFeatureMemory(d, 2.0, 50),
}
ALL = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


def patterns(count: int = 30, dim: int = 8, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(count, dim))


def naive(make: Callable[[int], FixedSizeMemory], x: Array, memories: Array) -> Array:
    """Ten lines: the feature map in place, memory by memory."""
    model = make(memories.shape[1])

    def psi(u: Array) -> Array:
        if isinstance(model, RandomFeatureMemory):
            v = 2.0**0.5 * u
            return np.exp(model.omegas @ v - v @ v / 2)
        return np.array([value + 1 if value > 0 else np.exp(value) for value in u])

    weights = np.array([psi(x) @ psi(m) for m in memories])
    return weights @ memories / weights.sum()


@ALL
def test_equals_the_sum_over_memories(make: Callable[[int], FixedSizeMemory]) -> None:
    memory, queries = make(8), patterns(5, seed=1)
    memory.write(patterns())
    np.testing.assert_allclose(memory.read(queries), [naive(make, x, patterns()) for x in queries], rtol=1e-9, atol=1e-12)


@ALL
def test_the_weights_of_the_written_patterns_read_out_the_same_picture(make: Callable[[int], FixedSizeMemory]) -> None:
    memory, queries = make(8), patterns(5, seed=1)
    memory.write(patterns())
    weights = memory.weights_of(queries, memory.lift(patterns()))
    assert weights.shape == (5, 30)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(weights @ patterns(), memory.read(queries), rtol=1e-9, atol=1e-12)


def test_independent_features_are_gaussian_and_come_from_the_seed() -> None:
    one, same, other = (RandomFeatureMemory(64, features=200, seed=seed, orthogonal=False).omegas for seed in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert abs(one.mean()) < 0.05
    assert abs(one.std() - 1) < 0.05
    assert np.abs(one[:64] @ one[:64].T - np.diag(np.square(one[:64]).sum(axis=1))).max() > 1  # not orthogonal


@ALL
def test_writing_in_parts_is_writing_at_once(make: Callable[[int], FixedSizeMemory], monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts, chunked = make(8), make(8), make(8)
    whole.write(patterns())
    for start in range(0, 30, 7):
        parts.write(patterns()[start : start + 7])
    monkeypatch.setattr("uhop_cli.retrieval.fixed_size.WRITE_VALUES", 100)
    chunked.write(patterns())
    queries = patterns(4, seed=2)
    np.testing.assert_allclose(parts.read(queries), whole.read(queries), atol=1e-12)
    np.testing.assert_allclose(chunked.read(queries), whole.read(queries), atol=1e-12)


@ALL
def test_the_state_does_not_grow(make: Callable[[int], FixedSizeMemory]) -> None:
    memory = make(8)
    sizes = []
    for _ in range(3):
        memory.write(patterns(100))
        sizes.append(sum(value.size for value in vars(memory).values() if isinstance(value, np.ndarray)))
    assert sizes[0] == sizes[1] == sizes[2]


@ALL
def test_the_result_is_a_mean_of_the_memories(make: Callable[[int], FixedSizeMemory]) -> None:
    memory = make(8)
    memory.write(np.ones((3, 8)))
    np.testing.assert_allclose(memory.read(patterns()), 1)


@ALL
def test_numpy_and_torch_agree(make: Callable[[int], FixedSizeMemory]) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = make(8), make(8)
    rows = patterns().astype(np.float32)
    ours.write(rows[:20])
    theirs.write(torch.from_numpy(rows[:20]))
    np.testing.assert_allclose(theirs.read(torch.from_numpy(rows[20:])).numpy(), ours.read(rows[20:]), rtol=1e-4, atol=1e-5)


def test_random_features_estimate_the_softmax_model() -> None:
    rng = np.random.default_rng(3)
    memories = rng.normal(size=(20, 16))
    memories /= np.linalg.norm(memories, axis=1, keepdims=True)
    queries = memories[:6] + 0.1 * rng.normal(size=(6, 16))
    expected = softmax(0.5 * queries @ memories.T) @ memories
    errors = []
    for features in (100, 1000, 10_000):
        memory = RandomFeatureMemory(16, 0.5, features, seed=4)
        memory.write(memories)
        errors.append(np.abs(memory.read(queries) - expected).max())
    assert errors[2] < 0.02
    assert errors[2] < errors[0] / 3


def test_orthogonal_blocks_estimate_better_than_independent_vectors() -> None:
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(2, 24)) / 24**0.5

    def spread(draw: Callable[[int], Array]) -> float:
        means = [np.mean(np.exp(w @ x - x @ x / 2 + w @ y - y @ y / 2)) for w in map(draw, range(400))]
        assert abs(np.mean(means) - np.exp(x @ y)) < 4 * np.std(means) / 20  # unbiased
        return float(np.var(means))

    blocks = spread(lambda seed: orthogonal_gaussians(48, 24, seed))
    assert blocks < 0.9 * spread(lambda seed: np.random.default_rng(1000 + seed).normal(size=(48, 24)))


def test_large_exponents_neither_overflow_nor_vanish() -> None:
    """Norms of 30 and beta 4 have exponents of thousands; a linear-space sum is 0/0 here."""
    memories = 30 * np.eye(12)[:4].astype(np.float32)
    memory = RandomFeatureMemory(12, 4.0, 300)
    for row in memories:
        memory.write(row[None])
    found = memory.read(memories * np.float32(0.9))
    assert np.all(np.isfinite(found))
    np.testing.assert_array_less(found, 30.001)


def test_features_are_those_of_seed_0_in_orthogonal_blocks_with_beta_1_unless_asked_otherwise() -> None:
    np.testing.assert_array_equal(RandomFeatureMemory(20).omegas, orthogonal_gaussians(59, 20, 0))  # 20 ln 20 = 59.9
    independent = RandomFeatureMemory(3, features=2, orthogonal=False).omegas
    np.testing.assert_allclose(independent, [[1.11762, -1.38712, -0.42657], [-0.80359, 0.60143, -0.07499]], atol=1e-5)
    assert RandomFeatureMemory(3).beta == 1


def test_features_by_default() -> None:
    assert RandomFeatureMemory(100).features == 460
    assert RandomFeatureMemory(1).features == 1
    gaussians = orthogonal_gaussians(50, 20, 0)
    assert gaussians.shape == (50, 20)
    for start, stop in ((0, 20), (20, 40), (40, 50)):
        gram = gaussians[start:stop] @ gaussians[start:stop].T
        np.testing.assert_allclose(gram - np.diag(np.diagonal(gram)), 0, atol=1e-10)


@ALL
def test_what_does_not_fit_is_refused(make: Callable[[int], FixedSizeMemory]) -> None:
    with pytest.raises(SettingsError, match="nothing has been written"):
        make(8).read(patterns())
    with pytest.raises(SettingsError, match="rows of 8"):
        make(8).write(patterns(3, 7))
    with pytest.raises(SettingsError, match="beta"):
        RandomFeatureMemory(8, 0.0)
    for dim, features, beta in ((0, None, 1.0), (0, 5, 1.0), (8, 0, 1.0), (8, 5, -1.0), (8, 5, math.inf)):
        with pytest.raises(SettingsError, match="random features need"):
            RandomFeatureMemory(dim, beta, features)
    with pytest.raises(SettingsError, match="at least one"):
        LinearMemory(0)
