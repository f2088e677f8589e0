"""The feature map Phi(x) = W x and the family of kernels that share its basis.

Patterns are rows: X is (M, d), features are Z = X W^T, (M, D), and the kernel is K(u, v) = <W u, W v> = u^T A v with A = W^T W
(U-Hop eq. 2.1). A `KernelFamily` holds one W and the diagonal rescalings of its features that give the other members of the
family; for regularised whitening (docs/stage-one.md) these are the other values of rho.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from uhop_cli.arrays.operations import unit_vectors
from uhop_cli.arrays.threads import product_on_all_cores
from uhop_cli.arrays.types import Float32
from uhop_cli.errors import SettingsError

Initialisation = Literal["gaussian", "orthogonal", "identity"]


@dataclass(frozen=True)
class KernelFamily:
    """Feature maps Phi_r(x) = diag(gains_r) W x, r = 1..R, that share one matrix W.

    Attributes:
        weight: W, shape (D, d), float32: the feature map of the chosen member.
        gains: shape (R, D), float32, non-negative; `gains[chosen]` is 1 everywhere.
        rhos: the R values of the regularisation, relative to ten times the mean eigenvalue (`closed_form`); empty for an
            explicit W, which is a family of one.
        chosen: the member that `weight` is the map of.
        spectrum: shape (D,), float32: singular values of the memories along the rows of W, or None for an explicit W.
    """

    weight: Float32
    gains: Float32
    rhos: tuple[float, ...]
    chosen: int
    spectrum: Float32 | None = None

    @property
    def members(self) -> int:
        """R, the number of kernels in the family."""
        return int(self.gains.shape[0])

    @property
    def feature_dim(self) -> int:
        """D, the number of features."""
        return int(self.weight.shape[0])

    @property
    def pattern_dim(self) -> int:
        """d, the number of values of a pattern."""
        return int(self.weight.shape[1])

    def features(self, patterns: Float32, member: int | None = None) -> Float32:
        """Z = X W_r^T for rows `patterns` (M, d): shape (M, D), not normalised. `member` defaults to the chosen one."""
        z: Float32 = patterns @ self.weight.T
        return z if member is None or member == self.chosen else z * self.gains[member]

    def norms(self, patterns: Float32) -> Float32:
        """||Phi_r(x)|| for rows `patterns` (M, d) and every member: shape (M, R)."""
        squares = np.square(patterns @ self.weight.T)
        norms: Float32 = np.sqrt(squares @ np.square(self.gains).T)
        return norms

    def probes(self, queries: Float32, members: Sequence[int] | None = None) -> tuple[Float32, Float32]:
        """A_r x for rows `queries` (Q, d) and every member r (or those given), and the norms ||Phi_r(x)||.

        <xi, A_r x> is the kernel K_r(xi, x), so R kernels against all memories are one thin matrix product with the pixels.

        Returns:
            probes of shape (R, Q, d) and norms of shape (R, Q).
        """
        coordinates, norms = self.coordinates(queries, members)
        probes = product_on_all_cores(coordinates.reshape(-1, self.feature_dim), self.weight)
        return probes.reshape(*norms.shape, self.pattern_dim), norms

    def coordinates(self, queries: Float32, members: Sequence[int] | None = None) -> tuple[Float32, Float32]:
        """The same for features at hand: <W xi, coordinates> is K_r(xi, x), so that no more than D values of a memory are read.

        Returns:
            coordinates of shape (R, Q, D) and norms of shape (R, Q).
        """
        z = product_on_all_cores(queries, self.weight.T)  # (Q, D)
        squares = np.square(self.gains if members is None else self.gains[list(members)])  # (R, D)
        weighted: Float32 = np.stack([z * row for row in squares]).astype(np.float32, copy=False)
        return weighted, np.sqrt(squares @ np.square(z).T).astype(np.float32, copy=False)

    def with_chosen(self, member: int) -> KernelFamily:
        """The same family, with another member as its W."""
        gains = self.gains / self.gains[member]
        return KernelFamily(self.weight * self.gains[member][:, None], gains, self.rhos, member, self.spectrum)

    @classmethod
    def explicit(cls, weight: Float32) -> KernelFamily:
        """The family of one that an explicit W is."""
        return cls(np.asarray(weight, np.float32), np.ones((1, weight.shape[0]), np.float32), (), 0)


def initial_weight(
    kind: Initialisation, feature_dim: int, pattern_dim: int, rng: np.random.Generator, dtype: DTypeLike = np.float32
) -> NDArray[Any]:
    """W0, the matrix that Stage I starts from, (D, d).

    'gaussian': independent normals of variance 1, for which E[W^T W] = D I: the raw kernel is about D times the dot product.
    'orthogonal': orthonormal rows (columns where D > d), uniformly distributed. 'identity': ones on the diagonal, with which
    the kernel is the dot product itself (of the first D values where D < d).

    Raises:
        SettingsError: an unknown kind, or a dimension below 1.
    """
    if feature_dim < 1 or pattern_dim < 1:
        raise SettingsError(f"W needs at least one row and one column, not {feature_dim} x {pattern_dim}")
    if kind == "identity":
        return np.eye(feature_dim, pattern_dim, dtype=dtype)
    if kind not in ("gaussian", "orthogonal"):
        raise SettingsError(f"unknown initialisation '{kind}'", "use gaussian, orthogonal or identity")
    single = np.dtype(dtype) == np.float32
    weight: NDArray[Any] = rng.standard_normal((feature_dim, pattern_dim), dtype=np.float32 if single else np.float64)
    if kind == "orthogonal":
        basis, triangle = np.linalg.qr(weight.T if feature_dim < pattern_dim else weight)
        basis = basis * np.where(np.diagonal(triangle) < 0, -1, 1).astype(basis.dtype)  # else the distribution is not uniform
        weight = basis.T if feature_dim < pattern_dim else basis
    return np.asarray(weight, dtype)


def normalise_rows(weight: NDArray[Any]) -> NDArray[Any]:
    """W with rows of length 1 (Algorithm 1, line 4); rows of zeros stay as they are."""
    return np.asarray(unit_vectors(weight))


def compress(weight: NDArray[Any], patterns: NDArray[Any]) -> NDArray[Any]:
    """W' with at most min(M, D, d) rows and the same kernel between the memories and anything else.

    K(xi, x) = <W xi, W x> only needs the part of W x in the span of the memories' features: with Q an orthonormal basis of that
    span, W' = Q^T W has <W' xi, W' x> = <W xi, W x> for every memory xi and every x. Where D > d an orthogonal factor of W is
    left out as well. Only ||W x|| of an x that is no memory may become smaller, by what no memory responds to.

    Args:
        weight: W, (D, d).
        patterns: the memories, (M, d).
    """
    feature_dim, pattern_dim = weight.shape
    if patterns.shape[0] < min(feature_dim, pattern_dim):
        basis = np.linalg.qr(weight @ patterns.T)[0]  # (D, M)
        return np.asarray(basis.T @ weight)
    return np.asarray(np.linalg.qr(weight, mode="r")) if feature_dim > pattern_dim else weight
