"""Layer norms multiplied into the projections: one product for one input."""

from __future__ import annotations

import torch
from torch import nn

from uhop_cli.nn import Hopfield


def test_one_product_equals_three() -> None:
    layer = Hopfield(6, num_heads=2).double()
    for parameter in layer.parameters():
        nn.init.normal_(parameter)
    x = torch.randn(2, 5, 6, dtype=torch.float64)
    for _ in range(2):
        for ours, theirs in zip(layer.project(x, None, None), layer.project(x, x.clone(), x.clone()), strict=True):
            assert (ours - theirs).abs().max() < 1e-12
        layer.norm_state_pattern = nn.LayerNorm(6, elementwise_affine=False).double()  # a norm without weights among the others


def test_norms_of_different_eps_are_taken_apart() -> None:
    layer = Hopfield(6)
    layer.norm_state_pattern = nn.LayerNorm(6, eps=1.0)
    x = 0.1 * torch.randn(2, 5, 6)
    assert torch.equal(layer.project(x, None, None)[0], layer.project(x, x.clone(), None)[0])
    assert not torch.allclose(layer.project(x, None, None)[0], Hopfield.project(Hopfield(6), x, None, None)[0], atol=1e-3)


def test_learned_states_serve_all_samples() -> None:
    layer = Hopfield(6, num_heads=2)
    stored, state = torch.randn(3, 5, 6), torch.randn(1, 2, 6)
    assert torch.allclose(layer(stored, state), layer(stored, state.expand(3, -1, -1)), atol=1e-6)
    assert torch.allclose(layer(state, stored), layer(state.expand(3, -1, -1), stored), atol=1e-6)
