"""Associations through a feature map: O(L + S) in time and memory, as the patterns are summed before any state is known.

    p_ls = <psi(q_l), psi(k_s)> / sum_s <psi(q_l), psi(k_s)>,        o_l = psi(q_l) (sum_s psi(k_s) v_s^T) / psi(q_l) (sum_s
    psi(k_s))

    linear    psi(x) = elu(x) + 1; there is no beta                                          Katharopoulos et al. 2020
    prf:D     psi(x)_j = exp(<omega_j, u> - ||u||^2 / 2), u = sqrt(beta) x, D random omega   Choromanski et al. 2021

E <psi(x), psi(y)> = D exp(beta <x, y>), so prf estimates softmax; its variance grows like exp(beta ||x + y||^2), so patterns
should be of moderate length. The omega come in orthogonal blocks with the lengths of Gaussian vectors. Exponents are kept as
logarithms, less the largest of each feature over the patterns and then the largest of each state, so that nothing overflows.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from uhop_cli.nn.masks import applied


def block_orthogonal(features: int, size: int, generator: torch.Generator | None = None) -> Tensor:
    """omega, (D, d): rows of N(0, I) made orthogonal in blocks of d, their lengths those of Gaussian vectors."""
    blocks = []
    for _ in range(math.ceil(features / size)):
        basis, triangle = torch.linalg.qr(torch.randn(size, size, generator=generator))
        blocks.append(basis * triangle.diagonal().sign())  # else the basis is not uniformly distributed
    lengths = torch.randn(features, size, generator=generator).norm(dim=1, keepdim=True)
    return torch.cat(blocks)[:features].mul(lengths)


def lifted(q: Tensor, k: Tensor, omegas: Tensor | None, keys: Tensor | None) -> tuple[Tensor, Tensor]:
    """psi(q) and psi(k), (B, H, L, D) and (B, H, S, D), each row of psi(q) scaled at will. With `omegas` None: elu + 1.

    Args:
        q, k: for prf both times sqrt(beta).
        keys: None, or which patterns take part, bool, (B, 1 or H, 1, S): psi(k) of the others is 0.
    """
    if omegas is None:
        patterns = _elu_plus_one(k)
        return _elu_plus_one(q), patterns if keys is None else patterns * keys.mT
    q, k = q.float() if q.dtype.itemsize < 4 else q, k.float() if k.dtype.itemsize < 4 else k
    states, patterns = _exponents(q, omegas), _exponents(k, omegas)
    patterns = patterns if keys is None else patterns.masked_fill(~keys.mT, -math.inf)
    high = patterns.detach().amax(dim=-2, keepdim=True).clamp_min(-1e30)
    states = states + high
    return (states - states.detach().amax(dim=-1, keepdim=True)).exp(), (patterns - high).exp()


def _elu_plus_one(x: Tensor) -> Tensor:
    return torch.where(x > 0, x + 1, x.clamp_max(0).exp())


def _exponents(x: Tensor, omegas: Tensor) -> Tensor:
    return x @ omegas.to(x.dtype).T - x.square().sum(dim=-1, keepdim=True) / 2


def feature_weights(states: Tensor, patterns: Tensor, mask: Tensor | None) -> Tensor:
    """p, (B, H, L, S), from psi; a float mask multiplies by exp(m), as it does in softmax. 0 in rows without a pattern."""
    weights = states @ patterns.mT
    if mask is not None:
        weights = weights * applied(torch.zeros_like(weights), mask).exp()
    total = weights.sum(dim=-1, keepdim=True)
    return weights / total.masked_fill(total == 0, 1)


def feature_read(states: Tensor, patterns: Tensor, values: Tensor) -> Tensor:
    """o, (B, H, L, P), from the sums over the patterns; 0 where no pattern takes part."""
    total = states @ patterns.sum(dim=-2)[..., None]
    return states @ (patterns.mT @ values.to(patterns.dtype)) / total.masked_fill(total == 0, 1)
