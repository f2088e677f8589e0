"""The separation functions of the layers: weights over the patterns from logits beta q k^T + m, shape (B, H, L, S).

    softmax, sparsemax, entmax:A      Sep_alpha with alpha 1, 2, A                                                   `nn.entmax`
    entmax:learned                    alpha = 1 + sigmoid(a), one a head
    top-k:K                           softmax over the K largest, of equal ones those that come first
    window:W                          softmax over patterns at most W places from the state's own place
    random:P                          softmax over ceil(P n) of the n patterns that may take part, drawn anew for each head and
    state
    argmax                            all weight on the largest, shared where several are; it has no gradient
    linear, prf:D                     a feature map in place of the exponential kernel                      `nn.random_features`

Names and numbers are those of `--separation` (`uhop_cli.retrieval.separation`, whose parser reads them); linear, prf and
entmax:learned are the layers' own. Sources: Wu et al. 2024 (arXiv 2404.03827), Hu et al. 2024 (arXiv 2404.03900).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from uhop_cli.errors import SettingsError
from uhop_cli.nn.entmax import entmax, masked_softmax
from uhop_cli.retrieval.separation import Separation

KINDS = ("softmax", "sparsemax", "entmax:A", "entmax:learned", "top-k:K", "window:W", "random:P", "linear", "prf:D", "argmax")
FIRST, SECOND = 0x9E3779B1, 0x85EBCA6B  # odd constants of well-known 32-bit mixers
LOW = 0xFFFFFFFF


@dataclass(frozen=True)
class LayerSeparation:
    """A separation function of a layer, from its text.

    Attributes:
        kind: the word before the colon.
        parameter: the number after it, or None.
        learned: whether alpha is a parameter of the layer.
    """

    kind: str
    parameter: float | None = None
    learned: bool = False

    @classmethod
    def parse(cls, text: str) -> LayerSeparation:
        """From one of `KINDS`, with a number for A, K, W, P, D.

        Raises:
            SettingsError: no such function, or a number that it cannot have.
        """
        kind, colon, number = text.strip().lower().partition(":")
        if (kind, number) == ("entmax", "learned"):
            return cls(kind, None, True)
        if kind == "linear" and not colon:
            return cls(kind)
        if kind == "prf":
            if not number.isdecimal() or int(number) < 1:
                raise SettingsError(f"separation '{text}' needs a number of features", "write prf:D, D about d ln d")
            return cls(kind, int(number))
        if kind in ("linear", "polynomial"):
            raise SettingsError(f"layers have no separation '{text}'", "one of " + ", ".join(KINDS))
        read = Separation.parse(text)
        return cls(read.kind, read.parameter)

    @property
    def alpha(self) -> float | None:
        """The alpha of the entmax family where it is a number: softmax 1, sparsemax 2, entmax:A; else None."""
        return {"softmax": 1.0, "sparsemax": 2.0, "entmax": self.parameter}.get(self.kind)

    @property
    def by_features(self) -> bool:
        """Whether a feature map stands in place of the exponential kernel."""
        return self.kind in ("linear", "prf")


def separate(rule: LayerSeparation, logits: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Weights (B, H, L, S) of `softmax` to `argmax`, the support of window and random being in the logits already (`support`).

    Args:
        logits: -infinity where a pattern takes no part.
        alpha: (H,) for entmax:learned.
    """
    if rule.learned and alpha is not None:
        return entmax(logits, alpha[:, None, None])
    if rule.kind == "argmax":
        best = logits == logits.amax(dim=-1, keepdim=True)
        best &= logits != -math.inf
        return best.to(logits.dtype) / best.sum(dim=-1, keepdim=True).clamp_min(1)
    if rule.kind == "top-k":
        logits = logits.masked_fill(~largest(logits.detach(), int(rule.parameter or 1)), -math.inf)
    return masked_softmax(logits) if rule.alpha is None else entmax(logits, rule.alpha)


def support(rule: LayerSeparation, scores: tuple[int, int, int, int], taking_part: Tensor | None, seed: Tensor) -> Tensor | None:
    """The patterns that window:W or random:P leave, bool, broadcasting to (B, H, L, S); None: all.

    Args:
        taking_part: bool, what the mask allows; broadcasts to the scores.
        seed: of the random choice, an int64 tensor ().
    """
    _, heads, length, size = scores
    if rule.kind == "window":
        places = [torch.arange(n, device=seed.device) for n in (length, size)]
        return in_window(places[0], places[1], int(rule.parameter or 0), size)[None, None]
    if rule.kind != "random":
        return None
    draws = _hashed(heads, length, size, seed)[None]
    allowed = torch.ones(1, 1, 1, size, dtype=torch.bool, device=seed.device) if taking_part is None else taking_part
    draws = draws.masked_fill(~allowed, LOW + 1)
    count = torch.ceil(
        allowed.sum(dim=-1, keepdim=True) * (rule.parameter or 1.0) * (1 - 1e-6)
    )  # P n may be whole but for rounding
    return (draws.argsort(dim=-1).argsort(dim=-1) < count) & allowed


def in_window(states: Tensor, patterns: Tensor, width: int, size: int) -> Tensor:
    """|s - l| <= W for places of states (L',) and patterns (S',): bool (L', S'); l is at most the place of the last of `size`."""
    return (patterns - states.clamp_max(size - 1)[:, None]).abs() <= width


def largest(logits: Tensor, k: int) -> Tensor:
    """Which logits are the k largest of a row, of equal ones those that come first: bool, the shape of the logits."""
    k = min(k, logits.shape[-1])
    smallest = logits.topk(k, dim=-1).values[..., -1:]
    above, equal = logits > smallest, logits == smallest
    return above | (equal & (equal.cumsum(dim=-1) <= k - above.sum(dim=-1, keepdim=True)))


def _hashed(heads: int, length: int, size: int, seed: Tensor) -> Tensor:
    """A number of 32 bits for each head, state and pattern, int64 (H, L, S): a function of these places and the seed alone.

    So the choice is the same in every sample of a batch, and that of a state does not depend on how many others there are.
    """
    index = [torch.arange(n, device=seed.device) for n in (heads, length, size)]
    mixed = seed & LOW
    for places in (index[0][:, None, None], index[1][:, None], index[2]):
        mixed = ((mixed ^ places) * FIRST) & LOW
        mixed = ((mixed ^ (mixed >> 15)) * SECOND) & LOW
        mixed = mixed ^ (mixed >> 13)
    return mixed
