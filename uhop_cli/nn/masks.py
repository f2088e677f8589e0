"""Masks: which patterns a state may be associated with, and what is added to their scores.

Bool: True = takes part (the convention of `scaled_dot_product_attention`; the opposite of `nn.MultiheadAttention` and hflayers).
Float: m in Sep(beta q k^T + m), -infinity takes a pattern out; beta does not touch it. Shapes:

    (B, S)          keys: for all states and heads of a sample
    (B, L, S)       pairs; B may be 1
    (B, H, L, S)    pairs, a head; each of B, H, L may be 1
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from uhop_cli.errors import SettingsError


def expanded(mask: Tensor | None, scores: tuple[int, int, int, int]) -> Tensor | None:
    """The mask with four axes, broadcasting to scores (B, H, L, S).

    Raises:
        SettingsError: another dtype than bool or float, or a shape that does not fit.
    """
    if mask is None:
        return None
    if mask.dtype != torch.bool and not mask.is_floating_point():
        raise SettingsError(f"a mask of {mask.dtype}", "give bool (True = takes part) or float (added to the scores)")
    given = tuple(mask.shape)
    if mask.ndim == 2:
        mask = mask[:, None, None, :]
    elif mask.ndim == 3:
        mask = mask[:, None]
    fits = mask.ndim == 4 and mask.shape[3] == scores[3] and all(n in (1, m) for n, m in zip(mask.shape, scores, strict=True))
    if not fits:
        raise SettingsError(
            f"a mask of shape {given} for (B, H, L, S) = {scores}", "give (B, S), (B, L, S) or (B, H, L, S); (L, S) as mask[None]"
        )
    return mask


def with_null(mask: Tensor | None) -> Tensor | None:
    """The mask (..., S) with one more pattern at the end, which is never masked: (..., S + 1)."""
    return None if mask is None else F.pad(mask, (0, 1), value=mask.dtype == torch.bool)


def joined(mask: Tensor | None, inside: Tensor) -> Tensor:
    """The mask, and outside the bool array `inside` nothing."""
    if mask is None:
        return inside
    return mask & inside if mask.dtype == torch.bool else mask.masked_fill(~inside, -math.inf)


def applied(logits: Tensor, mask: Tensor | None) -> Tensor:
    """beta q k^T + m."""
    if mask is None:
        return logits
    return logits.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else logits + mask.to(logits.dtype)


def dead_rows(mask: Tensor) -> Tensor:
    """Rows of which nothing takes part, bool, (..., 1)."""
    return ~(mask if mask.dtype == torch.bool else mask != -math.inf).any(dim=-1, keepdim=True)


def revived(mask: Tensor, dead: Tensor) -> Tensor:
    """The mask with everything taking part in dead rows, so that softmax is defined there."""
    return mask | dead if mask.dtype == torch.bool else mask.masked_fill(dead, 0)
