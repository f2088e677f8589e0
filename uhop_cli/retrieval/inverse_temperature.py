"""beta auto: the inverse temperature that a margin asks for.

If the right memory leads every other by a margin Delta, the weight on all others together is at most (M - 1) exp(-beta Delta), so

    beta = ln((M - 1) / eps) / Delta

leaves them at most eps (from the error bound of the dense model; docs/equations.md). Delta is a low quantile of the margins that
are met, not the smallest, which one pair of near-duplicates would decide.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

TOLERANCE = 0.01  # eps, the weight that all wrong memories together may keep
QUANTILE = 0.1
LARGEST = 1e6  # beyond it softmax is argmax at the precision of float32 scores


def auto_beta(margins: NDArray[np.floating], memories: int) -> float:
    """The inverse temperature for the positive ones among `margins`, any shape; 1 where there is none (a single memory)."""
    positive = margins[margins > 0]
    if positive.size == 0 or memories < 2:
        return 1.0
    delta = float(np.quantile(positive, QUANTILE))
    return float(min(math.log((memories - 1) / TOLERANCE) / delta, LARGEST))
