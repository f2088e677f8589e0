"""Stage I in closed form: regularised whitening, streamed over the patterns.

With the thin SVD X = U diag(s) V^T of the memories (rows, M x d),

    W_rho = diag(s_i / (s_i^2 + rho)) V^T.

As rho -> 0, linearly independent memories get orthonormal features and the average separation loss reaches -2t; the price is noise
in the directions of small variance, and rho > 0 limits it. All rho share V, so a `KernelFamily` holds the whole path.

Cost: one Gram matrix (M <= d) or second moment (M > d, streamed, O(d^2) memory) and its eigen-decomposition in float64; where
min(M, d) is beyond `EXACT_LIMIT` a randomised subspace iteration finds the leading directions in a few passes over the patterns
(Halko, Martinsson and Tropp, 2011).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.operations import quotient, unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Bool, Float32, Float64
from uhop_cli.errors import SettingsError
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.progress import OnProgress, Progress

# Relative to ten times the mean eigenvalue; the range that docs/stage-one.md measures.
RHO_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
EXACT_LIMIT = 4096  # beyond this an exact eigen-decomposition takes minutes and gigabytes
CHUNK_BYTES = 32 << 20  # of float32 rows at a time


@dataclass(frozen=True)
class Spectrum:
    """The leading right singular vectors of the memories.

    Attributes:
        singular: s, shape (D,), float64, falling.
        basis: V^T, shape (D, d), float32, orthonormal rows.
        mean_eigenvalue: sum of all s_i^2 over min(M, d), the unit in which rho is given (times ten).
    """

    singular: Float64
    basis: Float32
    mean_eigenvalue: float

    def truncated(self, feature_dim: int) -> Spectrum:
        """The same spectrum, cut to its `feature_dim` largest singular values."""
        return Spectrum(self.singular[:feature_dim], self.basis[:feature_dim], self.mean_eigenvalue)


def decompose(
    patterns: NDArray[np.generic],
    *,
    feature_dim: int | None = None,
    seed: int = 0,
    progress: OnProgress | None = None,
    moment: Callable[[], Float64] | None = None,
) -> Spectrum:
    """The singular values and right singular vectors of the memories.

    Args:
        patterns: uint8 or float, first axis M, the rest flattened to d; may be memory-mapped.
        feature_dim: keep at most this many directions; None keeps all with a singular value above rounding.
        seed: of the randomised method, where it is used.
        progress: told how many of the rows are done.
        moment: makes the second moment, where it is needed; by default `second_moment` does.

    Raises:
        SettingsError: there are no patterns.
    """
    total = len(patterns)
    if total == 0:
        raise SettingsError("no patterns to learn from", "store at least one image")
    dim = int(np.prod(patterns.shape[1:]))
    smaller = min(total, dim)
    if smaller > EXACT_LIMIT and (feature_dim or EXACT_LIMIT) < smaller // 2:
        return _randomised(patterns, feature_dim or EXACT_LIMIT // 4, seed, progress)
    if total <= dim:
        rows = unit_rows(patterns).astype(np.float64)  # (M, d)
        values, vectors = np.linalg.eigh(rows @ rows.T)
        trace = float(values.sum())
        keep = _significant(values, total)
        singular = np.sqrt(values[keep])[::-1]
        # U^T X, rows divided by s, is V^T.
        basis = (vectors[:, keep].T[::-1] @ rows) / np.maximum(singular, np.finfo(float).tiny)[:, None]
        if progress:
            progress(Progress("learn", total, total))
    else:
        values, vectors = np.linalg.eigh(second_moment(patterns, progress) if moment is None else moment())
        trace = float(values.sum())
        keep = _significant(values, total)
        singular = np.sqrt(values[keep])[::-1]
        basis = vectors[:, keep].T[::-1]
    full = Spectrum(singular, np.ascontiguousarray(basis, np.float32), trace / smaller)
    return full.truncated(feature_dim) if feature_dim else full


def second_moment(patterns: NDArray[np.generic], progress: OnProgress | None = None) -> Float64:
    """X^T X, shape (d, d), summed over chunks: products in float32, sums in float64."""
    total, dim = len(patterns), int(np.prod(patterns.shape[1:]))
    moment = np.zeros((dim, dim))
    for rows in chunks(total, CHUNK_BYTES // (4 * dim)):
        part = unit_rows(patterns, rows)
        moment += part.T @ part
        if progress:
            progress(Progress("learn", rows.stop, total))
    return moment


def whitening(spectrum: Spectrum, rhos: tuple[float, ...] = RHO_GRID, chosen: int = 0) -> KernelFamily:
    """The kernels W_rho of one spectrum, for every rho of the grid (relative to ten times the mean eigenvalue)."""
    if not rhos or min(rhos) < 0:
        raise SettingsError("rho must not be negative", "give a number of at least 0")
    squares = np.square(spectrum.singular)
    absolute = np.asarray(rhos)[:, None] * 10 * spectrum.mean_eigenvalue  # (R, 1)
    denominator = squares + absolute  # (R, D); zero only for all-black memories, whose one direction has singular value 0
    gains = quotient(spectrum.singular, denominator, otherwise=1.0)
    weight = (gains[chosen][:, None] * spectrum.basis).astype(np.float32)
    relative = (gains / gains[chosen]).astype(np.float32)
    return KernelFamily(weight, relative, tuple(rhos), chosen, spectrum.singular.astype(np.float32))


def _significant(eigenvalues: Float64, total: int) -> Bool:
    """Which eigenvalues of the Gram matrix are above its rounding error. All-black memories keep one direction of value 0."""
    floor = eigenvalues[-1] * max(total, len(eigenvalues)) * 1e-15
    keep: Bool = eigenvalues > max(floor, 0.0)
    if not keep.any():
        keep[-1] = True
    return keep


def _randomised(patterns: NDArray[np.generic], feature_dim: int, seed: int, progress: OnProgress | None) -> Spectrum:
    """The leading directions by subspace iteration: three passes over the patterns, O(d * D) memory."""
    total, dim = len(patterns), int(np.prod(patterns.shape[1:]))
    size = min(feature_dim + 64, total, dim)  # some more than asked for, so that the last ones are accurate
    basis = np.random.default_rng(seed).standard_normal((dim, size)).astype(np.float32)
    passes = 3
    trace = 0.0
    for step in range(passes):
        product = np.zeros((dim, size), np.float32)
        trace = 0.0
        for rows in chunks(total, CHUNK_BYTES // (4 * dim)):
            part = unit_rows(patterns, rows)
            trace += float(np.vdot(part, part))
            product += part.T @ (part @ basis)
            if progress:
                progress(Progress("learn", step * total + rows.stop, passes * total))
        if step < passes - 1:
            basis = np.linalg.qr(product)[0]
    # basis^T X^T X basis is small: its eigen-decomposition rotates the basis to the leading singular vectors (Rayleigh-Ritz).
    values, vectors = np.linalg.eigh((basis.T @ product).astype(np.float64))
    values, vectors = np.maximum(values[::-1][:feature_dim], 0), vectors[:, ::-1][:, :feature_dim]
    keep = values > values[0] * 1e-12
    rotated = (basis.astype(np.float64) @ vectors[:, keep]).T
    return Spectrum(np.sqrt(values[keep]), np.ascontiguousarray(rotated, np.float32), trace / min(total, dim))
