"""The net: shapes, gradients, and what its settings mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from uhop_cli.errors import SettingsError
from uhop_cli.nn import Alternation, FeatureMap
from uhop_cli.nn.stanhop import QUIRKS, STanHopNet

MakeNet = Callable[..., STanHopNet]

VARIANTS: list[dict[str, Any]] = [
    {},
    {"kernel": True},
    {"scales": 3, "standardise": True, "look_back": 20},  # 5, 3 and 2 tokens
    {"look_back": 13, "horizon": 5, "series": 3},
    {"published": tuple(QUIRKS), "scales": 2},
    *({"published": (name,), "kernel": True, "scales": 2} for name in QUIRKS),
]


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_parameter_gets_a_gradient(variant: dict[str, Any], make_net: MakeNet) -> None:
    net = make_net(**variant)
    sizes = net.settings
    forecast = net(torch.randn(3, sizes.look_back, sizes.series))
    assert forecast.shape == (3, sizes.horizon, sizes.series)
    forecast.square().sum().backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_a_forecast_does_not_depend_on_the_other_windows(make_net: MakeNet) -> None:
    net, past = make_net(scales=2, kernel=True).eval(), torch.randn(4, 12, 2)
    assert torch.allclose(net(past)[2], net(past[2:3])[0], atol=1e-5)


def test_the_kernel_starts_as_nothing(make_net: MakeNet) -> None:
    """Arms of one seed begin as one function: Phi is the identity, and draws no random number."""
    plain, kernel = make_net().eval(), make_net(kernel=True).eval()
    past = torch.randn(4, 12, 2)
    assert torch.allclose(plain(past), kernel(past), atol=1e-6)
    shared = plain.state_dict()
    extra = {name for name in kernel.state_dict() if name not in shared}
    assert all(torch.equal(kernel.state_dict()[name], value) for name, value in shared.items())
    assert {name.split(".")[-2] for name in extra} == {"kernel"}


def test_every_association_has_a_kernel_of_its_own(make_net: MakeNet) -> None:
    net = make_net(kernel=True)
    kernels = [module for module in net.modules() if isinstance(module, FeatureMap)]
    assert len(kernels) == 3 + 2 * (3 + 1)  # three a block, one block in the encoder, two in the decoder, and its look-ups


def test_algorithm_2_moves_phi_alone(make_net: MakeNet) -> None:
    net = make_net(kernel=True)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    Alternation(net).step(torch.randn(3, 12, 2))
    moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert all(".kernel." in name for name in moved)


def test_standardised_windows_may_be_moved_and_stretched(make_net: MakeNet) -> None:
    net, past = make_net(standardise=True).eval(), torch.randn(3, 12, 2)
    scale, level = torch.tensor([2.0, 0.5]), torch.tensor([1.0, -3.0])
    assert torch.allclose(net(past * scale + level), net(past) * scale + level, atol=1e-4)
    assert torch.isfinite(net(torch.ones(1, 12, 2))).all()


def test_what_lies_before_the_first_value_is_that_value(make_net: MakeNet) -> None:
    longer, shorter = make_net(look_back=12).eval(), make_net(look_back=10).eval()
    past = torch.randn(2, 10, 2)
    assert torch.allclose(shorter(past), longer(torch.cat([past[:, :1], past[:, :1], past], dim=1)), atol=1e-6)


def test_other_windows_are_refused(make_net: MakeNet) -> None:
    with pytest.raises(SettingsError, match="must be"):
        make_net()(torch.randn(3, 11, 2))
