"""How far a retrieved pattern can be from the memory it is meant to be, for the dense (softmax) models.

Softmax never retrieves exactly, so what replaces the certified radius of `margins` is a bound on the error ||T(x) - xi_mu||.
Source: Ramsauer et al. 2021 (arXiv 2008.02217), Wu et al. 2024 (arXiv 2404.03827) eq. 1.3.
"""

from __future__ import annotations

import math


def dense_error_bound(margin: float, radius: float, *, beta: float, count: int, largest: float, largest_feature: float) -> float:
    """||T(x) - xi_mu|| <= 2 m (M - 1) exp(-beta (margin_mu - 2 mPhi r)), softmax, for every x with ||Phi(x) - Phi(xi_mu)|| <= r.

    The printed bound (U-Hop eq. 1.3) with a radius that is free: with r half the smallest distance between memories it says
    nothing.

    Args:
        margin: margin_mu of the kernel.
        radius: r, in feature space.
        count: M.
        largest: m, the largest norm of a memory.
        largest_feature: mPhi, the largest norm of a memory's features.

    Returns:
        the bound in the norm of the patterns; 2 m, which no mean of memories exceeds, where the exponential says less.
    """
    exponent = -beta * (margin - 2 * largest_feature * radius)
    return 2 * largest * min(1.0, (count - 1) * math.exp(min(exponent, 700.0)))


def dense_beta(error: float, margin: float, radius: float, *, count: int, largest: float, largest_feature: float) -> float:
    """The beta from which `dense_error_bound` is at most `error`: ln(2 m (M - 1) / error) / (margin - 2 mPhi r), or infinity."""
    room = margin - 2 * largest_feature * radius
    if count == 1 or error >= 2 * largest:
        return 0.0
    return math.log(2 * largest * (count - 1) / error) / room if room > 0 and error > 0 else math.inf
