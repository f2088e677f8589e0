"""`associate`: by hand, against a naive form, steps and tolerance, masks, neighbours in the batch, energy, one graph."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from uhop_cli.errors import SettingsError
from uhop_cli.nn import associate
from uhop_cli.nn.attention import BAND, Rule
from uhop_cli.nn.separation import LayerSeparation

DOUBLE = torch.float64
KINDS = ("softmax", "sparsemax", "entmax:1.5", "entmax:1.3", "top-k:2", "window:1", "random:.5", "linear", "prf:8", "argmax")
GRADED = tuple(kind for kind in KINDS if kind != "argmax")


def draw(*sizes: tuple[int, int], batch: int = 2, heads: int = 2, grad: bool = False) -> list[Tensor]:
    return [torch.randn(batch, heads, n, w, dtype=DOUBLE, requires_grad=grad) for n, w in sizes]


def rule_of(kind: str, **settings: object) -> Rule:
    beta = None if kind == "linear" else 0.7
    omegas = torch.randn(8, 4, dtype=DOUBLE) if kind.startswith("prf") else None
    return Rule(separation=LayerSeparation.parse(kind), omegas=omegas, **{"beta": beta, **settings})  # type: ignore[arg-type]


def test_by_hand() -> None:
    q, k = torch.tensor([[[[1.0, 0.0]]]]), torch.tensor([[[[1.0, 0.0], [0.0, 1.0]]]])
    v = torch.tensor([[[[4.0], [8.0]]]])
    assert associate(q, k, v, beta=math.log(3)).item() == pytest.approx(5)  # weights 3/4 and 1/4
    # second step: the state is (3/4, 1/4), the logits differ by ln(3) / 2
    w = 1 / (1 + 3**-0.5)
    assert associate(q, k, v, beta=math.log(3), steps=2).item() == pytest.approx(4 * w + 8 * (1 - w))
    assert associate(q, k, v, beta=math.log(3), null=True).item() == pytest.approx((3 * 4 + 8) / 5)
    assert associate(q, k, v, beta=[math.log(3)]).item() == pytest.approx(5)


def test_softmax_is_scaled_dot_product_attention() -> None:
    q, k, v = draw((5, 4), (6, 4), (6, 3))
    assert torch.equal(associate(q, k, v, beta=0.5), F.scaled_dot_product_attention(q, k, v, scale=0.5))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("null", [False, True])
def test_read_is_weights_times_values(kind: str, null: bool) -> None:
    q, k, v = draw((5, 4), (6, 4), (6, 3), batch=3)
    keys = torch.rand(3, 6) > 0.3
    keys[0] = False
    keys[1] = True
    for mask in (None, keys, torch.rand(3, 5, 6) > 0.5, torch.randn(3, 2, 5, 6, dtype=DOUBLE)):
        rule = rule_of(kind, null=null, steps=2)
        weights, read = rule.weights(q, k, mask), rule.read(q, k, v, mask)
        assert weights.shape == (3, 2, 5, 6 + null)
        assert (read - weights @ (F.pad(v, (0, 0, 0, 1)) if null else v)).abs().max() < 1e-12
        total = weights.sum(-1)
        assert torch.allclose(total, total.round())  # 1, or 0 where nothing takes part
        assert (total == 0).sum() == 0 if null or mask is None else True
        if mask is keys and not null:
            assert read[0].abs().max() == 0
            assert total[1:].min() > 0 or kind == "window:1"


@pytest.mark.parametrize("kind", GRADED)
@pytest.mark.parametrize("steps", [1, 3])
def test_gradcheck(kind: str, steps: int) -> None:
    inputs = draw((3, 4), (4, 4), (4, 2), batch=1, grad=True)
    beta = torch.tensor([0.6, 1.1], dtype=DOUBLE, requires_grad=True)
    rule = rule_of(kind)

    def read(q: Tensor, k: Tensor, v: Tensor, beta: Tensor) -> Tensor:
        chosen = None if kind == "linear" else beta
        return Rule(separation=rule.separation, beta=chosen, omegas=rule.omegas, steps=steps).read(q, k, v, None)

    assert torch.autograd.gradcheck(read, (*inputs, beta))


@pytest.mark.parametrize("steps", [1, 3])
def test_gradcheck_of_alpha_a_head(steps: int) -> None:
    inputs = draw((3, 4), (4, 4), (4, 2), batch=1, grad=True)
    alpha = torch.tensor([1.2, 1.7], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda q, k, v, alpha: associate(q, k, v, beta=0.9, separation="entmax:learned", steps=steps, alpha=alpha), (*inputs, alpha)
    )


@pytest.mark.parametrize("kind", ["softmax", "entmax:1.5", "top-k:2"])
def test_float_mask_has_a_gradient(kind: str) -> None:
    q, k, v = draw((3, 4), (4, 4), (4, 2), batch=1)
    mask = torch.randn(1, 3, 4, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda mask: associate(q, k, v, beta=0.9, separation=kind, mask=mask), (mask,))


@pytest.mark.parametrize("null", [False, True])
def test_bands_of_a_window_are_the_whole(null: bool) -> None:
    length = 2 * BAND + 17
    for size in (length, BAND + 40):
        q, k, v = draw((length, 4), (size, 4), (size, 3))
        rule = rule_of("window:9", null=null)
        for mask in (None, torch.rand(2, size) > 0.2, torch.rand(1, length, size) > 0.2):
            values = F.pad(v, (0, 0, 0, 1)) if null else v
            assert (rule.read(q, k, v, mask) - rule.weights(q, k, mask) @ values).abs().max() < 1e-12


@pytest.mark.parametrize("kind", ["softmax", "entmax:1.5"])
def test_a_sample_does_not_depend_on_its_neighbours(kind: str) -> None:
    q, k, v = draw((4, 4), (6, 4), (6, 3), batch=3)
    k = k * torch.tensor([0.2, 1.0, 3.0], dtype=DOUBLE)[:, None, None, None]  # they need different numbers of steps
    rule = rule_of(kind, steps=None, tolerance=1e-3, beta=(0.5, 1.5))
    together = rule.read(q, k, v, None)
    for i in range(3):
        assert (rule.read(q[i : i + 1], k[i : i + 1], v[i : i + 1], None) - together[i]).abs().max() < 1e-12


def test_tolerance_by_hand() -> None:
    q, k, v = draw((3, 4), (5, 4), (5, 2), batch=1, heads=1)
    states, weights = [q], []
    for _ in range(12):
        weights.append((0.7 * states[-1] @ k.mT).softmax(-1))
        states.append(weights[-1] @ k)
    changes = [float((b - a).norm()) for a, b in itertools.pairwise(weights)]
    for needed in (2, 4):
        eps = 1.01 * changes[needed - 1]
        first = next(i for i, change in enumerate(changes) if change <= eps) + 1
        found = rule_of("softmax", steps=None, tolerance=eps).weights(q, k, None)
        assert torch.equal(found, weights[first])
    assert torch.equal(rule_of("softmax", steps=3, tolerance=0.0).weights(q, k, None), weights[2])
    assert torch.allclose(rule_of("softmax", steps=(3,)).read(q, k, v, None), weights[2] @ v)


@pytest.mark.parametrize("kind", ["softmax", "sparsemax", "entmax:1.5", "entmax:1.2"])
def test_energy_never_rises_and_its_gradient_is_the_update(kind: str) -> None:
    q, k = draw((6, 4), (5, 4))
    q.requires_grad_()
    energy = rule_of(kind, beta=2.0).energy(q, k, None)
    (slope,) = torch.autograd.grad(energy.sum(), q)
    update = rule_of(kind, beta=2.0).read(q, k, k, None)
    assert (slope - (q - update)).abs().max() < 1e-12  # grad E = q - Sep(beta q k^T) k
    levels = [rule_of(kind, beta=2.0, steps=n).energy(q, k, None).detach() for n in range(1, 6)]
    assert all((b <= a + 1e-12).all() for a, b in itertools.pairwise(levels))


def test_energy_of_softmax_by_hand() -> None:
    q, k = torch.tensor([[[[2.0]]]]), torch.tensor([[[[1.0], [0.0]]]])
    assert rule_of("softmax", beta=1.0).energy(q, k, None).item() == pytest.approx(2 - math.log(1 + math.e**2), abs=1e-6)
    with pytest.raises(SettingsError, match="no known energy"):
        rule_of("top-k:2").energy(q, k, None)


def test_dropout_scales_what_is_left() -> None:
    q, k, v = (torch.randn(1, 1, 400, 4) for _ in range(3))
    for kind in ("softmax", "entmax:1.5", "linear"):
        beta = None if kind == "linear" else 0.1
        kept = associate(q, k, v, beta=beta, separation=kind, dropout=0.5)
        exact = associate(q, k, v, beta=beta, separation=kind)
        assert not torch.allclose(kept, exact, atol=1e-3)
        assert (kept.mean(2) - exact.mean(2)).abs().max() < 0.05


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beta": None}, "linear"),
        ({"beta": 1.0, "separation": "linear"}, "linear"),
        ({"beta": -1.0}, "positive"),
        ({"beta": 1.0, "steps": 0}, "at least one step"),
        ({"beta": 1.0, "steps": None}, "need a tolerance"),
        ({"beta": 1.0, "tolerance": 0.1}, "more than one step"),
        ({"beta": 1.0, "alpha": torch.ones(1)}, "entmax:learned"),
        ({"beta": 1.0, "separation": "entmax:learned"}, "entmax:learned"),
    ],
)
def test_refused(settings: dict[str, object], message: str) -> None:
    x = torch.randn(1, 1, 2, 2)
    with pytest.raises(SettingsError, match=message):
        associate(x, x, x, **settings)  # type: ignore[arg-type]


def test_shapes_refused() -> None:
    x = torch.randn(1, 1, 2, 2)
    with pytest.raises(SettingsError, match="shapes"):
        associate(x[0], x, x, beta=1.0)
    with pytest.raises(SettingsError, match="shapes"):
        associate(x, x, x[:, :, :1], beta=1.0)


@pytest.mark.parametrize("kind", ["softmax", "entmax:1.5"])
def test_is_one_graph(kind: str) -> None:
    torch._dynamo.reset()
    q, k, v = (torch.randn(1, 1, 3, 4, requires_grad=True) for _ in range(3))

    def call(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return associate(q, k, v, beta=0.5, separation=kind, steps=2)

    graph = torch.compile(call, fullgraph=True, backend="eager")
    assert torch.allclose(graph(q, k, v), call(q, k, v), atol=1e-6)
