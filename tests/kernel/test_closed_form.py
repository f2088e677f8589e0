"""Regularised whitening against its definition, its loss bound, and its streamed and randomised forms."""

from __future__ import annotations

import numpy as np
import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.kernel import closed_form
from uhop_cli.kernel.closed_form import decompose, second_moment, whitening
from uhop_cli.progress import Progress


def patterns(count: int, shape: tuple[int, ...] = (6, 5, 3), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, *shape), dtype=np.uint8)


def average_loss(features: np.ndarray, t: float = 2.0) -> float:
    """log mean over distinct pairs of exp(-t ||f_i - f_j||^2), written out."""
    unit = features / np.linalg.norm(features, axis=1, keepdims=True)
    pairs = [np.sum((unit[i] - unit[j]) ** 2) for i in range(len(unit)) for j in range(i)]
    return float(np.log(np.mean(np.exp(-t * np.array(pairs)))))


@pytest.mark.parametrize("count", [7, 300])  # fewer and more memories than values
def test_singular_values_and_kernels_follow_the_definition(count: int) -> None:
    stored = patterns(count)
    x = stored.reshape(count, -1) / 255.0
    spectrum = decompose(stored)
    s = np.linalg.svd(x, compute_uv=False)
    np.testing.assert_allclose(spectrum.singular, s, rtol=1e-4)
    family = whitening(spectrum, (1e-3, 1e-1), chosen=1)
    unit = 10 * np.sum(s**2) / min(x.shape)
    for member, rho in enumerate((1e-3, 1e-1)):
        _, s, vt = np.linalg.svd(x, full_matrices=False)
        naive = np.diag(s / (s**2 + rho * unit)) @ vt
        expected = x @ naive.T @ naive @ x.T
        features = family.features(x.astype(np.float32), member)
        np.testing.assert_allclose(features @ features.T, expected, atol=2e-4 * expected.max())


def test_rho_to_zero_attains_minus_2t_and_centring_attains_the_bound() -> None:
    stored = patterns(20, (10, 10, 3))
    x = stored.reshape(20, -1).astype(np.float32) / 255
    family = whitening(decompose(stored), (0.0,))
    assert average_loss(family.features(x)) == pytest.approx(-4.0, abs=1e-4)
    mean = family.features(x).mean(axis=0, dtype=np.float64)
    direction = mean / np.linalg.norm(mean)  # Phi' = (I - v v^T) Phi: the regular simplex
    centred = family.weight - np.outer(direction, direction @ family.weight)
    assert average_loss(x @ centred.T.astype(np.float32)) == pytest.approx(-4.0 * 20 / 19, abs=1e-4)


def test_second_moment_is_streamed_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = patterns(200)
    x = stored.reshape(200, -1) / 255.0
    monkeypatch.setattr(closed_form, "CHUNK_BYTES", 4 * 90 * 7)  # seven rows at a time
    seen: list[Progress] = []
    moment = second_moment(stored, seen.append)
    np.testing.assert_allclose(moment, x.T @ x, rtol=1e-5)
    assert (seen[-1].done, seen[-1].total) == (200, 200)
    assert len(seen) == 29


def test_randomised_form_finds_the_leading_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    low_rank = rng.random((300, 12)) @ rng.random((12, 200)) / 12 + 0.05 * rng.random((300, 200))
    exact = decompose(low_rank, feature_dim=12)
    monkeypatch.setattr(closed_form, "EXACT_LIMIT", 50)
    quick = decompose(low_rank, feature_dim=12)
    np.testing.assert_allclose(quick.singular, exact.singular, rtol=1e-4)  # after two passes .001, and .9987 below
    assert quick.mean_eigenvalue == pytest.approx(exact.mean_eigenvalue, rel=1e-4)
    overlap = np.linalg.svd(quick.basis @ exact.basis.T, compute_uv=False)
    assert overlap.min() > 0.9999


def test_basis_is_orthonormal_and_truncation_keeps_the_largest() -> None:
    spectrum = decompose(patterns(40))
    np.testing.assert_allclose(spectrum.basis @ spectrum.basis.T, np.eye(40), atol=1e-4)
    cut = spectrum.truncated(5)
    assert cut.basis.shape == (5, 90)
    assert cut.singular.min() >= spectrum.singular[5:].max()


@pytest.mark.parametrize("seed", range(4))
def test_copies_add_no_direction(seed: int) -> None:
    """The eigenvalues that rounding leaves of them are not taken for directions."""
    stored = np.random.default_rng(seed).integers(0, 256, (12, 6, 5, 3), dtype=np.uint8)
    assert decompose(np.concatenate([stored, stored[:9]])).singular.shape == (12,)


def test_degenerate_memories_are_defined() -> None:
    for count in (1, 3):
        black = whitening(decompose(np.zeros((count, 4, 4, 1), np.uint8)), (1e-2,))
        assert black.weight.shape == (1, 16)
        assert np.isfinite(black.weight).all()
    one = whitening(decompose(patterns(1)))
    assert one.feature_dim == 1
    assert np.isfinite(one.gains).all()
    with pytest.raises(SettingsError, match="no patterns"):
        decompose(np.zeros((0, 4, 4, 1), np.uint8))
    with pytest.raises(SettingsError, match="rho"):
        whitening(decompose(patterns(3)), (-1.0,))


def test_progress_of_the_small_form_reaches_the_end() -> None:
    seen: list[Progress] = []
    decompose(patterns(9), progress=seen.append)
    assert [(step.stage, step.done, step.total) for step in seen] == [("learn", 9, 9)]
