"""The layer: against its equations, folded projections, masks, neighbours, state_dict, refusals."""

from __future__ import annotations

import io
import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn import FeatureMap, Hopfield

DOUBLE = torch.float64
STATIC = ("stored", "state", "projection")


def formula(layer: Hopfield, stored: Tensor, state: Tensor, projection: Tensor, phi: nn.Module | None) -> Tensor:
    """Eq. (3.1) with softmax, head by head."""
    r, y, p = layer.norm_state_pattern(state), layer.norm_stored_pattern(stored), layer.norm_pattern_projection(projection)  # type: ignore[misc]
    (wq, bq), (wk, bk), (wv, bv) = (layer.weight_and_bias(role) for role in ("state", "stored", "projection"))
    q, k = (phi(r), phi(y)) if phi is not None else (r, y)
    q, k = q @ wq.T + bq, k @ wk.T + bk  # type: ignore[union-attr]
    p = p @ wk.T + bk if layer.sizes.values == "stored" else p  # type: ignore[union-attr]
    v = p @ wv.T + bv  # type: ignore[union-attr]
    heads = []
    for a, b, c in zip(*(x.chunk(layer.sizes.heads, -1) for x in (q, k, v)), strict=True):
        heads.append((a @ b.mT / math.sqrt(a.shape[-1])).softmax(-1) @ c)
    return layer.out_proj(torch.cat(heads, -1))  # type: ignore[misc]


@pytest.mark.parametrize("values", ["projection", "stored"])
@pytest.mark.parametrize("with_kernel", [False, True])
def test_equation(values: str, with_kernel: bool) -> None:
    phi = FeatureMap(6, init="gaussian") if with_kernel else None
    layer = Hopfield(6, num_heads=2, kernel=phi, values=values).double()  # type: ignore[arg-type]
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.6)
    x = [torch.randn(3, n, 6, dtype=DOUBLE, requires_grad=True) for n in (5, 4, 5)]
    for given in ((x[0], x[1], x[2]), (x[0], x[0], x[0])):
        found = layer(*given) if given[1] is not given[0] else layer(given[0])
        expected = formula(layer, *given, phi)
        assert (found - expected).abs().max() < 1e-12
        leaves = list({id(t): t for t in (*given, *layer.parameters())}.values())
        g = torch.randn_like(found)
        for ours, theirs in zip(torch.autograd.grad(found, leaves, g), torch.autograd.grad(expected, leaves, g), strict=True):
            assert (ours - theirs).abs().max() < 1e-11


def test_is_multihead_attention_without_layer_norms() -> None:
    layer = Hopfield(8, num_heads=2, normalize=False)
    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    attention.load_state_dict(layer.state_dict())
    stored, state = torch.randn(2, 5, 8), torch.randn(2, 3, 8)
    keys = torch.tensor([[True] * 5, [True, False, True, True, False]])
    assert torch.allclose(layer(stored, state, mask=keys), attention(state, stored, stored, ~keys)[0], atol=1e-6)
    assert torch.allclose(layer.associations(stored, state).mean(1), attention(state, stored, stored)[1], atol=1e-6)


def test_retrieves_stored_patterns() -> None:
    x = torch.rand(10, 64)
    layer = Hopfield(64, static=STATIC, normalize=False, out_projection=False, beta=50.0)
    half = x.clone()
    half[:, 32:] = 0
    assert torch.allclose(layer((x - 0.5)[None], (half - 0.5)[None], x[None])[0], x, atol=1e-2)
    assert not list(layer.parameters())


@pytest.mark.parametrize("kind", ["softmax", "entmax:1.5", "random:.5", "linear"])
@pytest.mark.parametrize("static", [(), ("stored", "projection")])
def test_samples_do_not_mix(kind: str, static: tuple[str, ...]) -> None:
    sizes = {"stored_pattern_size": 3, "pattern_projection_size": 3} if static else {}
    steps = {} if kind == "linear" else {"steps": None, "tolerance": 1e-2}
    layer = Hopfield(6, 3, num_heads=2, separation=kind, static=static, **sizes, **steps).eval()  # type: ignore[arg-type]
    stored, state = torch.randn(3, 5, 3 if static else 6), torch.randn(3, 4, 6)
    together = layer(stored, state)
    for i in range(3):
        assert (layer(stored[i : i + 1], state[i : i + 1]) - together[i]).abs().max() < 1e-6


def test_sample_without_patterns_gets_the_output_bias_and_no_gradient() -> None:
    layer = Hopfield(6, num_heads=2)
    nn.init.normal_(layer.out_proj.bias)  # type: ignore[union-attr]
    stored, state = torch.randn(2, 4, 6, requires_grad=True), torch.randn(2, 3, 6, requires_grad=True)
    keys = torch.tensor([[True] * 4, [False] * 4])
    for mask in (keys, torch.zeros(2, 1, 4).masked_fill(~keys[:, None], -math.inf)):
        output = layer(stored, state, mask=mask)
        assert torch.allclose(output[1], layer.out_proj.bias.expand(3, 6))  # type: ignore[union-attr]
        for slope in torch.autograd.grad(output.square().sum(), (stored, state)):
            assert slope[1].abs().max() == 0
            assert slope[0].abs().max() > 0


@pytest.mark.parametrize("kind", ["softmax", "entmax:1.5", "top-k:3", "window:2", "random:.5", "linear", "prf:8", "argmax"])
def test_empty_batch_and_single_pattern(kind: str) -> None:
    layer = Hopfield(6, num_heads=2, separation=kind)
    assert layer(torch.randn(0, 4, 6)).shape == (0, 4, 6)
    one = torch.randn(2, 1, 6)
    expected = layer.out_proj(layer.project(one, None, None)[2].transpose(1, 2).flatten(2))  # type: ignore[misc]
    assert torch.allclose(layer(one), expected, atol=1e-6)  # all weight on the only pattern


def test_learned_beta_and_alpha() -> None:
    layer = Hopfield(6, num_heads=2, beta="learned", separation="entmax:learned")
    assert torch.allclose(layer.beta, torch.full((2,), 3**-0.5))  # type: ignore[arg-type]
    assert layer.alpha.tolist() == [1.5, 1.5]  # type: ignore[union-attr]
    layer(torch.randn(2, 5, 6)).square().sum().backward()
    for name in ("log_beta", "alpha_logit"):
        gradient = getattr(layer, name).grad
        assert gradient.shape == (2,)
        assert gradient.abs().min() > 0
    fixed = Hopfield(6, num_heads=2, beta=3**-0.5, separation="entmax:1.5")
    fixed.load_state_dict({k: v for k, v in layer.state_dict().items() if k in fixed.state_dict()})
    x = torch.randn(2, 5, 6)
    assert torch.allclose(fixed(x), layer(x), atol=1e-6)


def test_beta_a_head() -> None:
    x = torch.randn(2, 5, 6)
    both = Hopfield(6, num_heads=2, beta=(0.5, 2.0))
    for head, beta in enumerate((0.5, 2.0)):
        one = Hopfield(6, num_heads=2, beta=beta)
        one.load_state_dict(both.state_dict())
        assert torch.allclose(both.associations(x)[:, head], one.associations(x)[:, head], atol=1e-6)


def test_names_in_the_state_dict() -> None:
    packed = {"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}
    norms = {f"norm_{n}.{p}" for n in ("stored_pattern", "state_pattern", "pattern_projection") for p in ("weight", "bias")}
    assert set(Hopfield(6).state_dict()) == packed | norms
    apart = {"q_proj_weight", "k_proj_weight", "v_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"}
    assert set(Hopfield(6, stored_pattern_size=5, normalize=False).state_dict()) == apart
    full = Hopfield(6, kernel=FeatureMap(6), beta="learned", separation="prf:9", normalize=False)
    assert set(full.state_dict()) == packed | {"kernel.weight", "kernel.bias", "log_beta", "omegas"}


def test_saves_and_loads() -> None:
    layer = Hopfield(6, kernel=FeatureMap(6, init="gaussian"), separation="prf:9", num_heads=2)
    other = Hopfield(6, kernel=FeatureMap(6), separation="prf:9", num_heads=2)
    file = io.BytesIO()
    torch.save(layer.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = torch.randn(1, 4, 6)
    assert torch.equal(layer(x), other(x))


def test_autocast_and_half() -> None:
    x = torch.randn(2, 8, 16)
    for kind in ("softmax", "entmax:1.5", "top-k:3", "prf:32"):
        layer = Hopfield(16, num_heads=2, separation=kind, kernel=FeatureMap(16), steps=2)
        with torch.autocast("cpu", torch.bfloat16):
            low = layer(x)
        assert low.dtype == torch.bfloat16
        assert (low.float() - layer(x)).abs().max() < 0.1
        low.float().sum().backward()
        assert torch.isfinite(layer.kernel.weight.grad).all()  # type: ignore[union-attr, arg-type]
        assert layer.bfloat16()(x.bfloat16()).dtype == torch.bfloat16


def test_dropout_and_random_only_while_training() -> None:
    x = torch.randn(1, 6, 8)
    for settings in ({"dropout": 0.5}, {"separation": "random:.5"}):
        layer = Hopfield(8, **settings)  # type: ignore[arg-type]
        assert not torch.equal(layer(x), layer(x))
        layer.eval()
        assert torch.equal(layer(x), layer(x))


def test_energy_falls_with_updates() -> None:
    layer = Hopfield(6, num_heads=2, beta=1.5, separation="entmax:1.5", null=True)
    x = torch.randn(2, 5, 6)
    levels = [layer.energy(x, updates=n) for n in range(4)]
    assert levels[0].shape == (2, 2, 5)
    assert all((b <= a + 1e-5).all() for a, b in itertools.pairwise(levels))
    assert (levels[1] < levels[0]).all()


def test_measures_are_those_of_phi() -> None:
    layer = Hopfield(4, kernel=FeatureMap(4), normalize=False)
    found = layer.measure(torch.eye(4)[None])
    assert found.separation.item() == 1
    assert found.best.item() == pytest.approx(4 / 3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_heads": 4}, "4 heads"),
        ({"dropout": 1.0}, "dropout"),
        ({"beta": "auto"}, "auto"),
        ({"beta": (1.0,), "num_heads": 2}, "2 heads"),
        ({"beta": 1.0, "separation": "linear"}, "linear"),
        ({"steps": 0}, "at least one step"),
        ({"static": ("key",)}, "static"),
        ({"static": ("stored",), "hidden_size": 5}, "static stored"),
        ({"static": ("stored",), "values": "stored"}, "W_K"),
        ({"values": "stored", "pattern_projection_size": 5}, "W_K takes"),
        ({"output_size": 3, "out_projection": False}, "output_size"),
        ({"kernel": FeatureMap(6), "stored_pattern_size": 5}, "one size"),
        ({"hidden_size": 0}, "at least 1"),
    ],
)
def test_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Hopfield(6, **settings)  # type: ignore[arg-type]


def test_batch_second_is_refused() -> None:
    with pytest.raises(TypeError, match="batch_first"):
        Hopfield(6, batch_first=False)  # type: ignore[call-arg]


def test_shapes_refused() -> None:
    layer = Hopfield(6)
    for given in ((torch.randn(2, 6),), (torch.randn(2, 4, 5),), (torch.randn(2, 4, 6), torch.randn(3, 4, 6))):
        with pytest.raises(SettingsError):
            layer(*given)
    with pytest.raises(SettingsError, match="4 stored patterns and 5"):
        layer(torch.randn(2, 4, 6), projection=torch.randn(2, 5, 6))
    with pytest.raises(SettingsError, match="without parameters"):
        Hopfield(None)
