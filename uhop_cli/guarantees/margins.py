"""What can be promised about a set of memories before any query is seen.

Let s_nu(x) be the score of memory nu for the query x, beta the inverse temperature and t = 1 / (beta (alpha - 1)) the threshold
of the separation function (0 for argmax, infinite for softmax). One step retrieves xi_mu exactly if and only if every other score
is at least t below that of mu, because entmax_alpha is one-hot exactly then:

    margin_mu = s_mu(xi_mu) - max_{nu != mu} s_nu(xi_mu),        exactly stored  <=>  margin_mu >= t.                           (1)

For scores that are affine in x (kernel, dot, l2-squared up to a common term), gap_nu(x) = s_mu(x) - s_nu(x) has a constant gradient
g_munu, so that xi_mu + q is retrieved exactly if and only if <g_munu, q> >= -(gap_nu(xi_mu) - t) for every nu, and

    r_mu = min_nu (gap_nu(xi_mu) - t) / ||g_munu||                                                                              (2)

is the radius within which every input noise is undone: sharp, since the noise -r g/||g|| of the minimising nu lies on the
boundary. For K(u, v) = u^T A v, g = A (xi_mu - xi_nu), A = W^T W; it is never formed. With normalised features (kernel-cosine,
cosine) the condition is <W^T (f_mu - f_nu), x> >= t ||W x||, and (2) with n_mu = ||W xi_mu|| becomes the lower bound

    r_mu = min_nu n_mu (1 - cos_munu - t) / (||W^T (f_mu - f_nu)|| + t ||W||),        sharp for t = 0.                          (3)

t = 0 in (2) and (3) gives the radius within which mu keeps the largest score. Corrections to the printed statements (signs, a
second beta, a lost -1): docs/equations.md. Source: Wu et al. 2024 (arXiv 2404.03827) sec. 2, and this project.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool, Floats
from uhop_cli.errors import SettingsError
from uhop_cli.guarantees.pairs import Pairs

Certified = Literal["kernel", "dot", "l2-squared", "kernel-cosine", "cosine"]


@dataclass(frozen=True)
class Guarantees:
    """What `guarantees` found, one value for each memory or for the set.

    Attributes:
        memories: which memories the arrays are about, shape (m,): all of them, or those asked for.
        threshold: t of the head of this file; infinity for softmax.
        margins: equation (1), shape (m,), in units of the score; infinity for a single memory.
        rivals: the memory nu that comes closest in (1), shape (m,); -1 for a single memory.
        exact: which are exactly stored, shape (m,), bool.
        exact_radii: certified radius of exact retrieval, the norm of the input noise in pixel values; 0 where there is none.
        argmax_radii: certified radius within which the right memory keeps the largest score.
        beta_exact: the smallest beta that stores all of `memories` exactly with this alpha; infinity where no beta does.
        feature_radius: R_Phi, half the smallest distance of two feature vectors, of length 1 where the similarity is a cosine, over
            the pairs of `memories` with all.
        cosine_distances: mean, smallest and largest 1 - cos of the features over those pairs.
        effective_beta: beta * trace(A) / d, the inverse temperature that a plain dot product would need to be as sharp on average.
    """

    memories: NDArray[np.intp]
    threshold: float
    margins: Floats
    rivals: NDArray[np.intp]
    exact: Bool
    exact_radii: Floats
    argmax_radii: Floats
    beta_exact: float
    feature_radius: float
    cosine_distances: tuple[float, float, float]
    effective_beta: float

    @property
    def exact_share(self) -> float:
        """The fraction of the memories that is exactly stored."""
        return float(np.mean(self.exact))


def guarantees(
    patterns: Floats,
    weight: Floats | None = None,
    *,
    similarity: Certified = "kernel",
    beta: float = 1.0,
    alpha: float = 2.0,
    memories: NDArray[np.intp] | None = None,
) -> Guarantees:
    """Margins, exactness and certified radii, equations (1) to (3), for one step of retrieval.

    Everything comes from two Gram matrices, G = Z Z^T of the features and H = G-like of W^T Z, block by block: O(M^2 (D + d))
    time and O(M (D + d)) memory. The work is done in the dtype of the patterns; the radii are reduced by what its rounding may
    amount to, so that they hold for retrieval in that dtype. In float64 that reduction is below anything measurable, in float32
    it is about 1e-5 of the scores.

    Args:
        patterns: X, shape (M, d), float32 or float64.
        weight: W, shape (D, d), for the kernels; None for dot, cosine and l2-squared.
        similarity: how memories are scored; see `retrieval.similarity`.
        beta: inverse temperature, above 0.
        alpha: of the entmax family; 1 (softmax) stores nothing exactly, infinity stands for argmax.
        memories: indices of the memories to look at; by default all, which takes half the time of asking for each.

    Raises:
        SettingsError: no memory, a weight missing or in vain, beta or alpha out of range, or a similarity whose scores have no
        known gradient.
    """
    if similarity not in ("kernel", "dot", "l2-squared", "kernel-cosine", "cosine"):
        raise SettingsError(f"no guarantees are known for similarity '{similarity}'")
    if (weight is not None) != similarity.startswith("kernel") or len(patterns) == 0:
        raise SettingsError(f"guarantees of '{similarity}' need patterns and {'a' if weight is None else 'no'} weight W")
    if not 0 < beta < math.inf or not alpha >= 1:
        raise SettingsError(f"guarantees need a beta above 0 and an alpha of at least 1, not {beta:g} and {alpha:g}")
    pairs = Pairs(patterns, weight, similarity, one_hot_margin(beta, alpha))
    pairs.sweep(memories)
    which = np.arange(len(patterns)) if memories is None else np.asarray(memories, np.intp)
    margins = pairs.margins[which]
    smallest = float(margins.min())
    trace = patterns.shape[1] if weight is None else float(np.einsum("ij,ij->", weight, weight, dtype=np.float64))
    return Guarantees(
        memories=which,
        threshold=pairs.threshold,
        margins=margins,
        rivals=pairs.rivals[which],
        exact=margins >= pairs.threshold,
        exact_radii=np.maximum(pairs.exact[which], 0),
        argmax_radii=np.maximum(pairs.argmax[which], 0),
        beta_exact=1 / ((alpha - 1) * smallest) if smallest > 0 and alpha > 1 else math.inf,
        feature_radius=math.sqrt(max(0.0, float(pairs.squares[which].min()))) / 2,
        cosine_distances=pairs.cosine_distances(which),
        effective_beta=beta * trace / patterns.shape[1],
    )


def one_hot_margin(beta: float, alpha: float) -> float:
    """t = 1 / (beta (alpha - 1)): how far ahead of all others a score has to be for a one-hot result."""
    return math.inf if alpha == 1 else 1 / (beta * (alpha - 1))
