"""Feature maps in place of the exponential kernel."""

from __future__ import annotations

import math

import torch

from uhop_cli.nn.random_features import block_orthogonal, feature_read, feature_weights, lifted


def test_linear_by_hand() -> None:
    q, k = torch.tensor([[[[1.0]]]]), torch.tensor([[[[0.0], [1.0], [-1.0]]]])
    states, patterns = lifted(q, k, None, None)
    assert torch.allclose(patterns[0, 0, :, 0], torch.tensor([1, 2, math.exp(-1)]))
    weights = feature_weights(states, patterns, None)[0, 0, 0]
    assert torch.allclose(weights, torch.tensor([1.0, 2, math.exp(-1)]) / (3 + math.exp(-1)))


def test_read_equals_weights_and_masks_keys() -> None:
    q, k, v = (torch.randn(2, 2, n, 4, dtype=torch.float64) for n in (3, 5, 5))
    keys = torch.tensor([[True, True, False, True, True], [False] * 5])[:, None, None]
    for omegas in (None, block_orthogonal(16, 4)):
        for here in (None, keys):
            pair = lifted(q, k, omegas, here)
            read = feature_read(*pair, v)
            assert (read - feature_weights(*pair, None) @ v).abs().max() < 1e-12
            if here is not None:
                assert read[1].abs().max() == 0
                assert (
                    read[0] - feature_read(*lifted(q, k[:, :, [0, 1, 3, 4]], omegas, None), v[:, :, [0, 1, 3, 4]])[0]
                ).abs().max() < 1e-12


def test_float_mask_multiplies_as_in_softmax() -> None:
    q, k = torch.randn(1, 1, 2, 3), torch.randn(1, 1, 4, 3)
    mask = torch.randn(1, 1, 2, 4)
    pair = lifted(q, k, None, None)
    expected = (pair[0] @ pair[1].mT) * mask.exp()
    assert torch.allclose(feature_weights(*pair, mask), expected / expected.sum(-1, keepdim=True))


def test_random_features_estimate_softmax() -> None:
    q, k = 0.3 * torch.randn(1, 1, 6, 8, dtype=torch.float64), 0.3 * torch.randn(1, 1, 10, 8, dtype=torch.float64)
    weights = feature_weights(*lifted(q, k, block_orthogonal(20_000, 8), None), None)
    assert (weights - (q @ k.mT).softmax(-1)).abs().max() < 0.01


def test_large_exponents_do_not_overflow() -> None:
    q, k = 30 * torch.randn(1, 1, 3, 4), 30 * torch.randn(1, 1, 5, 4)
    assert torch.isfinite(feature_weights(*lifted(q, k, block_orthogonal(8, 4), None), None)).all()


def test_blocks_are_orthogonal() -> None:
    omegas = block_orthogonal(7, 4)
    gram = omegas @ omegas.T
    assert omegas.shape == (7, 4)
    assert (gram[:4, :4] - gram[:4, :4].diagonal().diag()).abs().max() < 1e-5
    assert (block_orthogonal(4000, 4).square().sum(1).mean() - 4).abs() < 0.3
