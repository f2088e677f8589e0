"""Models of fixed size: the memories are summed into one state, and retrieval never looks at them one by one.

With a positive feature map psi the kernel <psi(x), psi(xi)> stands in place of exp(beta <x, xi>), and the sum over the memories
can be taken before the query is known:

    T(x) = sum_mu <psi(x), psi(xi_mu)> xi_mu / sum_mu <psi(x), psi(xi_mu)> = psi(x)^T S / psi(x)^T s,
    S = sum_mu psi(xi_mu) xi_mu^T  (D, d),      s = sum_mu psi(xi_mu)  (D,).

The state (S, s) has D (d + 1) values however many patterns are written; a query costs O(D d). The price: the weights over the
memories are not there to be looked at, and crosstalk grows with M. Source: Hu et al. 2024 (arXiv 2404.03900), Katharopoulos et
al. 2020 (elu + 1), Choromanski et al. 2021 (positive random features).
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Float64
from uhop_cli.errors import SettingsError

WRITE_VALUES = 1 << 24  # features of one block of patterns while they are summed (64 MB of float32)


class FixedSizeMemory(Protocol):
    """What both models offer."""

    def write(self, patterns: Array) -> None:
        """Add patterns, shape (M, d), to the state. Writing twice is the same as writing all at once."""

    def read(self, queries: Array) -> Array:
        """T(x) for rows `queries` (Q, d): shape (Q, d)."""

    @property
    def state_values(self) -> int:
        """How many numbers the state has, D (d + 1)."""


class LinearMemory:
    """The linear model, psi(x) = elu(x) + 1, which is x + 1 for x > 0 and exp(x) below: D = d.

    Args:
        dim: d.
    """

    def __init__(self, dim: int) -> None:
        if dim < 1:
            raise SettingsError(f"patterns need at least one value, not {dim}")
        self.dim = dim
        self._sums: Array | None = None  # (d, d + 1): S and, as its last column, s

    @property
    def state_values(self) -> int:
        """d (d + 1)."""
        return self.dim * (self.dim + 1)

    def write(self, patterns: Array) -> None:
        """S += sum psi(xi) xi^T, s += sum psi(xi)."""
        _check(patterns, self.dim)
        for part in chunks(patterns.shape[0], WRITE_VALUES // self.dim):
            new = self._lift(patterns[part]).T @ _with_ones(patterns[part])
            self._sums = new if self._sums is None else self._sums + new

    def read(self, queries: Array) -> Array:
        """psi(x)^T S / psi(x)^T s."""
        _check(queries, self.dim)
        if self._sums is None:
            raise SettingsError("nothing has been written to this memory")
        both = self._lift(queries) @ self._sums
        return both[:, :-1] / both[:, -1:]

    @staticmethod
    def _lift(x: Array) -> Array:
        xp = namespace(x)
        return xp.where(x > 0, x + 1, xp.exp(xp.clip(x, None, 0)))


class RandomFeatureMemory:
    """Positive random features of the exponential kernel.

    psi(u)_j = exp(<omega_j, u> - ||u||^2 / 2) / sqrt(D) with u = sqrt(beta) x and omega_j ~ N(0, I) has E <psi(x), psi(y)> =
    exp(beta <x, y>), so that T estimates the softmax model. The omegas come in orthogonal blocks of d with the lengths of
    Gaussian vectors, which is unbiased and has less variance. That variance grows like exp(beta ||x + y||^2): patterns of unit
    length and a moderate beta are what the estimate is good for.

    Exponents are kept as logarithms until the read-out: each feature's part of the state is divided by its largest exponential so
    far, and each query by its own, so nothing overflows and no feature is lost to one that is larger.

    Args:
        dim: d.
        beta: inverse temperature, above 0.
        features: D; by default d ln d, rounded down, and at least d.
        seed: of the omegas.
    """

    def __init__(self, dim: int, beta: float = 1.0, features: int | None = None, seed: int = 0) -> None:
        count = max(dim, int(dim * math.log(max(dim, 1)))) if features is None else features
        if dim < 1 or count < 1 or not 0 < beta < math.inf:
            raise SettingsError(f"random features need d and D of at least 1 and a beta above 0, not {dim}, {count} and {beta:g}")
        self.dim, self.beta, self.features = dim, beta, count
        self.omegas = orthogonal_gaussians(count, dim, seed)
        self._sums: Array | None = None  # (D, d + 1), row j divided by exp(scales[j])
        self._scales: Array | None = None  # (D,)

    @property
    def state_values(self) -> int:
        """D (d + 1), plus the D scales."""
        return self.features * (self.dim + 2)

    def exponents(self, patterns: Array) -> Array:
        """ln (sqrt(D) psi(u)): shape (M, D) from (M, d)."""
        xp = namespace(patterns)
        omegas = xp.astype(like(patterns, self.omegas), patterns.dtype)
        squares = xp.sum(patterns * patterns, axis=-1, keepdims=True)
        return math.sqrt(self.beta) * (patterns @ omegas.T) - self.beta / 2 * squares

    def write(self, patterns: Array) -> None:
        """Add to the state, rescaling the features whose largest exponent rises."""
        _check(patterns, self.dim)
        xp = namespace(patterns)
        for part in chunks(patterns.shape[0], WRITE_VALUES // self.features):
            logs = self.exponents(patterns[part])
            scales = xp.max(logs, axis=0)
            if self._scales is not None:
                scales = xp.maximum(scales, self._scales)
            new = xp.exp(logs - scales).T @ _with_ones(patterns[part])
            if self._sums is not None:
                new = new + self._sums * xp.exp(self._scales - scales)[:, None]
            self._sums, self._scales = new, scales

    def read(self, queries: Array) -> Array:
        """psi(x)^T S / psi(x)^T s."""
        _check(queries, self.dim)
        if self._sums is None:
            raise SettingsError("nothing has been written to this memory")
        xp = namespace(queries)
        logs = self.exponents(queries) + self._scales
        both = xp.exp(logs - xp.max(logs, axis=-1, keepdims=True)) @ self._sums
        return both[:, :-1] / both[:, -1:]


def orthogonal_gaussians(count: int, dim: int, seed: int) -> Float64:
    """`count` vectors of N(0, I_d), orthogonal within each block of d: shape (count, d)."""
    rng = np.random.default_rng(seed)
    blocks = []
    for part in chunks(count, dim):
        q, r = np.linalg.qr(rng.standard_normal((dim, dim)))
        q = q * np.sign(np.diagonal(r))  # makes q uniform over the rotations, whatever signs the factorisation chose
        lengths = np.linalg.norm(rng.standard_normal((dim, dim)), axis=1)
        blocks.append((q * lengths[:, None])[: part.stop - part.start])
    return np.concatenate(blocks)


def _check(rows: Array, dim: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise SettingsError(f"this memory takes rows of {dim} values, not an array of shape {tuple(rows.shape)}")


def _with_ones(patterns: Array) -> Array:
    xp = namespace(patterns)
    return xp.concat([patterns, xp.ones_like(patterns[:, :1])], axis=1)
