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
_LARGE = 30.0  # up to here exp(a C) can be summed in float32 as it is: e^30 = 1e13


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
    pairs = None if mask is None else _pairs(features.shape[:-1], mask)
    if kind == "max":
        pairs = _different(features) if pairs is None else pairs
        top = cosines(features).masked_fill(~pairs, -math.inf).amax(dim=(-2, -1))
        return torch.where(top == -math.inf, 0, 2 * t * (top - 1))
    z = features.float() if features.dtype.itemsize < 4 else features
    sharpness, scale = (1 / t, t) if kind == "temperature" else (2 * t, 1.0)
    with torch.autocast(z.device.type, enabled=False):
        mean: Tensor = _LogMeanExp.apply(z, sharpness, kind == "orthogonal", pairs)  # type: ignore[no-untyped-call]
    loss = scale * mean if kind == "temperature" else mean - sharpness
    return loss if mask is None else torch.where(mask.sum(dim=-1) < 2, 0, loss)


def cosines(features: Tensor) -> Tensor:
    """C, (..., T, T), from features (..., T, D); 0 with a vector of length 0, which has no gradient either."""
    z = features.float() if features.dtype.itemsize < 4 else features
    with torch.autocast(z.device.type, enabled=False):
        gram = z @ z.mT
        squares = gram.diagonal(dim1=-2, dim2=-1)
        inverse = torch.where(squares > 0, squares, math.inf).rsqrt()
        return gram * inverse[..., :, None] * inverse[..., None, :]


class _LogMeanExp(torch.autograd.Function):
    """log mean exp(a C_ij), or of a C_ij^2, over the pairs of z, in two products of (T, D) and a dozen operations on (T, T).

    With r_i = sqrt(b) / |z_i|, s_ij = r_i r_j z_i . z_j = b C_ij, and, 0 beside the pairs, either b = a, e_ij = w_ij = exp(s_ij)
    or b = sqrt(a), e_ij = exp(s_ij^2), w_ij = 2 s_ij e_ij, the gradient is A z:

        A_ij = (2 / sum e) w_ij r_i r_j  for i != j,        A_ii = -(2 / sum e) r_i^2 sum_j w_ij s_ij / b,   as C_ii is constant.

    Beside a layer's ten large products a loss of some thousand pairs costs what its calls cost: there are few.
    """

    @staticmethod
    def forward(ctx: Any, z: Tensor, a: float, square: bool, pairs: Tensor | None) -> Tensor:
        b = math.sqrt(a) if square else a
        scores = z @ z.mT
        squares = scores.diagonal(dim1=-2, dim2=-1)
        lengths = (squares / b).rsqrt_().masked_fill_(squares <= 0, 0)
        scores.mul_(lengths[..., :, None]).mul_(lengths[..., None, :])
        exponents = scores.square() if square else scores
        if a > _LARGE:
            among = _different(z) if pairs is None else pairs
            top = exponents.masked_fill(~among, -math.inf).amax(dim=(-2, -1), keepdim=True).clamp_min_(-2 * a)
            terms = (exponents - top).exp_()
        else:
            top = None
            terms = exponents.exp_() if square else exponents.exp()
        if pairs is None:
            terms.diagonal(dim1=-2, dim2=-1).zero_()
            count: float | Tensor = z.shape[-2] * (z.shape[-2] - 1)
        else:
            terms.masked_fill_(~pairs, 0)
            count = pairs.sum(dim=(-2, -1)).clamp_min(1)
        total = terms.sum(dim=(-2, -1))
        ctx.save_for_backward(z, scores, lengths, terms, total)
        ctx.scale, ctx.square = b, square
        mean = (total / count).log_()
        return mean if top is None else mean.add_(top[..., 0, 0])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d: Tensor) -> tuple[Tensor, None, None, None]:
        z, scores, lengths, terms, total = ctx.saved_tensors
        weights = terms * scores if ctx.square else terms
        factor = (torch.where(total > 0, d / total, 0) * (4 if ctx.square else 2))[..., None] * lengths
        own = (weights * scores).sum(dim=-1).mul_(lengths).mul_(factor).div_(ctx.scale)
        matrix = (weights * factor[..., :, None]).mul_(lengths[..., None, :])
        matrix.diagonal(dim1=-2, dim2=-1).sub_(own)
        return matrix @ z, None, None, None


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
    pairs = _different(features) if mask is None else _pairs(features.shape[:-1], mask)
    tokens = torch.full_like(loss, features.shape[-2], dtype=torch.int64) if mask is None else mask.sum(dim=-1)
    bounds = {n: math.inf if n < 2 else code_bounds(n, features.shape[-1]).upper for n in set(tokens.flatten().tolist())}
    return CodeMeasures(
        separation=distance.masked_fill(~pairs, math.inf).amin(dim=(-2, -1)),
        mean_separation=(distance * pairs).sum(dim=(-2, -1)) / pairs.sum(dim=(-2, -1)).clamp_min(1),
        temperature_loss=loss,
        best=loss.new_tensor([bounds[n] for n in tokens.flatten().tolist()]).reshape(tokens.shape),
        tokens=tokens,
    )


def _different(features: Tensor) -> Tensor:
    """Which entries of (T, T) are pairs of different tokens; each pair stands twice."""
    return ~torch.eye(features.shape[-2], dtype=torch.bool, device=features.device)


def _pairs(tokens: torch.Size, mask: Tensor) -> Tensor:
    """Which entries of (..., T, T) are pairs of different tokens that the mask (..., T) lets stand."""
    if mask.shape != tokens or mask.dtype != torch.bool:
        raise SettingsError(f"a mask of {mask.dtype} {tuple(mask.shape)} for tokens {tuple(tokens)}", "bool, True = is a token")
    return _different(mask[..., None]) & mask[..., :, None] & mask[..., None, :]
