"""Layers with learned patterns are `Hopfield` called with them."""

from __future__ import annotations

import pytest
import torch

from uhop_cli.errors import SettingsError
from uhop_cli.nn import HopfieldLayer, HopfieldPooling


def test_pooling() -> None:
    pooling = HopfieldPooling(6, num_heads=2, output_size=4, quantity=3)
    stored = torch.randn(2, 5, 6)
    keys = torch.tensor([[True] * 5, [True, True, False, False, False]])
    output = pooling(stored, mask=keys)
    assert output.shape == (2, 12)
    expected = pooling.hopfield(stored, pooling.pooling_weights.expand(2, -1, -1), mask=keys)
    assert torch.allclose(output, expected.reshape(2, 12), atol=1e-6)
    maps = pooling.associations(stored, mask=keys)
    assert maps.shape == (2, 2, 3, 5)
    assert maps[1, :, :, 2:].abs().max() == 0
    assert pooling.energy(stored).shape == (2, 2, 3)


def test_layer() -> None:
    layer = HopfieldLayer(6, quantity=4, separate_targets=True, stored_pattern_size=5, pattern_projection_size=3, output_size=2)
    state = torch.randn(2, 3, 6)
    assert layer(state).shape == (2, 3, 2)
    assert layer.associations(state).shape == (2, 1, 3, 4)
    assert layer.energy(state).shape == (2, 1, 3)
    expected = layer.hopfield(layer.lookup_weights.expand(2, -1, -1), state, layer.target_weights.expand(2, -1, -1))  # type: ignore[union-attr]
    assert torch.allclose(layer(state), expected, atol=1e-6)
    assert HopfieldLayer(6, quantity=4).target_weights is None


def test_frozen_patterns() -> None:
    frozen = HopfieldLayer(6, quantity=2, separate_targets=True, trainable=False, targets_trainable=False)
    assert not frozen.lookup_weights.requires_grad
    assert not frozen.target_weights.requires_grad  # type: ignore[union-attr]
    assert not HopfieldPooling(6, trainable=False).pooling_weights.requires_grad
    with pytest.raises(SettingsError, match="targets"):
        HopfieldLayer(6, targets_trainable=False)
    with pytest.raises(SettingsError, match="at least one"):
        HopfieldPooling(6, quantity=0)
