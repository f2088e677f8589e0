"""Where W starts, how its rows are normalised, and the compression that loses nothing."""

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.kernel.feature_map import KernelFamily, compress, initial_weight, normalise_rows


def test_initial_weights() -> None:
    rng = np.random.default_rng(0)
    gaussian = initial_weight("gaussian", 60, 400, rng)
    assert gaussian.shape == (60, 400)
    assert gaussian.dtype == np.float32
    assert abs(gaussian.mean()) < 0.03
    assert gaussian.std() == pytest.approx(1.0, abs=0.03)
    for rows, columns in [(5, 9), (9, 5), (7, 7)]:
        weight = initial_weight("orthogonal", rows, columns, rng, np.float64)
        short = weight @ weight.T if rows <= columns else weight.T @ weight
        np.testing.assert_allclose(short, np.eye(min(rows, columns)), atol=1e-12)
    patterns = rng.random((4, 6))
    np.testing.assert_array_equal(patterns @ initial_weight("identity", 6, 6, rng, np.float64).T, patterns)
    assert initial_weight("identity", 8, 6, rng).shape == (8, 6)


def test_orthogonal_weights_favour_no_direction() -> None:
    """QR alone fixes the signs of the triangle and so half of the sphere for the first column."""
    first = [initial_weight("orthogonal", 3, 3, np.random.default_rng(seed), np.float64)[0, 0] for seed in range(200)]
    assert 60 < sum(value > 0 for value in first) < 140


@pytest.mark.parametrize(("kind", "rows", "columns"), [("uniform", 3, 3), ("gaussian", 0, 3), ("identity", 3, 0)])
def test_weights_that_make_no_sense_are_refused(kind: str, rows: int, columns: int) -> None:
    with pytest.raises(SettingsError):
        initial_weight(kind, rows, columns, np.random.default_rng(0))  # type: ignore[arg-type]


def test_rows_of_length_one() -> None:
    weight = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]], np.float32)
    np.testing.assert_allclose(normalise_rows(weight), [[0.6, 0.8], [0, 0], [0, -1]], atol=1e-7)
    assert normalise_rows(weight).dtype == np.float32


@pytest.mark.parametrize(("memories", "dim", "feature_dim"), [(6, 20, 20), (6, 20, 4), (20, 6, 15), (5, 9, 30), (9, 9, 9)])
def test_compression_keeps_every_kernel_value_of_a_memory(memories: int, dim: int, feature_dim: int) -> None:
    rng = np.random.default_rng(memories)
    weight, patterns = rng.standard_normal((feature_dim, dim)), rng.random((memories, dim))
    patterns[-1] = patterns[0]
    queries = rng.standard_normal((8, dim))
    short = compress(weight, patterns)
    assert short.shape == (min(memories, dim, feature_dim), dim)
    full = (patterns @ weight.T) @ (queries @ weight.T).T
    np.testing.assert_allclose((patterns @ short.T) @ (queries @ short.T).T, full, atol=1e-10)
    inside = np.linalg.norm(queries @ short.T, axis=1)
    assert (inside <= np.linalg.norm(queries @ weight.T, axis=1) + 1e-9).all()


def test_the_members_of_a_family_are_rescalings_of_one_map() -> None:
    rng = np.random.default_rng(0)
    weight, patterns = rng.standard_normal((4, 7)).astype(np.float32), rng.random((5, 7)).astype(np.float32)
    gains = np.stack([np.ones(4), [2, 1, 1, 0.5]]).astype(np.float32)
    family = KernelFamily(weight, gains, (1e-3, 1e-2), 0)
    scaled = patterns @ weight.T * gains[1]
    np.testing.assert_allclose(family.features(patterns, 1), scaled, rtol=1e-5)
    np.testing.assert_allclose(family.norms(patterns)[:, 1], np.linalg.norm(scaled, axis=1), rtol=1e-5)
    probes, norms = family.probes(patterns)
    np.testing.assert_allclose(patterns @ probes[1].T, scaled @ scaled.T, rtol=1e-4)
    np.testing.assert_allclose(norms[1], np.linalg.norm(scaled, axis=1), rtol=1e-5)
    other = family.with_chosen(1)
    np.testing.assert_allclose(other.features(patterns), scaled, rtol=1e-5)
    np.testing.assert_allclose(other.features(patterns, 0), patterns @ weight.T, rtol=1e-5)
    single = KernelFamily.explicit(weight)
    assert (single.members, single.feature_dim, single.pattern_dim) == (1, 4, 7)
