"""Energies that the retrieval dynamics lower, and the conjugates Psi*_alpha they are made of.

For the entmax family (softmax alpha = 1, sparsemax alpha = 2), with p = entmax_alpha(beta z) and the entropies H_alpha of
`entropy`,

    Psi*_alpha(beta, z) = <p, z> + H_alpha(p) / beta,        d Psi* / dz = p.                                               (1)

alpha = 1 is log-sum-exp, (1/beta) ln sum exp(beta z). The formula printed for alpha = 2 in U-Hop (eq. 2.3) is beta times (1), so
its gradient is not the sparsemax of eq. 2.4 unless beta = 1; (1) is consistent for every alpha. Psi* is convex in z, and it is
the energy term of every map of the engine for which a descent is proved:

    map                                          energy                                        `quadratic` below
    raw kernel     x <- X^T p,  z = K(X, x)      E_K(x) = K(x, x)/2 - Psi*(beta, z)             K(x, x) / 2     (U-Hop eq. 2.2)
    dot            x <- X^T p,  z = X x          the same with K = dot                          ||x||^2 / 2
    features       f <- F^T p,  z = F f          ||f||^2 / 2 - Psi*(beta, z)                    ||f||^2 / 2     (F: unit rows)
    on the sphere  f <- F^T p / ||F^T p||        - Psi*(beta, z)                                0
    l2-squared     x <- X^T p,  z_mu = -||x - xi_mu||^2      - Psi*(beta, z)                    0

Each is a convex quadratic minus a convex function of the state; replacing the latter by its tangent and minimising (on the
sphere: maximising the tangent) cannot raise it. For l2-squared note Psi*(beta, z + c) = Psi*(beta, z) + c: the energy is ||x||^2
- Psi*(beta, 2 X x - ||xi||^2), whose tangent is minimal at x = X^T p. Re-embedding the pixel average in normalised features, or
overwriting known pixels after each step of a kernel with couplings between pixels, are not among these maps and do raise it.

Evidence (docs/equations.md). With cosines c = F z of unit vectors and Lambda(c) = -(d/2) ln(1 - c^2) for c >= 0, 0 below, the
energy is

    E(z) = -(1/beta) ln sum_mu exp(beta Lambda(<f_mu, z>))   on the unit sphere.                                            (2)

Lambda is convex and rising (slope d c / (1 - c^2) from 0 on); beyond c^2 = 1 - eps it goes on as its tangent, so it stays finite
and convex. Log-sum-exp is convex and rising in every argument, hence -E is convex in z, and -E(z') >= -E(z) + <g, z' - z> with g
= -dE/dz = F^T (p * Lambda'(F z)), p = softmax(beta Lambda). On the sphere the right side is largest at z' = g / ||g||, where <g,
z' - z> >= 0: the step z <- g / ||g|| never raises E, and where it stands still g is parallel to z, a stationary point.
"""

from __future__ import annotations

import math

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import logsumexp
from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.entmax import SOFTMAX_ALPHA, entmax, softmax

EVIDENCE_EPS = 1e-6  # 1 - c^2 where Lambda goes over into its tangent; float32 cosines know 1 - c^2 to about 1e-7


def entropy(weights: Array, alpha: float) -> Array:
    """H_alpha(p): -sum p ln p for alpha = 1, else sum (p - p^alpha) / (alpha (alpha - 1)), along the last axis.

    It is a sum over memories, so the entropies of the chunks of a row add up to that of the row.

    Args:
        weights: shape (..., M), non-negative.

    Returns:
        shape (...).
    """
    xp = namespace(weights)
    if alpha == SOFTMAX_ALPHA:
        return -xp.sum(weights * xp.log(xp.where(weights > 0, weights, 1)), axis=-1)
    return xp.sum(weights - weights**alpha, axis=-1) / (alpha * (alpha - 1))


def conjugate(scores: Array, beta: float, alpha: float, weights: Array | None = None) -> Array:
    """Psi*_alpha(beta, z), equation (1) of the head of this file.

    Args:
        scores: z, shape (..., M); -infinity where a memory is not taking part.
        beta: inverse temperature, above 0.
        weights: entmax_alpha(beta z), where the caller has it already.

    Returns:
        shape (...).

    Raises:
        SettingsError: beta is not positive and finite.
    """
    if not 0 < beta < math.inf:
        raise SettingsError(f"an energy needs a beta above 0 and finite, not {beta:g}")
    xp = namespace(scores)
    if alpha == SOFTMAX_ALPHA:
        if weights is None:
            return logsumexp(beta * scores) / beta
        # ln p = beta z - logsumexp(beta z), at the largest weight, which is at least 1 / M: no second pass of exponentials.
        return xp.max(scores, axis=-1) - xp.log(xp.max(weights, axis=-1)) / beta
    weights = entmax(beta * scores, alpha) if weights is None else weights
    top = xp.max(scores, axis=-1, keepdims=True)  # Psi* of z - top, plus top: the large common part stays out of the sum
    gaps = xp.where(weights > 0, scores - top, 0)
    return xp.sum(weights * gaps, axis=-1) + top[..., 0] + entropy(weights, alpha) / beta


def energy(quadratic: Array | float, scores: Array, beta: float, alpha: float, weights: Array | None = None) -> Array:
    """`quadratic` - Psi*_alpha(beta, scores), for the maps in the table at the head of this file.

    Args:
        quadratic: shape (...), the third column of that table.
        scores: shape (..., M), of the state whose energy is asked for.
    """
    return quadratic - conjugate(scores, beta, alpha, weights)


def polynomial_energy(cosines: Array, order: int) -> Array:
    """-(1/n) ln sum [c_mu]_+^n, a rising function of the order-n dense associative memory's energy -(1/n) sum [c]_+^n.

    The map z <- F^T w / ||F^T w||, w = [c]_+^(n-1), maximises the tangent of the convex sum on the sphere and never raises it.
    +infinity where no cosine is positive.
    """
    xp = namespace(cosines)
    positive = cosines > 0
    return -logsumexp(xp.where(positive, order * xp.log(xp.where(positive, cosines, 1)), -math.inf)) / order


def evidence(cosines: Array, dimension: float, eps: float = EVIDENCE_EPS) -> Array:
    """Lambda(c) = -(d/2) ln(1 - c^2) for c >= 0, 0 below, and its tangent beyond c^2 = 1 - eps: the log-likelihood ratio against
    'unrelated' after the gain and the noise level have been profiled out.

    Args:
        cosines: any shape, feature cosines of query and memories.
        dimension: d, the effective number of independent values.
    """
    xp = namespace(cosines)
    edge = math.sqrt(1 - eps)
    inner = xp.clip(cosines, 0, edge)
    return -(dimension / 2) * xp.log1p(-inner * inner) + dimension * edge / eps * xp.clip(cosines - edge, 0, None)


def evidence_slope(cosines: Array, dimension: float, eps: float = EVIDENCE_EPS) -> Array:
    """Lambda'(c) = d c / (1 - c^2) for c >= 0, 0 below, constant beyond c^2 = 1 - eps."""
    inner = namespace(cosines).clip(cosines, 0, math.sqrt(1 - eps))
    return dimension * inner / (1 - inner * inner)


def evidence_energy(cosines: Array, dimension: float, beta: float = 1.0, eps: float = EVIDENCE_EPS) -> Array:
    """E(z) of equation (2), shape (...) from the cosines F z, shape (..., M)."""
    return -logsumexp(beta * evidence(cosines, dimension, eps)) / beta


def evidence_step(states: Array, features: Array, dimension: float, beta: float = 1.0, eps: float = EVIDENCE_EPS) -> Array:
    """z <- g / ||g||, g = F^T (p * Lambda'(F z)), p = softmax(beta Lambda(F z)): one monotone step of the energy (2).

    Args:
        states: z, shape (Q, D), unit rows.
        features: F, shape (M, D), unit rows.

    Returns:
        shape (Q, D), unit rows; a state that no memory attracts (all cosines at most 0) stays where it is.
    """
    xp = namespace(states)
    cosines = states @ features.T
    pulls = softmax(beta * evidence(cosines, dimension, eps)) * evidence_slope(cosines, dimension, eps)
    # Only the direction counts: dividing by the largest pull keeps the slope d / eps out of the sums.
    largest = xp.max(pulls, axis=-1, keepdims=True)
    target = (pulls / xp.where(largest > 0, largest, 1)) @ features
    length = xp.sqrt(xp.sum(target * target, axis=-1, keepdims=True))
    return xp.where(length > 0, target / xp.where(length > 0, length, 1), states)
