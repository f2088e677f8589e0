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
"""

from __future__ import annotations

import math

from uhop_cli.arrays.library import Array, namespace
from uhop_cli.arrays.operations import logsumexp
from uhop_cli.errors import SettingsError
from uhop_cli.retrieval.entmax import SOFTMAX_ALPHA, entmax


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
