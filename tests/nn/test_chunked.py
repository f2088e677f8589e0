"""Entmax read out chunk by chunk equals the product with the whole matrix of weights, gradients included."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from uhop_cli.nn import chunked
from uhop_cli.nn.chunked import read_entmax
from uhop_cli.nn.entmax import entmax

DOUBLE = torch.float64
BOOL = torch.tensor([[1, 1, 1, 0, 1, 1], [0] * 6, [1, 0, 1, 1, 1, 1]], dtype=torch.bool)[:, None, None]
MASKS = {
    "none": None,
    "keys": BOOL,
    "pairs": torch.tensor([True, False, True, True, True])[:, None].expand(5, 6)[None, None],
    "float": torch.arange(60, dtype=DOUBLE).sin().reshape(1, 2, 5, 6),
}


def whole(q: Tensor, k: Tensor, v: Tensor, alpha: float | Tensor, mask: Tensor | None) -> Tensor:
    x = q @ k.mT
    if mask is not None:
        x = x.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else x + mask
    return entmax(x, alpha[:, None, None] if isinstance(alpha, Tensor) else alpha) @ v


@pytest.mark.parametrize("scores", [1, 61, 130, 1 << 19])
@pytest.mark.parametrize("mask", MASKS)
def test_equals_the_whole(scores: int, mask: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chunked.CHUNK, "cpu", scores)
    for alpha in (1.3, 1.5, 2.0, torch.tensor([1.2, 1.7], dtype=DOUBLE, requires_grad=True)):
        inputs = [torch.randn(3, 2, n, w, dtype=DOUBLE, requires_grad=True) for n, w in ((5, 4), (6, 4), (6, 3))]
        found, expected = (f(*inputs, alpha, MASKS[mask]) for f in (read_entmax, whole))
        assert (found - expected).abs().max() < 1e-13
        leaves = [*inputs, alpha] if isinstance(alpha, Tensor) else inputs
        g = torch.randn_like(found)
        for ours, theirs in zip(torch.autograd.grad(found, leaves, g), torch.autograd.grad(expected, leaves, g), strict=True):
            assert (ours - theirs).abs().max() < 1e-12


def test_no_matrix_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(chunked.CHUNK, "cpu", 4096)
    x = [torch.randn(1, 1, 256, 4, requires_grad=True) for _ in range(3)]
    sizes: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):  # type: ignore[func-returns-value]
        read_entmax(*x, 1.5, None)
    assert max(sizes) <= 256 * 4


def test_half_precision_keeps_its_dtype_and_is_close() -> None:
    q, k, v = (torch.randn(2, 2, 8, 4) for _ in range(3))
    low = read_entmax(q.bfloat16(), k.bfloat16(), v.bfloat16(), 1.5, None)
    assert low.dtype == torch.bfloat16
    assert (low.float() - read_entmax(q, k, v, 1.5, None)).abs().max() < 0.1
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(read_entmax(q, k, v, 1.5, None), low)
