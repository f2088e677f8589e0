"""Separation functions: from scores to weights over the memories, non-negative and summing to 1.

Each takes the logits beta * scores, shape (..., M), and returns weights of the same shape along the last axis (U-Hop eq. 2.4):

    softmax       p = exp(x - logsumexp(x))                                     solves max_p <p, x> + H_1(p)
    sparsemax     p = [x - tau]_+                                               solves max_p <p, x> + H_2(p)
    entmax:A      p = [(A - 1) x - tau]_+ ^ (1 / (A - 1))                       solves max_p <p, x> + H_A(p)
    top-k:K       softmax over the K largest, the rest -infinity
    random:S      softmax over a random share S of the memories
    window:W      softmax over the memories at most W places from the query's own place
    polynomial:N  p proportional to [x]_+ ^ (N - 1), the update of the order-N dense associative memory
    argmax        all weight on the largest, shared equally where several are largest

over the simplex p >= 0, sum p = 1, with H_1 = -sum p ln p and H_A = sum (p - p^A) / (A (A - 1)) (docs/equations.md). Softmax is
entmax:1, sparsemax is entmax:2. A memory outside a support has logit -infinity, hence weight exactly 0; logits of -infinity in the
input are welcome everywhere, as long as a row keeps one that is finite.

Sources: Martins & Astudillo 2016 (sparsemax), Peters, Niculae & Martins 2019 (entmax), Krotov & Hopfield 2016 (polynomial),
Hu et al. 2024, arXiv 2404.03900 (top-k, random, window).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.operations import topk
from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.entmax import ARGMAX_ALPHA, entmax, softmax, sparsemax


@dataclass(frozen=True)
class Kind:
    """An entry of the registry `SEPARATIONS`.

    Attributes:
        apply: weights from logits and the parameter (None where there is none).
        parameter: what the number after the colon is, or None.
    """

    apply: Callable[[Array, float], Array]
    parameter: str | None = None


@dataclass(frozen=True)
class Separation:
    """A separation function as a setting: a kind and its parameter. `parse` makes one from text, `label` gives the text back.

    Raises:
        SettingsError: no such kind, a parameter missing, given in vain or out of range.
    """

    kind: str
    parameter: float | None = None

    def __post_init__(self) -> None:
        entry = SEPARATIONS.get(self.kind)
        if entry is None:
            raise SettingsError(f"unknown separation '{self.kind}'", "one of " + ", ".join(CHOICES))
        if (entry.parameter is None) != (self.parameter is None):
            hint = f"write {self.kind}:{entry.parameter}" if entry.parameter else f"write {self.kind}"
            raise SettingsError(f"separation '{self.kind}' takes {'one' if entry.parameter else 'no'} number", hint)
        if self.parameter is not None:
            low, high, whole = RANGES[self.kind]
            if not low <= self.parameter <= high or (whole and self.parameter != int(self.parameter)):
                raise SettingsError(
                    f"separation '{self.kind}' cannot have {entry.parameter} = {self.parameter:g}",
                    f"a {'whole ' if whole else ''}number from {low:g}" + (f" to {high:g}" if math.isfinite(high) else " on"),
                )

    @classmethod
    def parse(cls, text: str) -> Separation:
        """From 'softmax', 'sparsemax', 'entmax:1.5', 'top-k:10', 'argmax', ... (see the head of this file)."""
        kind, colon, number = text.strip().lower().partition(":")
        try:
            return cls(kind, float(number) if colon else None)
        except ValueError:
            raise SettingsError(f"'{number}' in separation '{text}' is not a number") from None

    @property
    def by_place(self) -> bool:
        """Whether it matters where in a batch a query stands."""
        return self.kind in ("random", "window")

    @property
    def label(self) -> str:
        """The text that `parse` reads."""
        return self.kind if self.parameter is None else f"{self.kind}:{self.parameter:g}"

    @property
    def alpha(self) -> float | None:
        """The alpha of the entmax family (softmax 1, sparsemax 2), or None: only this family has the energy of `energy`."""
        return {"softmax": 1.0, "sparsemax": 2.0, "entmax": self.parameter}.get(self.kind)

    def __call__(self, logits: Array) -> Array:
        """Weights (..., M) from logits beta * scores (..., M)."""
        return SEPARATIONS[self.kind].apply(logits, 0.0 if self.parameter is None else self.parameter)


def argmax(logits: Array) -> Array:
    """The limit of softmax as beta grows: 1 on the largest logit, 1/n on each of n that are equally large."""
    return entmax(logits, ARGMAX_ALPHA)


def top_k(logits: Array, k: int) -> Array:
    """Softmax over the k largest logits; of equal ones those that come first. All others have weight 0."""
    return softmax(namespace(logits).where(largest(logits, k), logits, -math.inf))


def largest(logits: Array, k: int) -> Array:
    """Which logits are the k largest of a row, of equal ones those that come first: bool (..., M), min(k, M) true in each row."""
    xp = namespace(logits)
    if k < 1:
        raise SettingsError(f"top-k needs k of at least 1, not {k}")
    smallest = topk(logits, k)[0][..., -1:]
    above, equal = logits > smallest, logits == smallest
    room = min(k, int(logits.shape[-1])) - xp.count_nonzero(above, axis=-1, keepdims=True)
    return above | (equal & (xp.cumulative_sum(xp.astype(equal, room.dtype), axis=-1) <= room))


def random_mask(logits: Array, share: float, seed: int = 0) -> Array:
    """Softmax over ceil(share * M) memories drawn without replacement, for each row anew; the others have weight 0."""
    xp = namespace(logits)
    if not 0 < share <= 1:
        raise SettingsError(f"the share of memories must be above 0 and at most 1, not {share:g}")
    size = int(logits.shape[-1])
    draws = np.random.default_rng(seed).random(tuple(logits.shape))
    kept = np.argsort(np.argsort(draws, axis=-1), axis=-1) < math.ceil(share * size)
    return softmax(xp.where(like(logits, kept), logits, -math.inf))


def window(logits: Array, width: int, centres: Array | None = None) -> Array:
    """Softmax over the memories mu with |mu - centre| <= width; the others have weight 0.

    Args:
        logits: shape (Q, M).
        centres: the place of each query in the order of the memories, shape (Q,); by default query i stands at place i. A place
            outside 0..M-1 counts as the nearest end.
    """
    xp = namespace(logits)
    if width < 0:
        raise SettingsError(f"the window must not be narrower than 0, not {width}")
    queries, size = int(logits.shape[0]), int(logits.shape[1])
    centres = like(logits, np.arange(queries)) if centres is None else centres
    places = like(logits, np.arange(size))
    inside = xp.abs(places[None, :] - xp.clip(centres, 0, size - 1)[:, None]) <= width
    return softmax(xp.where(inside, logits, -math.inf))


def polynomial(logits: Array, order: int) -> Array:
    """[x]_+^(n - 1) / sum [x]_+^(n - 1) for order n, in log space; any beta > 0 gives the same weights.

    The energy -(1/n) sum [x]_+^n has the gradient exponent n - 1, not n. Where no logit is positive no memory attracts, and the
    weights are equal.
    """
    powers = polynomial_logits(logits, order)
    attracted = namespace(logits).any(logits > 0, axis=-1, keepdims=True)
    return softmax(namespace(logits).where(attracted, powers, 0))


def polynomial_logits(logits: Array, order: int) -> Array:
    """(n - 1) ln [x]_+, the logits whose softmax is `polynomial`: -infinity where x is not positive."""
    xp = namespace(logits)
    if order < 2:
        raise SettingsError(f"the polynomial needs an order of at least 2, not {order}")
    positive = logits > 0
    return xp.where(positive, (order - 1) * xp.log(xp.where(positive, logits, 1)), -math.inf)


SEPARATIONS: dict[str, Kind] = {
    "softmax": Kind(lambda x, _: softmax(x)),  # exp(x) / sum exp(x)
    "sparsemax": Kind(lambda x, _: sparsemax(x)),  # [x - tau]+
    "entmax": Kind(lambda x, alpha: entmax(x, alpha), "A"),  # [(A - 1) x - tau]+ ^ (1 / (A - 1))
    "top-k": Kind(lambda x, k: top_k(x, int(k)), "K"),  # softmax over the K largest
    "random": Kind(lambda x, share: random_mask(x, share), "S"),  # softmax over a random share S
    "window": Kind(lambda x, width: window(x, int(width)), "W"),  # softmax over places at most W apart
    "polynomial": Kind(lambda x, order: polynomial(x, int(order)), "N"),  # [x]+ ^ (N - 1), normalised
    "argmax": Kind(lambda x, _: argmax(x)),  # the largest alone
}
CHOICES = tuple(kind if entry.parameter is None else f"{kind}:{entry.parameter}" for kind, entry in SEPARATIONS.items())
# smallest and largest parameter, and whether it has to be whole
RANGES: dict[str, tuple[float, float, bool]] = {
    "entmax": (1.0, 16.0, False),
    "top-k": (1.0, math.inf, True),
    "random": (math.ulp(0.0), 1.0, False),
    "window": (0.0, math.inf, True),
    "polynomial": (2.0, 1000.0, True),
}
