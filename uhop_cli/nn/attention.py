"""States associated with patterns: the function under all Hopfield layers.

    q <- Sep(beta q k^T + m) k      steps - 1 times,          o = Sep(beta q k^T + m) v                      U-Hop eq. (2.4), (3.1)

With softmax, one step and beta = 1 / sqrt(d) this is scaled dot-product attention. Where the weights are not asked for they are
not kept: softmax and random:P go through `scaled_dot_product_attention`, window:W does so band by band, sparsemax and entmax:A go
chunk by chunk (`nn.chunked`), linear and prf:D sum the patterns first (`nn.random_features`); top-k:K and argmax make all weights.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from uhop_cli.errors import SettingsError
from uhop_cli.nn import masks
from uhop_cli.nn.chunked import read_entmax
from uhop_cli.nn.random_features import block_orthogonal, feature_read, feature_weights, lifted
from uhop_cli.nn.separation import LayerSeparation, in_window, separate, support

LIMIT = 1000  # steps to a fixed point, where their number is not limited
BAND = 128  # states of a band at least


def associate(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    beta: float | Sequence[float] | Tensor | None,
    separation: str = "softmax",
    steps: int | None = 1,
    tolerance: float | None = None,
    mask: Tensor | None = None,
    dropout: float = 0.0,
    null: bool = False,
    alpha: Tensor | None = None,
) -> Tensor:
    """Read values out by association (the head of this file).

    Args:
        q: states, (B, H, L, d).
        k: patterns, (B, H, S, d).
        v: values, (B, H, S, P).
        beta: inverse temperature, a number or one a head, (H,); None for linear, which has none.
        separation: one of `nn.separation.KINDS`.
        steps: associations in all, the last one of which reads v; None: as many as the tolerance asks for, at most 1,000.
        tolerance: a sample and head is at its last step when its weights, (L, S), change by no more than this (Frobenius norm).
        mask: see `nn.masks`.
        dropout: share of the weights that are set to 0 in the last step, the others being scaled up.
        null: one more pattern, zeros in k and v, which takes what belongs nowhere; never masked.
        alpha: (H,), in (1, 2], for entmax:learned.

    Returns:
        (B, H, L, P); 0 in rows whose patterns are all masked, and no gradient there.

    Raises:
        SettingsError: shapes that do not fit, or settings that are wrong or would do nothing.
    """
    if q.ndim != 4 or k.ndim != 4 or v.ndim != 4 or q.shape[3] != k.shape[3] or k.shape[2] != v.shape[2]:
        given = ", ".join(str(tuple(x.shape)) for x in (q, k, v))
        raise SettingsError(f"states, patterns and values of shapes {given}", "give (B, H, L, d), (B, H, S, d), (B, H, S, P)")
    kind = LayerSeparation.parse(separation)
    if kind.learned != (alpha is not None):
        raise SettingsError("alpha belongs to entmax:learned, and entmax:learned needs it", "give both or none")
    omegas = None
    if kind.kind == "prf":
        generator = torch.Generator().manual_seed(0)
        omegas = block_orthogonal(int(kind.parameter or 1), q.shape[3], generator).to(q.device)
    beta = tuple(beta) if isinstance(beta, Sequence) else beta
    rule = Rule(separation=kind, beta=beta, alpha=alpha, omegas=omegas, steps=steps, tolerance=tolerance, null=null)
    return rule.read(q, k, v, mask, dropout)


@dataclass(frozen=True, eq=False, kw_only=True)
class Rule:
    """How states are associated with patterns; `associate` says what the fields are.

    Attributes:
        steps: or one a head.
        omegas: (D, d), of prf:D.
        seed: of random:P, int64 ().

    Raises:
        SettingsError: settings that are wrong or would do nothing.
    """

    separation: LayerSeparation
    beta: float | tuple[float, ...] | Tensor | None
    alpha: Tensor | None = None
    omegas: Tensor | None = None
    steps: int | tuple[int, ...] | None = 1
    tolerance: float | None = None
    null: bool = False
    seed: Tensor | None = None

    def __post_init__(self) -> None:
        if (self.beta is None) != (self.separation.kind == "linear"):
            raise SettingsError("beta belongs to every separation but linear, which has none", "leave one of the two out")
        if not isinstance(self.beta, Tensor | None):
            numbers = self.beta if isinstance(self.beta, tuple) else (self.beta,)
            if not all(0 < value < math.inf for value in numbers):
                raise SettingsError(f"beta must be positive, not {self.beta}")
        if self.steps is None and self.tolerance is None:
            raise SettingsError("steps without a number need a tolerance", "give steps=N or tolerance=EPS")
        if self.steps is not None and min((self.steps,) if isinstance(self.steps, int) else self.steps) < 1:
            raise SettingsError(f"an association takes at least one step, not {self.steps}")
        if self.tolerance is not None and (not self.tolerance >= 0 or self.steps == 1):
            raise SettingsError("a tolerance is at least 0 and needs more than one step", "give steps=None for as many as it takes")

    def read(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0) -> Tensor:
        """o, (B, H, L, P)."""
        k, mask = self._prepared(q, k, mask)
        v = F.pad(v, (0, 0, 0, 1)) if self.null else v
        return self._read(self._settled(q, k, mask), k, v, mask, dropout)

    def weights(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
        """Sep(beta q k^T + m) of the last step, (B, H, L, S), with the null pattern's in one more column."""
        k, mask = self._prepared(q, k, mask)
        return self._weights(self._settled(q, k, mask), k, mask)

    def energy(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
        """E = <q, q>/2 - Psi*, (B, H, L), of the states as they are after `steps` - 1 updates.

        Psi* = (<p, x> + H_alpha(p)) / beta with x = beta q k^T + m and p = entmax_alpha(x) (U-Hop eq. 2.2, 2.3; for alpha = 1 it is
        logsumexp(x) / beta). An update never raises it. 0 for Psi* where no pattern takes part.

        Raises:
            SettingsError: a separation that has no energy.
        """
        kind = self.separation
        if self.beta is None or (kind.alpha is None and not kind.learned):
            raise SettingsError(f"separation '{kind.kind}' has no known energy", "softmax, sparsemax and entmax have one")
        k, mask = self._prepared(q, k, mask)
        q = self._settled(q, k, mask)
        logits = masks.applied(self.scaled(q) @ k.mT, mask)
        p = separate(kind, logits, self.alpha)
        log = torch.where(p > 0, p, 1).log()
        if kind.alpha == 1:
            entropy = -p * log
        else:
            alpha = self.alpha[:, None, None] if self.alpha is not None else kind.alpha
            assert alpha is not None
            entropy = -p * torch.expm1((alpha - 1) * log) / (alpha * (alpha - 1))
        conjugate = (p * logits.masked_fill(p == 0, 0) + entropy).sum(dim=-1)
        return q.square().sum(dim=-1) / 2 - conjugate / self._betas(q)[..., 0]

    def _prepared(self, q: Tensor, k: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """The patterns and the mask with the null pattern, and the mask with what random:P leaves."""
        scores = (q.shape[0], q.shape[1], q.shape[2], k.shape[2])
        mask = masks.expanded(mask, scores)
        if self.separation.kind == "random":
            seed = torch.zeros((), dtype=torch.int64, device=q.device) if self.seed is None else self.seed
            allowed = None if mask is None else mask if mask.dtype == torch.bool else mask != -math.inf
            inside = support(self.separation, scores, allowed, seed)
            mask = mask if inside is None else masks.joined(mask, inside)
        return (F.pad(k, (0, 0, 0, 1)), masks.with_null(mask)) if self.null else (k, mask)

    def _settled(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
        """The states before the last step. A head, or with a tolerance a sample and head, that is done stays as it is."""
        if self.tolerance is None and isinstance(self.steps, int):
            for _ in range(self.steps - 1):
                q = self._read(q, k, k, mask).to(q.dtype)
            return q
        limits = q.new_tensor((LIMIT if self.steps is None else self.steps), dtype=torch.int64).reshape(1, -1, 1, 1)
        active = torch.ones(*q.shape[:2], 1, 1, dtype=torch.bool, device=q.device)
        p = None if self.tolerance is None else self._weights(q, k, mask)
        most = LIMIT if self.steps is None else self.steps if isinstance(self.steps, int) else max(self.steps)
        for step in range(1, most):
            active = active & (step < limits)
            if p is None:
                q = torch.where(active, self._read(q, k, k, mask), q)
                continue
            if not bool(active.any()):
                break
            q = torch.where(active, (p @ k).to(q.dtype), q)
            new = self._weights(q, k, mask)
            active = active & ((new - p).detach().norm(dim=(2, 3), keepdim=True) > self.tolerance)
            p = new
        return q

    def _betas(self, q: Tensor) -> Tensor:
        """beta, (H, 1, 1) or (1, 1, 1), in the dtype of q."""
        beta = (
            self.beta
            if isinstance(self.beta, Tensor)
            else torch.tensor(1.0 if self.beta is None else self.beta, dtype=torch.float64)
        )
        return beta.to(q).reshape(-1, 1, 1)

    def scaled(self, q: Tensor) -> Tensor:
        """beta q."""
        return q * (self.beta if isinstance(self.beta, float) else self._betas(q))

    def _lifted(self, q: Tensor, k: Tensor, keys: Tensor | None) -> tuple[Tensor, Tensor]:
        """psi of the states and patterns."""
        root = self._betas(q).sqrt()
        return lifted(q, k, None, keys) if self.omegas is None else lifted(q * root, k * root, self.omegas, keys)

    def _weights(self, q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
        if self.separation.by_features:
            keys = _keys(mask)
            states, patterns = self._lifted(q, k, keys)
            return feature_weights(states, patterns, None if keys is not None else mask)
        if self.separation.kind == "window":
            size = k.shape[2] - self.null
            inside = support(self.separation, (*q.shape[:3], size), None, torch.zeros((), dtype=torch.int64, device=q.device))
            inside = masks.with_null(inside) if self.null else inside
            mask = mask if inside is None else masks.joined(mask, inside)
        return separate(self.separation, masks.applied(self.scaled(q) @ k.mT, mask), self.alpha)

    def _read(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float = 0.0) -> Tensor:
        kind = self.separation
        if kind.kind == "window" and q.shape[2] > BAND:
            return self._read_bands(q, k, v, mask, dropout)
        if kind.kind in ("softmax", "random") or kind.alpha == 1:
            return self._read_softmax(q, k, v, mask, dropout)
        if kind.by_features and dropout == 0 and (mask is None or _keys(mask) is not None):
            return feature_read(*self._lifted(q, k, _keys(mask)), v).to(v.dtype)
        learned_mask = mask is not None and mask.requires_grad
        if (kind.learned or kind.kind in ("sparsemax", "entmax")) and dropout == 0 and not learned_mask:
            alpha = self.alpha if kind.alpha is None else kind.alpha
            assert alpha is not None
            return read_entmax(self.scaled(q), k, v, alpha, mask)
        return F.dropout(self._weights(q, k, mask), dropout).to(v.dtype) @ v

    def _read_softmax(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
        q, scale = (q, float(self.beta)) if isinstance(self.beta, float | int) else (self.scaled(q), 1.0)
        if mask is None:
            return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, scale=scale)
        dead = masks.dead_rows(mask)
        mask = masks.revived(mask, dead)
        mask = mask if mask.dtype == torch.bool else mask.to(q.dtype)
        return F.scaled_dot_product_attention(q, k, v, mask, dropout, scale=scale).masked_fill(dead, 0)

    def _read_bands(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
        """window:W, O(L W): each band of states with the patterns within W of one of them, and with the null pattern."""
        width, size = int(self.separation.parameter or 0), k.shape[2] - self.null
        rows, out = max(BAND, 2 * width), []
        for first in range(0, q.shape[2], rows):
            last = min(first + rows, q.shape[2])
            begin, end = max(0, min(first, size - 1) - width), min(size, last + width)
            states, patterns = (torch.arange(*ends, device=q.device) for ends in ((first, last), (begin, end)))
            here = None if mask is None else mask[:, :, slice(first, last) if mask.shape[2] > 1 else slice(None), begin:end]
            inside: Tensor | None = masks.joined(here, in_window(states, patterns, width, size)[None, None])
            keys, values = k[:, :, begin:end], v[:, :, begin:end]
            if self.null:
                inside, keys, values = (
                    masks.with_null(inside),
                    *(torch.cat([x, y[:, :, -1:]], 2) for x, y in ((keys, k), (values, v))),
                )
            out.append(self._read_softmax(q[:, :, first:last], keys, values, inside, dropout))
        return torch.cat(out, dim=2)


def _keys(mask: Tensor | None) -> Tensor | None:
    """The mask if it is a bool one that is the same for all states, else None."""
    return mask if mask is not None and mask.dtype == torch.bool and mask.shape[2] == 1 else None
