"""Folding a linear Phi into the projections, and layers from hflayers' weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn import FeatureMap, Hopfield, HopfieldLayer, HopfieldPooling

SETTINGS: list[dict[str, object]] = [
    {},
    {"values": "stored"},
    {"values": "stored", "static": ("projection",), "hidden_size": 3},
    {"pattern_projection_size": 5},
    {"bias": False},
    {"separation": "entmax:learned", "beta": "learned", "steps": 2, "null": True},
    {"out_projection": False, "beta": (0.5, 1.5)},
]


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("phi", [FeatureMap(6, init="gaussian"), nn.Linear(6, 6), None])
def test_folded_layer_answers_the_same(settings: dict[str, object], phi: nn.Module | None) -> None:
    layer = Hopfield(6, num_heads=2, kernel=phi, **settings).double()  # type: ignore[arg-type]
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.5)
    plain = layer.fold()
    assert plain.kernel is None
    assert plain.sizes.values == "projection"
    stored, state = torch.randn(2, 5, 6, dtype=torch.float64), torch.randn(2, 3, 6, dtype=torch.float64)
    projection = torch.randn(2, 5, 5, dtype=torch.float64) if "pattern_projection_size" in settings else None
    assert (plain(stored, state, projection) - layer(stored, state, projection)).abs().max() < 1e-12
    assert (plain.associations(stored, state) - layer.associations(stored, state)).abs().max() < 1e-12
    with torch.no_grad():
        plain.out_proj.weight.zero_() if plain.out_proj is not None else None  # it shares nothing with the layer
    assert layer.out_proj is None or layer.out_proj.weight.abs().max() > 0


@pytest.mark.parametrize("bias", [True, False])
def test_folded_layer_of_another_width_is_multihead_attention(bias: bool) -> None:
    layer = Hopfield(8, num_heads=2, kernel=FeatureMap(8, 12, "gaussian"), normalize=False, bias=bias)
    nn.init.normal_(layer.kernel.bias)  # type: ignore[union-attr, arg-type]
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    attention.load_state_dict(layer.fold().state_dict())
    stored, state = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    assert (attention(state, stored, stored)[0] - layer(stored, state)).abs().max() < 1e-5


def test_fold_refuses() -> None:
    with pytest.raises(SettingsError, match="not linear"):
        Hopfield(6, kernel=FeatureMap(6, normalize=True)).fold()
    with pytest.raises(SettingsError, match="not linear"):
        Hopfield(6, kernel=nn.Sequential(nn.Linear(6, 6), nn.ReLU())).fold()
    with pytest.raises(SettingsError, match="static"):
        Hopfield(6, kernel=FeatureMap(6), static=("stored",)).fold()


def foreign(heads: int, before: str = "") -> dict[str, Tensor]:
    """Weights as hflayers names them: 8 features."""
    sizes = {"in_proj_weight": (24, 8), "in_proj_bias": (24,), "out_proj.weight": (8, 8), "out_proj.bias": (8,)}
    state = {f"{before}association_core.{name}": torch.randn(*size) for name, size in sizes.items()}
    for norm in ("stored_pattern", "state_pattern", "pattern_projection"):
        state |= {f"{before}norm_{norm}.{part}": torch.rand(8) for part in ("weight", "bias")}
    return state


def test_weights_of_hflayers() -> None:
    state = foreign(2)
    layer = Hopfield.from_hflayers(state, input_size=8, num_heads=2, scaling=0.3)
    x = torch.randn(2, 5, 8)
    rows = {"q": slice(0, 8), "k": slice(8, 16), "v": slice(16, 24)}
    made = {}
    for letter, norm in (("q", "state_pattern"), ("k", "stored_pattern"), ("v", "pattern_projection")):
        y = nn.functional.layer_norm(x, (8,), state[f"norm_{norm}.weight"], state[f"norm_{norm}.bias"])
        made[letter] = (
            y @ state["association_core.in_proj_weight"][rows[letter]].T + state["association_core.in_proj_bias"][rows[letter]]
        )
    q, k, v = (made[letter].unflatten(-1, (2, 4)).transpose(1, 2) for letter in "qkv")
    z = ((0.3 * q @ k.mT).softmax(-1) @ v).transpose(1, 2).flatten(2)
    expected = z @ state["association_core.out_proj.weight"].T + state["association_core.out_proj.bias"]
    assert (layer(x) - expected).abs().max() < 1e-5


def test_what_our_arguments_cannot_say() -> None:
    state = foreign(2) | {"association_core.p_norm_weight": torch.rand(4), "association_core.p_norm_bias": torch.rand(4)}
    del state["norm_stored_pattern.weight"], state["norm_stored_pattern.bias"]
    layer = Hopfield.from_hflayers(
        state,
        input_size=8,
        num_heads=2,
        update_steps_max=[0, 2],
        update_steps_eps=1e-3,
        normalize_stored_pattern_affine=False,
        normalize_state_pattern_eps=0.5,
        normalize_hopfield_space=True,
        normalize_hopfield_space_affine=True,
        scaling=[0.1, 0.2],
        batch_first=False,
    )
    assert layer.steps == (1, 3)
    assert layer.tolerance == 1e-3
    assert layer.norm_stored_pattern is not None
    assert not layer.norm_stored_pattern.elementwise_affine
    assert layer.norm_state_pattern is not None
    assert layer.norm_state_pattern.eps == 0.5
    assert layer.norm_hopfield_space is not None
    assert layer.beta == (0.1, 0.2)
    assert layer(torch.randn(1, 3, 8)).shape == (1, 3, 8)
    assert Hopfield.from_hflayers(foreign(1), input_size=8, update_steps_max=None).steps is None
    assert Hopfield.from_hflayers(foreign(1), input_size=8).tolerance is None


def test_wrappers_batch_second() -> None:
    patterns = torch.randn(3, 1, 8)
    pooling = HopfieldPooling.from_hflayers(
        foreign(1, "hopfield.") | {"pooling_weights": patterns}, input_size=8, quantity=3, batch_first=False, trainable=False
    )
    assert torch.equal(pooling.pooling_weights, patterns.transpose(0, 1))
    assert not pooling.pooling_weights.requires_grad
    state = foreign(1, "hopfield.") | {"lookup_weights": torch.randn(1, 3, 8), "target_weights": torch.randn(1, 3, 8)}
    layer = HopfieldLayer.from_hflayers(state, input_size=8, quantity=3, lookup_weights_as_separated=True)
    assert torch.equal(layer.target_weights, state["target_weights"])  # type: ignore[arg-type]


def test_hflayers_refused() -> None:
    with pytest.raises(SettingsError, match="concat_bias_pattern"):
        Hopfield.from_hflayers(foreign(1), input_size=8, concat_bias_pattern=True)
    with pytest.raises(SettingsError, match="association_activation"):
        Hopfield.from_hflayers(foreign(1), input_size=8, association_activation="relu")
    with pytest.raises(SettingsError, match="do not fit"):
        Hopfield.from_hflayers(foreign(1), input_size=8, hidden_size=3)
    retrieval = {f"{role}_as_static": True for role in ("stored_pattern", "state_pattern", "pattern_projection")}
    norms = {f"normalize_{norm}": False for norm in ("stored_pattern", "state_pattern", "pattern_projection")}
    assert Hopfield.from_hflayers({}, **retrieval, **norms, disable_out_projection=True).beta == 1
