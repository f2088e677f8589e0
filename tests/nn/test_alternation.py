"""Algorithm 2: what moves, what doesn't, and that it goes on after save and load."""

from __future__ import annotations

import io

import pytest
import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn import Alternation, FeatureMap, Hopfield, HopfieldPooling, separation_loss


class Net(nn.Module):
    """A trunk with dropout and running statistics, a layer with a kernel, a pooling with one, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 8), nn.Dropout(0.3), nn.ReLU())
        self.scale = nn.BatchNorm1d(8)
        self.layer = Hopfield(8, num_heads=2, kernel=FeatureMap(8), dropout=0.1)
        self.pool = HopfieldPooling(8, kernel=FeatureMap(8))
        self.head = nn.Linear(8, 2)

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = self.scale(self.trunk(x).mT).mT
        x = x + self.layer(x, mask=mask)
        return self.head(self.pool(x, mask=mask))  # type: ignore[no-any-return]


def moved(before: dict[str, Tensor], model: nn.Module) -> set[str]:
    return {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}


def copy(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


KERNELS = {f"{where}.kernel.{part}" for where in ("layer", "pool.hopfield") for part in ("weight", "bias")}


def test_moves_phi_alone_and_nothing_else() -> None:
    model, x = Net(), torch.randn(4, 6, 5)
    model.layer.train(False)
    before, random = copy(model), torch.get_rng_state()
    model.head.weight.grad = torch.ones(2, 8)
    Alternation(model).step(x)
    assert moved(before, model) == KERNELS
    assert torch.equal(torch.get_rng_state(), random)
    assert model.trunk.training
    assert not model.layer.training
    assert torch.equal(model.head.weight.grad, torch.ones(2, 8))
    assert all(p.grad is None for name, p in model.named_parameters() if name != "head.weight")


def test_is_gradient_descent_on_the_mean_loss() -> None:
    layer = Hopfield(6, kernel=FeatureMap(6, init="gaussian"), normalize=False)
    x = torch.randn(3, 5, 6)
    mask = torch.tensor([[True] * 5, [True, True, False, False, False], [True, True, True, True, False]])
    assert layer.kernel is not None
    weight: Tensor = layer.kernel.weight  # type: ignore[assignment]
    loss = separation_loss(layer.kernel(x), "average", 3.0, mask).mean()
    expected = weight - 0.7 * torch.autograd.grad(loss, weight)[0]

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, x: Tensor) -> Tensor:
            return self.layer(x, mask=mask)  # type: ignore[no-any-return]

    assert Alternation(Masked(), kind="average", t=3.0, lr=0.7).step(x) == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(weight, expected, atol=1e-6)


def test_all_moves_the_trunk_too_but_nothing_frozen() -> None:
    model, x = Net(), torch.randn(4, 6, 5)
    model.trunk[0].bias.requires_grad_(False)
    before = copy(model)
    Alternation(model, parameters="all").step(x)
    after = moved(before, model)
    assert KERNELS | {"trunk.0.weight"} <= after
    assert not after & {"trunk.0.bias", "head.weight", "scale.running_mean", "pool.hopfield.in_proj_weight"}


@pytest.mark.parametrize("kind", ["average", "orthogonal", "max", "temperature"])
def test_loss_falls(kind: str) -> None:
    model, x = Net().eval(), torch.randn(4, 6, 5)
    alternation = Alternation(model, kind=kind, inner=5, lr=0.02)  # type: ignore[arg-type]
    losses = [alternation.step(x) for _ in range(6)]
    assert losses[-1] < losses[0]


def test_warm_up_goes_through_the_loader_again() -> None:
    model = Net()
    loader = [(torch.randn(2, 6, 5), torch.zeros(2)), torch.randn(2, 6, 5)]
    assert len(Alternation(model).warm_up(loader, 5)) == 5
    with pytest.raises(SettingsError, match="no batch"):
        Alternation(model).warm_up([], 1)


def test_under_autocast() -> None:
    model, x = Net(), torch.randn(4, 6, 5)
    before = copy(model)
    with torch.autocast("cpu", torch.bfloat16):
        Alternation(model).step(x)
    assert moved(before, model) == KERNELS
    assert all(torch.isfinite(value).all() for value in model.state_dict().values())


def test_training_goes_on_after_save_and_load() -> None:
    batches = [torch.randn(4, 6, 5) for _ in range(6)]

    def train(model: nn.Module, optimiser: torch.optim.Optimizer, part: list[Tensor]) -> None:
        alternation = Alternation(model)
        for x in part:
            alternation.step(x)
            optimiser.zero_grad()
            model(x).square().mean().backward()
            optimiser.step()

    model = Net().eval()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    train(model, optimiser, batches[:3])
    file = io.BytesIO()
    torch.save([model.state_dict(), optimiser.state_dict()], file)
    train(model, optimiser, batches[3:])
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again = Net().eval()
    again.load_state_dict(saved[0])
    other = torch.optim.Adam(again.parameters(), lr=0.01)
    other.load_state_dict(saved[1])
    train(again, other, batches[3:])
    assert not moved(copy(model), again)


def test_refused() -> None:
    with pytest.raises(SettingsError, match="no Hopfield layer"):
        Alternation(Hopfield(4))
    frozen = Hopfield(4, kernel=FeatureMap(4).requires_grad_(False))
    with pytest.raises(SettingsError, match="requires a gradient"):
        Alternation(frozen)
    for settings in ({"kind": "mean"}, {"parameters": "head"}, {"inner": 0}, {"lr": 0.0}):
        with pytest.raises(SettingsError):
            Alternation(Hopfield(4, kernel=FeatureMap(4)), **settings)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="two patterns"):
        Alternation(Hopfield(4, kernel=FeatureMap(4))).step(torch.randn(2, 1, 4))
