"""Phi: starts, whitening, normalised features, the kernel of a memory file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import uhop_cli
from uhop_cli.errors import SettingsError
from uhop_cli.kernel.closed_form import decompose, whitening
from uhop_cli.nn import FeatureMap, separation_loss
from uhop_cli.nn.losses import cosines


def test_starts() -> None:
    x = torch.randn(5, 4)
    assert torch.equal(FeatureMap(4)(x), x)
    assert FeatureMap(4, 6)(x).shape == (5, 6)
    orthogonal = FeatureMap(4, 3, "orthogonal", bias=False).weight
    assert torch.allclose(orthogonal @ orthogonal.T, torch.eye(3), atol=1e-6)
    gaussian = FeatureMap(100, 400, "gaussian")
    assert (gaussian.weight.var() * 100 - 1).abs() < 0.1
    with pytest.raises(SettingsError):
        FeatureMap(4, init="zeros")  # type: ignore[arg-type]
    with pytest.raises(SettingsError):
        FeatureMap(0)


def test_normalised_features() -> None:
    phi = FeatureMap(3, normalize=True)
    assert torch.allclose(phi(torch.tensor([[0.0, 3, 4], [0, 0, 0]])), torch.tensor([[0, 0.6, 0.8], [0, 0, 0]]))


def test_whitening_is_the_closed_form_of_stage_one() -> None:
    x = np.random.default_rng(0).random((30, 6)).astype(np.float32)
    phi = FeatureMap(6, normalize=True).double()
    with torch.no_grad():
        assert phi.bias is not None
        phi.bias.fill_(3)
    phi.whiten_(torch.tensor(x)[None], rho=1e-3)
    expected = whitening(decompose(x), (1e-3,)).features(x)
    found = cosines(phi(torch.tensor(x, dtype=torch.float64)))
    assert (found - cosines(torch.tensor(expected, dtype=torch.float64))).abs().max() < 1e-4
    plain = FeatureMap(6).whiten_(torch.tensor(x), rho=1e-3)(torch.tensor(x))
    assert plain.square().mean().item() == pytest.approx(float(np.square(x).mean()), rel=1e-4)


def test_whitening_separates() -> None:
    x = torch.randn(4, 5, 16) + 3
    phi = FeatureMap(16, 20)
    before = separation_loss(phi(x).flatten(0, 1))
    assert separation_loss(phi.whiten_(x, rho=1e-5)(x).flatten(0, 1)) < before - 1
    assert phi.weight[16:].abs().max() == 0
    with pytest.raises(SettingsError):
        phi.whiten_(x, rho=-1.0)
    with pytest.raises(SettingsError):
        phi.whiten_(x[..., :3])


def test_kernel_of_a_memory_file(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (12, 4, 4), dtype=np.uint8)
    memory = uhop_cli.learn(images)
    uhop_cli.save(memory, tmp_path / "m.safetensors")
    phi = FeatureMap.from_memory(tmp_path / "m.safetensors")
    x = images.reshape(12, 16) / np.float32(255)
    z = memory.kernel.features(x)
    assert np.abs(phi(torch.tensor(x)).detach().numpy() - z / np.linalg.norm(z, axis=1, keepdims=True)).max() < 1e-5
    with pytest.raises(uhop_cli.UhopError):
        FeatureMap.from_memory(tmp_path / "none.safetensors")
