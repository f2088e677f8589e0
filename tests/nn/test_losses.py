"""Separation losses of sequences: by hand, equal to the kernel's own, masks."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from uhop_cli.errors import SettingsError
from uhop_cli.kernel.losses import LOSSES
from uhop_cli.nn import separation_loss
from uhop_cli.nn.losses import SHARPNESS, Kind, cosines, measure

DOUBLE = torch.float64


def test_by_hand() -> None:
    right = torch.tensor([[3.0, 0.0], [0.0, 0.5]])  # two tokens at a right angle
    near = torch.tensor([[1.0, 0.0], [1.0, math.sqrt(3.0)]])  # cosine 1/2
    assert separation_loss(right, "average").item() == pytest.approx(-4)
    assert separation_loss(right, "orthogonal").item() == pytest.approx(-4)
    assert separation_loss(near, "average", t=1.0).item() == pytest.approx(-1)
    assert separation_loss(near, "orthogonal", t=1.0).item() == pytest.approx(-1.5)
    assert separation_loss(near, "max", t=3.0).item() == pytest.approx(-3)
    assert separation_loss(near, "temperature").item() == pytest.approx(0.5)
    three = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 2.0]])  # cosines 0, 0, 1
    assert separation_loss(three, "average").item() == pytest.approx(math.log((1 + 2 * math.exp(-4)) / 3))


@pytest.mark.parametrize("kind", SHARPNESS)
def test_equals_the_loss_of_memories(kind: Kind) -> None:
    features = torch.randn(3, 7, 5, dtype=DOUBLE, requires_grad=True)
    found = separation_loss(features, kind)
    z = features.detach().numpy()
    norms = np.linalg.norm(z, axis=-1, keepdims=True)
    unit = z / norms
    value, pairs = LOSSES[kind]().measure(unit @ unit.transpose(0, 2, 1))
    slopes = pairs @ unit
    slopes = (slopes - (slopes * unit).sum(-1, keepdims=True) * unit) / norms
    assert np.abs(found.detach().numpy() - value).max() < 1e-12
    found.sum().backward()
    assert features.grad is not None
    assert np.abs(features.grad.numpy() - slopes).max() < 1e-12


@pytest.mark.parametrize("kind", SHARPNESS)
def test_masked_tokens_do_not_count(kind: Kind) -> None:
    features = torch.randn(3, 6, 4, dtype=DOUBLE, requires_grad=True)
    mask = torch.tensor([[1, 0, 1, 1, 0, 1], [0, 0, 1, 0, 0, 0], [1] * 6], dtype=torch.bool)
    found = separation_loss(features, kind, mask=mask)
    assert torch.allclose(found[0], separation_loss(features[0, mask[0]], kind))
    assert found[1] == 0  # one token has no pair
    assert torch.allclose(found[2], separation_loss(features[2], kind))
    found.sum().backward()
    assert features.grad is not None
    assert features.grad[1].abs().max() == 0
    assert features.grad[0, ~mask[0]].abs().max() == 0
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("kind", SHARPNESS)
def test_gradcheck(kind: Kind) -> None:
    features = torch.randn(2, 4, 3, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: separation_loss(z, kind, 1.3), (features,))


def test_empty_and_half_precision_features() -> None:
    z = torch.randn(1, 3, 4, requires_grad=True)
    loss = separation_loss(z * torch.tensor([[1.0], [0.0], [1.0]]))
    loss.sum().backward()
    assert z.grad is not None
    assert torch.isfinite(z.grad).all()
    assert cosines(torch.zeros(2, 3)).abs().max() == 0
    with torch.autocast("cpu", torch.bfloat16):
        assert separation_loss(z.bfloat16()).dtype == torch.float32


@pytest.mark.parametrize("t", [0.0, -1.0, math.inf])
def test_refused_sharpness(t: float) -> None:
    with pytest.raises(SettingsError, match="positive"):
        separation_loss(torch.randn(2, 3), t=t)


def test_refused() -> None:
    with pytest.raises(SettingsError, match="unknown separation loss"):
        separation_loss(torch.randn(2, 3), "mean")  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="no pairs"):
        separation_loss(torch.randn(5, 1, 3))
    with pytest.raises(SettingsError, match="a mask of"):
        separation_loss(torch.randn(5, 4, 3), mask=torch.ones(5, 3, dtype=torch.bool))


def test_measures_of_a_code() -> None:
    square = torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]])
    found = measure(
        torch.stack([square, torch.tensor([[1.0, 0], [0.0, 2], [1, 1], [1, 0]])]), torch.tensor([[True] * 4, [1, 1, 0, 0]]) > 0
    )
    assert found.tokens.tolist() == [4, 2]
    assert found.separation.tolist() == pytest.approx([1, 1])
    assert found.mean_separation.tolist() == pytest.approx([(4 * 1 + 2 * 2) / 6, 1])
    assert found.best.tolist() == pytest.approx([1, 2])
    assert found.temperature_loss[1].item() == pytest.approx(0, abs=1e-6)


def test_the_sharpest_loss_is_finite() -> None:
    """At t = 1e4 only the nearest pair counts: log mean is 2t (cos - 1) of it, less the log of the number of pairs."""
    z = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]], dtype=torch.float64, requires_grad=True)
    loss = separation_loss(z, "average", t=1e4)
    assert loss.item() == pytest.approx(-2e4 + math.log(4 / 6))
    loss.backward()
    assert bool(torch.isfinite(z.grad).all())
