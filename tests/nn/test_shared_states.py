"""States that all samples share: what is read is what the layer is defined to read, with the same gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn import FeatureMap, Hopfield, shared_states
from uhop_cli.nn.training import seeded

BATCH, STORED, WIDTH, STATES = 3, 5, 12, 2
SETTINGS: list[dict[str, Any]] = [
    {},
    {"separation": "sparsemax"},
    {"separation": "entmax:1.5", "beta": 2.0},
    {"separation": "top-k:2"},
    {"separation": "argmax"},
    {"beta": [0.5, 3.0]},
    {"beta": "learned", "bias": False},
    {"normalize": False},
    {"values": "stored"},
    {"values": "stored", "bias": False},
    {"pattern_size": 4, "output_size": 3, "hidden_size": 5},
    {"out_projection": False},
    {"kernel": "linear"},
    {"kernel": "normalised"},
    {"kernel": "module"},
    {"stored_pattern_size": 7, "pattern_projection_size": 4},
]
KERNELS = {
    "linear": lambda: FeatureMap(WIDTH, 9, "gaussian"),
    "normalised": lambda: FeatureMap(WIDTH, init="gaussian", normalize=True),
    "module": lambda: nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh()),
}


def made(settings: dict[str, Any]) -> Hopfield:
    """A layer in float64 in which nothing is 0."""

    def layer() -> Hopfield:
        kernel = KERNELS[settings["kernel"]]() if "kernel" in settings else None
        found = Hopfield(WIDTH, num_heads=2, **settings | {"kernel": kernel})
        for parameter in found.parameters():
            nn.init.normal_(parameter, std=0.5)
        return found.double()

    return seeded(0, layer)


def inputs(layer: Hopfield, batch: int = BATCH) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    sizes = [layer.sizes.stored or WIDTH, layer.sizes.projection or WIDTH]
    stored, projection = (torch.randn(batch, STORED, size, dtype=torch.float64, requires_grad=True) for size in sizes)
    return stored, torch.randn(1, STATES, WIDTH, dtype=torch.float64, requires_grad=True), projection


def masks() -> list[torch.Tensor | None]:
    keys = torch.ones(BATCH, STORED, dtype=torch.bool)
    keys[0, 2:] = keys[1, :] = False  # the second sample has no pattern
    return [None, keys, torch.linspace(-1, 1, BATCH * STORED).reshape(BATCH, STORED).double()]


@pytest.mark.parametrize("settings", SETTINGS, ids=str)
def test_it_is_the_layer(settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made(settings)
    stored, state, projection = inputs(layer)
    for mask in masks():
        assert shared_states.foldable(layer, layer._rule(), state, mask)
        found, gradients = outcome(layer, stored, state, projection, mask)
        with monkeypatch.context() as patch:
            patch.setattr("uhop_cli.nn.hopfield.foldable", lambda *rest: False)
            expected, others = outcome(layer, stored, state, projection, mask)
        assert torch.allclose(found, expected, atol=1e-12)
        for one, other in zip(gradients, others, strict=True):
            assert torch.allclose(one, other, atol=1e-11)


def outcome(layer: Hopfield, *given: Any) -> tuple[torch.Tensor, list[torch.Tensor]]:
    stored, state, projection, mask = given
    output = layer(stored, state, projection, mask=mask)
    weights = torch.cos(torch.arange(output.numel(), dtype=torch.float64)).reshape(output.shape)
    moved = [stored, state, projection, *layer.parameters()]
    found = torch.autograd.grad((output * weights).sum(), moved, allow_unused=True)
    return output, [torch.zeros_like(one) if gradient is None else gradient for one, gradient in zip(moved, found, strict=True)]


def test_weights_are_dropped_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = made({"separation": "sparsemax", "dropout": 0.5}).train()
    stored, state, projection = inputs(layer)
    plain = layer.eval()(stored, state, projection)
    torch.manual_seed(2)
    assert not torch.allclose(layer.train()(stored, state, projection), plain, atol=1e-3)
    kept = (torch.arange(BATCH * 2 * STATES * STORED) % 3).double()
    monkeypatch.setattr("torch.nn.functional.dropout", lambda weights, rate: weights * (2 * rate * kept).reshape(weights.shape))
    found = layer(stored, state, projection)
    monkeypatch.setattr("uhop_cli.nn.hopfield.foldable", lambda *rest: False)
    assert torch.allclose(layer(stored, state, projection), found, atol=1e-12)


@pytest.mark.parametrize(
    "settings",
    [
        {"separation": "linear"},
        {"separation": "prf:8"},
        {"separation": "window:2"},
        {"separation": "random:0.5"},
        {"separation": "entmax:learned"},
        {"steps": 2},
        {"steps": None, "tolerance": 1e-3},
        {"null": True},
        {"static": ("stored",), "hidden_size": WIDTH},
    ],
    ids=str,
)
def test_what_it_is_not_the_same_for_is_left_alone(settings: dict[str, Any]) -> None:
    layer = made(settings)
    assert not shared_states.foldable(layer, layer._rule(), torch.zeros(1, 1, WIDTH), None)


def test_only_few_shared_states_are_folded() -> None:
    layer = made({})
    rule = layer._rule()
    for state, mask, folded in (
        (torch.zeros(1, 3, WIDTH), None, True),  # 6 features a head
        (torch.zeros(1, 4, WIDTH), None, False),
        (torch.zeros(2, 1, WIDTH), None, False),
        (None, None, False),
        (torch.zeros(1, 1, WIDTH), torch.ones(BATCH, 1, STORED), False),
    ):
        assert shared_states.foldable(layer, rule, state, mask) == folded
    layer.norm_hopfield_space = nn.LayerNorm(6)
    assert not shared_states.foldable(layer, rule, torch.zeros(1, 1, WIDTH), None)


def test_shapes_that_do_not_fit_are_told() -> None:
    layer = made({}).float()
    state = torch.zeros(1, 1, WIDTH)
    for given in (
        (torch.zeros(2, 5, 3), state, None),
        (torch.zeros(2, 5, WIDTH), torch.zeros(1, 1, 3), None),
        (torch.zeros(2, 5, WIDTH), state, torch.zeros(2, 4, WIDTH)),
    ):
        with pytest.raises(SettingsError):
            layer(*given)
    with pytest.raises(SettingsError, match="mask"):
        layer(torch.zeros(2, 5, WIDTH), state, mask=torch.ones(2, 4, dtype=torch.bool))
