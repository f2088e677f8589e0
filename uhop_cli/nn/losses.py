"""Separation losses of tokens, a sequence at a time, and how far apart they are: U-Hop (2.6), (3.2), G.2 and U-Hop+ for layers.

With C_ij the cosine of two features of a sequence, over its pairs i < j of different tokens (`uhop_cli.kernel.losses` has the same
equations for memories, with their gradients and bounds):

    average      log mean exp(-2t (1 - C_ij))             max          max -2t (1 - C_ij)
    orthogonal   log mean exp(-2t (1 - C_ij^2))           temperature  tau log mean exp(C_ij / tau)

All cosines come from one Gram matrix a sequence, so that no normalised copy of the features is made: 2 T^2 D operations, against 8
T D^2 of a layer's projections.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from uhop_cli.errors import SettingsError
from uhop_cli.kernel.spherical_codes import code_bounds

Kind = Literal["average", "orthogonal", "max", "temperature"]
SHARPNESS: dict[Kind, float] = {"average": 2.0, "orthogonal": 2.0, "max": 2.0, "temperature": 0.1}


def separation_loss(features: Tensor, kind: Kind = "average", t: float | None = None, mask: Tensor | None = None) -> Tensor:
    """The separation loss of each sequence (the head of this file).

    Args:
        features: Phi of the tokens, (..., T, D), normalised in here; half precision is computed in float32.
        kind: which one.
        t: sharpness, 2 by default; for "temperature" it is tau, .1 by default.
        mask: (..., T), True = is a token.

    Returns:
        (...): 0 for a sequence of fewer than two tokens, which has no pair.

    Raises:
        SettingsError: an unknown kind, a t that is not positive, or fewer than two tokens.
    """
    if kind not in SHARPNESS:
        raise SettingsError(f"unknown separation loss '{kind}'", "one of " + ", ".join(SHARPNESS))
    t = SHARPNESS[kind] if t is None else t
    if not 0 < t < math.inf:
        raise SettingsError(f"the sharpness of a separation loss must be a positive number, not {t}")
    if features.ndim < 2 or features.shape[-2] < 2:
        raise SettingsError(f"features of shape {tuple(features.shape)} have no pairs", "give (..., T, D) with T of at least 2")
    c = cosines(features)
    if kind == "max":
        pairs = _pairs(c, mask)
        top = c.masked_fill(~pairs, -math.inf).amax(dim=(-2, -1))
        return torch.where(top == -math.inf, 0, 2 * t * (top - 1))
    if kind == "temperature":
        scores, scale, shift = c / t, t, 0.0
    else:
        scores, scale, shift = 2 * t * (c.square() if kind == "orthogonal" else c), 1.0, 2 * t
    if mask is None:
        mean: Tensor = _LogMeanExp.apply(scores)  # type: ignore[no-untyped-call]
        return scale * mean - shift
    pairs = _pairs(c, mask)
    counts = pairs.sum(dim=(-2, -1))
    none = counts == 0
    scores = scores.masked_fill(~(pairs | none[..., None, None]), -math.inf)  # a finite sum also where it is not asked for
    mean = scores.flatten(-2).logsumexp(dim=-1) - counts.clamp_min(1).to(scores.dtype).log()
    return torch.where(none, 0, scale * mean - shift)


def cosines(features: Tensor) -> Tensor:
    """C, (..., T, T), from features (..., T, D); 0 with a vector of length 0."""
    z = features.float() if features.dtype.itemsize < 4 else features
    with torch.autocast(z.device.type, enabled=False):
        c: Tensor = _Cosines.apply(z)  # type: ignore[no-untyped-call]
    return c


class _Cosines(torch.autograd.Function):
    """C = R Z Z^T R, R = diag(1/|z_i|), with the one product that its gradient needs.

    With S = dC + dC^T, dZ = A Z, A_ij = S_ij r_i r_j off the diagonal and A_ii = -r_i^2 sum_{j != i} S_ij C_ij: C_ii is constant.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor) -> Tensor:
        gram = z @ z.mT
        squares = gram.diagonal(dim1=-2, dim2=-1)
        inverse = squares.rsqrt().masked_fill_(squares <= 0, 0)
        c = gram.mul_(inverse[..., :, None]).mul_(inverse[..., None, :])
        ctx.save_for_backward(z, c, inverse)
        return c

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d: Tensor) -> Tensor:
        z, c, inverse = ctx.saved_tensors
        s = d + d.mT
        s.diagonal(dim1=-2, dim2=-1).zero_()
        own = torch.linalg.vecdot(s, c).mul_(inverse).mul_(inverse)
        a = s.mul_(inverse[..., :, None]).mul_(inverse[..., None, :])
        a.diagonal(dim1=-2, dim2=-1).sub_(own)
        return a @ z  # type: ignore[no-any-return]


class _LogMeanExp(torch.autograd.Function):
    """log mean_{i != j} exp(s_ij) of scores (..., T, T); its gradient is the softmax over the pairs."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor) -> Tensor:
        size = scores.shape[-1]
        weights = scores.clone()
        weights.diagonal(dim1=-2, dim2=-1).fill_(-math.inf)
        top = weights.amax(dim=(-2, -1), keepdim=True)
        weights.sub_(top).exp_()
        total = weights.sum(dim=(-2, -1), keepdim=True)
        ctx.save_for_backward(weights.div_(total))
        return (total.log() + top)[..., 0, 0] - math.log(size * (size - 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d: Tensor) -> Tensor:
        (weights,) = ctx.saved_tensors
        return weights * d[..., None, None]  # type: ignore[no-any-return]


@dataclass(frozen=True, eq=False)
class CodeMeasures:
    """Tokens of a sequence as a spherical code, the features normalised (U-Hop+, arXiv 2410.23126); all of shape (B,).

    Attributes:
        separation: Delta_min = min_{i<j} 1 - C_ij, what U-Hop+ maximises; infinity for fewer than two tokens.
        mean_separation: mean_{i<j} 1 - C_ij.
        temperature_loss: tau log mean_{i<j} exp(C_ij / tau), tau = .1: 1 - separation, softened.
        best: the largest Delta_min that as many tokens can have in D dimensions: an upper bound, reached by some code where
            T <= 2 D (`uhop_cli.kernel.spherical_codes`).
        tokens: how many there are.
    """

    separation: Tensor
    mean_separation: Tensor
    temperature_loss: Tensor
    best: Tensor
    tokens: Tensor


@torch.no_grad()
def measure(features: Tensor, mask: Tensor | None = None) -> CodeMeasures:
    """The measures of features (B, T, D), with a mask (B, T), True = is a token.

    Raises:
        SettingsError: fewer than two tokens, or a mask of another shape.
    """
    loss = separation_loss(features, "temperature", mask=mask)
    distance = 1 - cosines(features)
    pairs = _pairs(distance, mask)
    tokens = torch.full_like(loss, features.shape[-2], dtype=torch.int64) if mask is None else mask.sum(dim=-1)
    bounds = {n: math.inf if n < 2 else code_bounds(n, features.shape[-1]).upper for n in set(tokens.flatten().tolist())}
    return CodeMeasures(
        separation=distance.masked_fill(~pairs, math.inf).amin(dim=(-2, -1)),
        mean_separation=(distance * pairs).sum(dim=(-2, -1)) / pairs.sum(dim=(-2, -1)).clamp_min(1),
        temperature_loss=loss,
        best=loss.new_tensor([bounds[n] for n in tokens.flatten().tolist()]).reshape(tokens.shape),
        tokens=tokens,
    )


def _pairs(c: Tensor, mask: Tensor | None) -> Tensor:
    """Which entries of (..., T, T) are pairs of different tokens; each pair stands twice."""
    size = c.shape[-1]
    different = ~torch.eye(size, dtype=torch.bool, device=c.device)
    if mask is None:
        return different
    if mask.shape != c.shape[:-1] or mask.dtype != torch.bool:
        raise SettingsError(
            f"a mask of {mask.dtype} {tuple(mask.shape)} for tokens {tuple(c.shape[:-1])}", "bool, True = is a token"
        )
    return different & mask[..., :, None] & mask[..., None, :]
