"""alpha-entmax for torch: golden numbers, the law over all alpha, gradients and their limits."""

from __future__ import annotations

import math

import entmax as package
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from uhop_cli.errors import SettingsError
from uhop_cli.nn import entmax as module
from uhop_cli.nn.entmax import entmax, masked_softmax

DOUBLE = torch.float64
ALPHAS = (1.0, 1.0001, 1.2, 1.5, 1.8, 2.0, 3.0)


def halved(x: Tensor, alpha: float) -> Tensor:
    """The definition, tau by halving."""
    z = (alpha - 1) * x
    low, high = z.amax(-1, keepdim=True) - 1, z.amax(-1, keepdim=True)
    for _ in range(200):
        middle = (low + high) / 2
        heavy = ((z - middle).clamp_min(0) ** (1 / (alpha - 1))).sum(-1, keepdim=True) >= 1
        low, high = torch.where(heavy, middle, low), torch.where(heavy, high, middle)
    return (z - low).clamp_min(0) ** (1 / (alpha - 1))


def test_golden_numbers() -> None:
    x = torch.tensor([1.0, 0.5, -1.0], dtype=DOUBLE)
    assert entmax(x, 2.0).tolist() == pytest.approx([0.75, 0.25, 0])  # tau = (1 + .5 - 1) / 2
    tau = (1 - math.sqrt(7)) / 4  # of (.5 - tau)^2 + tau^2 = 1
    assert entmax(torch.tensor([1.0, 0.0], dtype=DOUBLE), 1.5).tolist() == pytest.approx([(0.5 - tau) ** 2, tau**2], abs=1e-14)
    assert entmax(torch.tensor([math.log(3), 0.0]), 1.0).tolist() == pytest.approx([0.75, 0.25])
    assert entmax(torch.tensor([0.0, 1 / 1.5 + 1e-6]), 2.5).tolist() == [0, 1]  # one-hot from a margin of 1 / (alpha - 1) on


@pytest.mark.parametrize(("alpha", "theirs"), [(1.5, package.entmax15), (2.0, package.sparsemax)])
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
def test_equals_the_sort_of_the_entmax_package(alpha: float, theirs: object, scale: float) -> None:
    x = scale * torch.randn(8, 2000, dtype=DOUBLE)
    assert (entmax(x, alpha) - theirs(x)).abs().max() < 1e-12  # type: ignore[operator]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.floats(-20, 20), min_size=1, max_size=12), st.sampled_from((1.05, 1.3, 1.5, 1.9, 2.0, 2.7)))
def test_law_over_alpha(values: list[float], alpha: float) -> None:
    x = torch.tensor(values, dtype=DOUBLE)
    p = entmax(x, alpha)
    assert (p - halved(x, alpha)).abs().max() < (1e-5 if alpha > 2 else 1e-12)
    assert p.sum().item() == pytest.approx(1, abs=1e-12)
    assert (entmax(x - 7, alpha) - p).abs().max() < (1e-4 if alpha > 2 else 1e-12)


def test_a_fixed_number_of_steps_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.cat([scale * torch.randn(4, 16384, dtype=DOUBLE) for scale in (0.1, 1.0, 30.0)])
    exact = [entmax(x, alpha) for alpha in (1.2, 1.5, 2.0)]
    monkeypatch.setattr(module, "MOST_STEPS", module.STEPS)
    assert all((entmax(x, alpha) - p).abs().max() < 1e-14 for alpha, p in zip((1.2, 1.5, 2.0), exact, strict=True))


@pytest.mark.parametrize("alpha", ALPHAS)
def test_gradcheck(alpha: float) -> None:
    x = torch.randn(3, 6, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: entmax(x, alpha), (x,))


def test_gradcheck_of_alpha() -> None:
    x = torch.randn(4, 6, dtype=DOUBLE, requires_grad=True)
    alpha = torch.tensor([[1.1], [1.4], [1.5], [1.9]], dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(entmax, (x, alpha))
    shared = torch.tensor(1.3, dtype=DOUBLE, requires_grad=True)
    assert torch.autograd.gradcheck(entmax, (x, shared))


@pytest.mark.parametrize("alpha", [1.00001, 1.001, 1.1, 1.5, 2.0])
def test_gradient_of_alpha_in_single_precision(alpha: float) -> None:
    x, dp = (torch.randn(200, 40, dtype=DOUBLE) for _ in range(2))
    found = []
    for dtype in (DOUBLE, torch.float32):
        a = torch.full((200, 1), alpha, dtype=dtype, requires_grad=True)
        entmax(x.to(dtype), a).backward(dp.to(dtype))
        assert a.grad is not None
        found.append(a.grad.double())
    assert torch.allclose(found[1], found[0], rtol=1e-3, atol=1e-5)


def test_alpha_that_rounds_to_1_is_softmax() -> None:
    x = torch.randn(3, 9)
    a = torch.tensor(1.0, requires_grad=True)
    p = entmax(x, a)
    assert torch.allclose(p, x.softmax(-1), atol=1e-5)
    p[:, 0].sum().backward()
    assert a.grad is not None
    assert torch.isfinite(a.grad)


@pytest.mark.parametrize("alpha", ALPHAS)
def test_masked_rows_are_0_without_a_gradient(alpha: float) -> None:
    x = torch.randn(2, 5, requires_grad=True)
    logits = torch.cat([x[:1], torch.full((1, 5), -math.inf)]) + 0 * x
    p = entmax(logits, alpha)
    assert p[1].tolist() == [0] * 5
    p.square().sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    part = torch.tensor([0.3, -math.inf, 0.1])
    assert torch.allclose(entmax(part, alpha), torch.tensor([1.0, 0, 1]) * entmax(part[[0, 2]], alpha)[[0, 0, 1]], atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("alpha", [1.25, 1.5, 2.0])
def test_half_precision_far_below_zero(dtype: torch.dtype, alpha: float) -> None:
    p = entmax(torch.full((2, 4), -1000.0, dtype=dtype), alpha)
    assert p.dtype == dtype
    assert p.tolist() == [[0.25] * 4] * 2


def test_refused() -> None:
    with pytest.raises(SettingsError, match="alpha of at least 1"):
        entmax(torch.zeros(3), 0.5)


def test_masked_softmax() -> None:
    logits = torch.tensor([[0.0, -math.inf, 0.0], [-math.inf] * 3])
    assert masked_softmax(logits).tolist() == [[0.5, 0, 0.5], [0, 0, 0]]
