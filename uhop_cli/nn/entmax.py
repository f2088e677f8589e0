"""alpha-entmax for torch: one exact threshold for every alpha, and gradients that stay finite as alpha -> 1.

With a = alpha - 1 and c the logit that would have weight 1 (the form of `uhop_cli.retrieval.entmax`, finite as a -> 0),

    p_i = [1 + a (x_i - c)]_+ ^ (1 / a),        c such that sum p = 1.

**Threshold.** For 0 < a <= 1 the norm N(c) = (sum p)^a = || [1 + a (x - c)]_+ ||_{1/a} is convex and falls in c, so Newton's method
from the left, c_0 = max x, where N >= 1, rises to the root monotonically:

    c <- c + P (1 - P^-a) / (a G),        P = sum p,  G = sum g,  g_i = p_i^(2 - alpha) on the support.

It is exact in one step where all logits are equal and in the limit a -> 0, where it is logsumexp. For alpha = 2 it is the exact
threshold of the support found so far; no sort is needed for any alpha. For alpha > 2 the norm is not convex, and the root is
halved.

**Gradients** (Peters, Niculae & Martins 2019; Correia et al. 2019):

    dx = g (dp - <q, dp>),     dalpha = sum_i dp_i (w_i - q_i sum w),     q = g / sum g,

with w = dp/dalpha at a fixed c. The published w = (p - g) / a^2 - p ln p / a is a difference of terms of order 1 / a^2, which
float32 does not survive near alpha = 1. Here w = p (ln p)^2 r(a ln p) with r(s) = (1 - e^-s - s) / s^2, an entire function.

Half precision is computed in float32. Logits of -infinity are outside the support; a row of nothing else has weights 0.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from uhop_cli.errors import SettingsError

STEPS = 12  # of Newton's method where their number is fixed: 16,384 logits of any scale from .1 to 30 need at most 11
MOST_STEPS = 60
SERIES = 10  # terms of r(s) beyond the first: 4e-17 at s = -1/4, from where on the difference itself keeps 14 digits
HALVINGS = {torch.float32: 30, torch.float64: 60}


def entmax(logits: Tensor, alpha: float | Tensor = 1.5) -> Tensor:
    """argmax over the simplex of <p, x> + H_alpha(p), along the last axis (the head of this file).

    Args:
        logits: x, shape (..., S); -infinity for what is outside the support.
        alpha: from 1 (softmax) on; 2 is sparsemax. A tensor, with values above 1 and at most 2, broadcasts to (..., 1) and may
        require
            a gradient.

    Returns:
        p, non-negative, summing to 1, in the shape and dtype of the logits; 0 in rows of -infinity only.

    Raises:
        SettingsError: a number alpha below 1.
    """
    if not isinstance(alpha, Tensor):
        if alpha == 1:
            return masked_softmax(logits)
        if not 1 < alpha < math.inf:
            raise SettingsError(f"entmax needs a finite alpha of at least 1, not {alpha:g}")
    return _Entmax.apply(logits, alpha)  # type: ignore[no-any-return, no-untyped-call]


def masked_softmax(logits: Tensor) -> Tensor:
    """softmax along the last axis; 0, without a gradient, in rows of -infinity only."""
    dead = (logits == -math.inf).all(dim=-1, keepdim=True)
    return logits.masked_fill(dead, 0).softmax(dim=-1).masked_fill(dead, 0)


class _Entmax(torch.autograd.Function):
    """`entmax` as one node of the graph; keeps the weights alone."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, alpha: float | Tensor) -> Tensor:
        x = logits.float() if logits.dtype.itemsize < 4 else logits
        a = excess(alpha, x)
        x = x - top(x)
        p = weights(x, threshold(x, a), a)
        if isinstance(a, float) and a > 1:  # the slope at the edge of the support is infinite there: rounding of c shows in the sum
            p = p / p.sum(dim=-1, keepdim=True).clamp_min(0.5)
        ctx.number = None if isinstance(a, Tensor) else a
        ctx.save_for_backward(p, a if isinstance(a, Tensor) else None)
        ctx.dtype = logits.dtype
        ctx.shape = alpha.shape if isinstance(alpha, Tensor) else None
        return p.to(logits.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dp: Tensor) -> tuple[Tensor, Tensor | None]:
        p, a = ctx.saved_tensors
        a = ctx.number if a is None else a
        dp = dp.to(p.dtype)
        dx, dalpha = gradients(p, a, dp, ctx.needs_input_grad[1])
        return dx.to(ctx.dtype), None if dalpha is None else dalpha.sum_to_size(ctx.shape)


def excess(alpha: float | Tensor, like: Tensor) -> float | Tensor:
    """a = alpha - 1; of a tensor in the dtype of `like` and at least its rounding error, where the weights are softmax's."""
    if isinstance(alpha, Tensor):
        return (alpha.detach().to(like.dtype) - 1).clamp_min(torch.finfo(like.dtype).eps)
    return alpha - 1


def top(x: Tensor) -> Tensor:
    """The largest logit of each row, (..., 1); 0 where all are -infinity."""
    largest = x.amax(dim=-1, keepdim=True)
    return largest.masked_fill(largest == -math.inf, 0)


def threshold(x: Tensor, a: float | Tensor) -> Tensor:
    """c, (..., 1), at least 0, from logits (..., S) whose largest is 0, and from a = alpha - 1.

    The loop has a fixed length in compiled graphs and on devices, where asking whether it is done would wait for them; on the CPU
    it ends when no row moves any more.
    """
    if not isinstance(a, Tensor) and a > 1:
        return _halved(x, a)
    cut = torch.zeros_like(x[..., :1])
    watched = x.device.type == "cpu" and not torch.compiler.is_compiling()
    moved = 2 * torch.finfo(x.dtype).eps
    base = torch.empty_like(x)
    for _ in range(MOST_STEPS if watched else STEPS):
        step = _newton_step(x, cut, a, base)
        cut = cut + step
        if watched and bool((step <= moved * (cut + 1)).all()):
            break
    return cut


def _newton_step(x: Tensor, cut: Tensor, a: float | Tensor, base: Tensor) -> Tensor:
    """P (1 - P^-a) / (a G) at this cut, never negative; 0 in rows without a logit. `base` is overwritten."""
    if isinstance(a, float) and a in (0.5, 1.0):
        # sum of squares as a norm, and the number of logits in the support as the norm of order 0: no array of powers is made
        torch.sub(x, cut - 1 / a, out=base)
        base.relu_()  # [x - c + 1/a]_+, which is [1 + a (x - c)]_+ / a
        total = base.sum(dim=-1, keepdim=True)
        if a == 1.0:
            count: Tensor = torch.linalg.vector_norm(base, 0, dim=-1, keepdim=True)
            return (total - 1).clamp_min(0) / count.clamp_min(1)
        length: Tensor = torch.linalg.vector_norm(base, dim=-1, keepdim=True) / 2  # sqrt of P
        return 4 * length * (length - 1).clamp_min(0) / total.clamp_min(1)
    p = weights(x, cut, a)
    mass = p.sum(dim=-1, keepdim=True).clamp_min(1)
    return mass * -torch.expm1(-a * mass.log()) / (a * slopes(p, a).sum(dim=-1, keepdim=True).clamp_min(0.5))


def _halved(x: Tensor, a: float) -> Tensor:
    """c by halving: at 0 the largest weight alone is 1, at (1 - S^-a) / a even S equal ones sum to 1."""
    low = torch.zeros_like(x[..., :1])
    high = low - math.expm1(-a * math.log(x.shape[-1])) / a
    for _ in range(HALVINGS[x.dtype]):
        middle = (low + high) / 2
        heavy = weights(x, middle, a).sum(dim=-1, keepdim=True) >= 1
        low, high = torch.where(heavy, middle, low), torch.where(heavy, high, middle)
    return (low + high) / 2


def weights(x: Tensor, cut: Tensor, a: float | Tensor) -> Tensor:
    """p = [1 + a (x - c)]_+ ^ (1 / a)."""
    if isinstance(a, float) and a == 1.0:
        return (x - (cut - 1)).relu_()
    if isinstance(a, float) and a == 0.5:
        return (x - (cut - 2)).relu_().square_().mul_(0.25)
    t = a * (x - cut)
    inside: Tensor = t > -1
    return (torch.where(inside, t, 0).log1p() / a).exp().masked_fill(~inside, 0)


def slopes(p: Tensor, a: float | Tensor) -> Tensor:
    """g = p^(2 - alpha) on the support, 0 outside it."""
    if isinstance(a, float) and a == 1.0:
        return (p > 0).to(p.dtype)
    if isinstance(a, float) and a == 0.5:
        return p.sqrt()
    powers: Tensor = torch.where(p > 0, p, 1).pow(1 - a)
    return powers.masked_fill(p <= 0, 0)


def gradients(p: Tensor, a: float | Tensor, dp: Tensor, wants_alpha: bool) -> tuple[Tensor, Tensor | None]:
    """dx, (..., S), and with `wants_alpha` dalpha, (..., 1), from dp (the head of this file)."""
    g = slopes(p, a)
    total = g.sum(dim=-1, keepdim=True)
    total = total.masked_fill(total == 0, 1)
    mean = (g * dp).sum(dim=-1, keepdim=True) / total
    if not wants_alpha:
        return (dp - mean).mul_(g), None
    w = _by_alpha(p, a)
    return g * (dp - mean), ((dp - mean) * w).sum(dim=-1, keepdim=True)


def _by_alpha(p: Tensor, a: float | Tensor) -> Tensor:
    """w = dp/dalpha at a fixed c: p l^2 r(a l), l = ln p."""
    inside = p > 0
    log = torch.where(inside, p, 1).log()
    s = a * log
    series = torch.full_like(s, 1 / math.factorial(SERIES + 2))  # of -r(s) = sum (-s)^k / (k + 2)!
    for k in range(SERIES - 1, -1, -1):
        series = 1 / math.factorial(k + 2) - s * series
    small = s > -0.25
    # p e^-s = p^(1 - a) stays finite where e^-s alone would overflow
    far = (p - torch.where(inside, p, 1).pow(1 - a) - p * s) / torch.where(small, 1, s * s)
    return torch.where(small, -p * series, far).mul(log * log).masked_fill(~inside, 0)
