"""Models of fixed size: the memories are summed into one state, and retrieval never looks at them one by one.

With a positive feature map psi the kernel <psi(x), psi(xi)> stands in place of exp(beta <x, xi>), and the sum over the memories
can be taken before the query is known:

    T(x) = sum_mu <psi(x), psi(xi_mu)> xi_mu / sum_mu <psi(x), psi(xi_mu)> = psi(x)^T S / psi(x)^T s,
    S = sum_mu psi(xi_mu) xi_mu^T  (D, d),      s = sum_mu psi(xi_mu)  (D,).

The state (S, s) has D (d + 1) values however many patterns are written; a query costs O(D d). The price: crosstalk grows with M,
and the weights over the memories are not in the state; who still has the memories can have them too (`weights_of`). Source: Hu et
al. 2024 (arXiv 2404.03900), Katharopoulos et al. 2020 (elu + 1), Choromanski et al. 2021 (positive random features).
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import numpy as np

from uhop_cli.arrays.library import Array, like, namespace
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Float32, Float64
from uhop_cli.errors import SettingsError

WRITE_VALUES = 1 << 24  # features of one block of patterns while they are summed (64 MB of float32)


class Lifted(NamedTuple):
    """Features of M patterns, for `weights_of`: psi(xi_mu)_j is `values[mu, j]` exp(`scales[j]`), up to a factor common to all j.

    Attributes:
        values: (M, D).
        scales: (D,), or 0.
    """

    values: Array
    scales: Array | float


class FixedSizeMemory(Protocol):
    """What both models offer."""

    def write(self, patterns: Array) -> None:
        """Add patterns, shape (M, d), to the state. Writing twice is the same as writing all at once."""

    def read(self, queries: Array) -> Array:
        """T(x) for rows `queries` (Q, d): shape (Q, d)."""

    def lift(self, patterns: Array) -> Lifted:
        """psi of patterns (M, d)."""

    def weights_of(self, queries: Array, lifted: Lifted) -> Array:
        """p_mu = <psi(x), psi(xi_mu)> / sum_nu <psi(x), psi(xi_nu)>, (Q, M), for queries (Q, d): if the patterns that were lifted
        are those that were written, T(x) = sum_mu p_mu xi_mu."""


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

    def write(self, patterns: Array) -> None:
        """S += sum psi(xi) xi^T, s += sum psi(xi)."""
        _check(patterns, self.dim)
        for part in chunks(patterns.shape[0], WRITE_VALUES // self.dim):
            new = _elu_plus_one(patterns[part]).T @ _with_ones(patterns[part])
            self._sums = new if self._sums is None else self._sums + new

    def read(self, queries: Array) -> Array:
        """psi(x)^T S / psi(x)^T s."""
        _check(queries, self.dim)
        if self._sums is None:
            raise SettingsError("nothing has been written to this memory")
        both = _elu_plus_one(queries) @ self._sums
        return both[:, :-1] / both[:, -1:]

    def lift(self, patterns: Array) -> Lifted:
        """elu(xi) + 1."""
        return Lifted(_elu_plus_one(patterns), 0.0)

    def weights_of(self, queries: Array, lifted: Lifted) -> Array:
        """See `FixedSizeMemory.weights_of`."""
        return _shares(_elu_plus_one(queries) @ lifted.values.T)


class RandomFeatureMemory:
    """Positive random features of the exponential kernel.

    psi(u)_j = exp(<omega_j, u> - ||u||^2 / 2) / sqrt(D) with u = sqrt(beta) x and omega_j ~ N(0, I) has E <psi(x), psi(y)> =
    exp(beta <x, y>), so that T estimates the softmax model. Omegas that come in orthogonal blocks of d with the lengths of
    Gaussian vectors are unbiased too and have less variance, for O(D d^2) operations once. That variance grows like
    exp(beta ||x + y||^2): patterns of unit length and a moderate beta are what the estimate is good for.

    Exponents are kept as logarithms until the read-out: each feature's part of the state is divided by its largest exponential so
    far, and each query by its own, so nothing overflows and no feature is lost to one that is larger.

    Args:
        dim: d.
        beta: inverse temperature, above 0.
        features: D; by default d ln d, rounded down, and at least d.
        seed: of the omegas.
        orthogonal: whether they come in orthogonal blocks, or are all independent.
    """

    def __init__(self, dim: int, beta: float = 1.0, features: int | None = None, seed: int = 0, *, orthogonal: bool = True) -> None:
        count = max(dim, int(dim * math.log(max(dim, 1)))) if features is None else features
        if dim < 1 or count < 1 or not 0 < beta < math.inf:
            raise SettingsError(f"random features need d and D of at least 1 and a beta above 0, not {dim}, {count} and {beta:g}")
        self.dim, self.beta, self.features = dim, beta, count
        self.omegas = orthogonal_gaussians(count, dim, seed) if orthogonal else _gaussians(count, dim, seed)
        self._sums: Array | None = None  # (D, d + 1), row j divided by exp(scales[j])
        self._scales: Array | None = None  # (D,)

    def exponents(self, patterns: Array) -> Array:
        """ln (sqrt(D) psi(u)): shape (M, D) from (M, d)."""
        xp = namespace(patterns)
        omegas = xp.astype(like(patterns, self.omegas), patterns.dtype, copy=False)
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
        both = self._asked(queries, self._scales) @ self._sums
        return both[:, :-1] / both[:, -1:]

    def lift(self, patterns: Array) -> Lifted:
        """Exponentials of the exponents less the largest of each feature."""
        xp = namespace(patterns)
        logs = self.exponents(patterns)
        scales = xp.max(logs, axis=0)
        return Lifted(xp.exp(logs - scales), scales)

    def weights_of(self, queries: Array, lifted: Lifted) -> Array:
        """See `FixedSizeMemory.weights_of`."""
        return _shares(self._asked(queries, lifted.scales) @ lifted.values.T)

    def _asked(self, queries: Array, scales: Array) -> Array:
        """psi(x)_j exp(scales_j), (Q, D), each row divided by its largest value."""
        xp = namespace(queries)
        logs = self.exponents(queries) + scales
        return xp.exp(logs - xp.max(logs, axis=-1, keepdims=True))


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


def _gaussians(count: int, dim: int, seed: int) -> Float32:
    """`count` independent vectors of N(0, I_d): shape (count, d)."""
    return np.random.default_rng(seed).standard_normal((count, dim), dtype=np.float32)


def _elu_plus_one(x: Array) -> Array:
    """x + 1 for x > 0, exp(x) below."""
    xp = namespace(x)
    return xp.where(x > 0, x + 1, xp.exp(xp.clip(x, None, 0)))


def _shares(products: Array) -> Array:
    """Positive products (Q, M), divided by the sum of their row."""
    return products / namespace(products).sum(products, axis=-1, keepdims=True)


def _check(rows: Array, dim: int) -> None:
    if rows.ndim != 2 or rows.shape[1] != dim:
        raise SettingsError(f"this memory takes rows of {dim} values, not an array of shape {tuple(rows.shape)}")


def _with_ones(patterns: Array) -> Array:
    xp = namespace(patterns)
    return xp.concat([patterns, xp.ones_like(patterns[:, :1])], axis=1)
