"""The net against its formulas, and what a single token leaves of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from uhop_cli.nn.learning import NetSettings, Samples, SetClassifier
from uhop_cli.nn.sizes import ROLES
from uhop_cli.nn.training import seeded


def test_the_net_is_its_formula(settings: NetSettings, samples: Samples) -> None:
    net = SetClassifier(replace(settings, heads=1, kernel=True))
    tokens, mask = samples.inputs(slice(0, 5))
    assert mask is None
    assert net.pool is not None
    layer = net.pool.hopfield
    with torch.no_grad():
        layer.kernel.weight.normal_()  # type: ignore[union-attr, operator]
        y = tokens @ net.embed.weight.T + net.embed.bias  # type: ignore[operator]
        (wq, bq), (wk, bk), (wv, bv) = (layer.weight_and_bias(role) for role in ("state", "stored", "projection"))
        q = layer.kernel(net.pool.pooling_weights[0]) @ wq.T + bq  # type: ignore[union-attr, misc]
        k, v = layer.kernel(y) @ wk.T + bk, y @ wv.T + bv  # type: ignore[union-attr, misc]
        z = torch.softmax(q @ k.mT / 16**0.5, dim=-1) @ v
        z = layer.out_proj(z[:, 0])  # type: ignore[misc]
        expected = net.head[2](F.layer_norm(F.relu(z), (16,)))  # type: ignore[index]
        assert torch.allclose(net(tokens), expected, atol=1e-5)


def test_controls_are_their_formulas(settings: NetSettings, samples: Samples) -> None:
    tokens, _ = samples.inputs(slice(0, 5))
    mean, flat = (SetClassifier(replace(settings, association=name)) for name in ("mean", "none"))
    with torch.no_grad():
        assert torch.allclose(mean(tokens), mean.head(mean.embed(tokens.mean(dim=1))), atol=1e-5)
        assert torch.allclose(flat(tokens), tokens.flatten(1) @ flat.head.weight.T + flat.head.bias, atol=1e-5)  # type: ignore[operator]
    assert mean.layer is flat.layer is None


@pytest.mark.parametrize("association", ["hopfield", "mean"])
def test_what_is_masked_does_not_matter(association: str, settings: NetSettings, samples: Samples) -> None:
    net = SetClassifier(replace(settings, association=association))
    tokens, _ = samples.inputs(slice(0, 5))
    mask = torch.tensor([True, True, False, True])
    with torch.no_grad():
        expected = net(tokens[:, mask])
        assert torch.allclose(net(tokens, mask.expand(5, -1)), expected, atol=1e-5)
        assert not torch.allclose(net(tokens), expected, atol=1e-3)


def test_a_set_has_no_order(settings: NetSettings, samples: Samples) -> None:
    net = SetClassifier(settings)
    tokens, _ = samples.inputs(slice(0, 5))
    with torch.no_grad():
        assert torch.allclose(net(tokens), net(tokens.flip(1)), atol=1e-5)


def test_arms_of_a_seed_begin_equal(settings: NetSettings, samples: Samples) -> None:
    plain, kernel = (seeded(3, lambda kernel=kernel: SetClassifier(replace(settings, kernel=kernel))) for kernel in (False, True))
    tokens, _ = samples.inputs(slice(None))
    assert all(torch.equal(value, kernel.state_dict()[name]) for name, value in plain.state_dict().items())
    with torch.no_grad():
        assert torch.allclose(plain(tokens), kernel(tokens), atol=1e-6)  # Phi is the identity


@pytest.mark.parametrize("values", ["projection", "stored"])
def test_the_start_of_torch_is_that_of_its_linear_maps(settings: NetSettings, values: str) -> None:
    """Uniform within 1/sqrt(n): the largest of many is close to it, and biases are drawn too."""
    layer = SetClassifier(replace(settings, width=64, start="torch", values=values)).layer  # type: ignore[arg-type]
    assert layer is not None
    assert layer.out_proj is not None
    parts = [*(layer.weight_and_bias(role) for role in ROLES), (layer.out_proj.weight, layer.out_proj.bias)]
    for weight, bias in parts:
        assert weight is not None
        assert bias is not None
        assert 0.99 / 8 < float(weight.detach().abs().max()) <= 1 / 8
        assert 0.8 / 8 < float(bias.detach().abs().max()) <= 1 / 8
    xavier = SetClassifier(replace(settings, width=64, values=values)).layer  # type: ignore[arg-type]
    assert float(xavier.out_proj.bias.detach().abs().max()) == 0  # type: ignore[union-attr]


def test_with_one_token_the_kernel_does_nothing(settings: NetSettings, samples: Samples) -> None:
    """The published setting: softmax over one logit is 1, so W_Q, W_K and Phi take no part."""
    net = SetClassifier(replace(settings, tokens=1, kernel=True))
    tokens, labels = samples.inputs(slice(None))[0][:, :1], samples.labels
    before = net(tokens)
    F.cross_entropy(before, labels).backward()
    assert net.layer is not None
    (wq, _), (wk, _) = (net.layer.weight_and_bias(role) for role in ("state", "stored"))
    assert wq is not None
    assert wk is not None
    rows = net.layer.in_proj_weight.grad  # type: ignore[union-attr]
    assert float(rows[: 2 * 16].abs().max()) < 1e-7  # type: ignore[index]
    assert float(rows[2 * 16 :].abs().max()) > 1e-4  # type: ignore[index]
    kernel = net.layer.kernel
    assert kernel is not None
    assert all(float(parameter.grad.abs().max()) < 1e-7 for parameter in kernel.parameters())  # type: ignore[union-attr]
    with torch.no_grad():
        kernel.weight.normal_()  # type: ignore[operator]
        assert torch.allclose(net(tokens), before, atol=1e-5)


def test_bytes_and_floats_are_the_same_samples() -> None:
    bytes_ = np.arange(24, dtype=np.uint8).reshape(2, 3, 4)
    shift, scale = np.arange(4, dtype=np.float32), np.array([1, 2, 4, 8], np.float32)
    labels, mask = np.array([0, 1]), np.array([[True, True, False], [True, False, False]])
    one = Samples.of(bytes_, labels, mask, shift=shift, scale=scale)
    other = Samples.of((bytes_ / 255).astype(np.float32), labels, mask, shift=shift, scale=scale)
    expected = (bytes_[1] / 255 - shift) / scale
    for samples in (one, other):
        tokens, part = samples.inputs(torch.tensor([1]))
        assert tokens.dtype == torch.float32
        assert np.allclose(tokens[0], expected, atol=1e-6)
        assert part is not None
        assert part.tolist() == [[True, False, False]]
        assert samples.part(torch.tensor([1])).labels.tolist() == [1]
        assert samples.part(torch.tensor([1])).inputs(slice(None))[1].tolist() == [[True, False, False]]  # type: ignore[union-attr]
