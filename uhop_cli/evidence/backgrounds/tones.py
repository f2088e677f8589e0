"""A memory under a tone curve, as gamma and other corrections of light leave it: one for all channels, which never falls.

    x_c = f(X_c) where the memory is opaque, or f(grey X) for a query of greys;    x_c = b_c where it is clear

f is the isotonic regression of the query's values on the memory's levels: of each level the median first, then neighbours that fall
are pooled. Values at 0 and 1 may be clipped or lost, and say nothing. A thing in other colours is no curve of a stored one: some of
its levels are raised in one channel and lowered in another.
"""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.types import Bool, Float64, Int64
from uhop_cli.evidence.backgrounds.recognition import ROUNDED
from uhop_cli.images.patterns import LUMA

CLEAR = 0.999  # veil from which on only the background is seen
LEAST = 32  # values that a curve is fitted to


def toned(x: Float64, memory: Float64, veil: Float64, opaque: Bool, told: Bool) -> Float64 | None:
    """What the best tone curve leaves of a query, (H W, C): 0 where it says nothing; None where too little is told,
    or the curve changes nothing.

    Args:
        x, memory: the query and the memory, (H W, C).
        veil: m = 1 - opacity, (H W,).
        opaque: where the memory is, (H W,).
        told: which values are neither clipped nor lost, (H W, C).
    """
    greys = x.shape[1] == len(LUMA) and np.ptp(x, axis=1).max() == 0
    shown = np.repeat((memory @ LUMA)[:, None], x.shape[1], axis=1) if greys else memory
    levels, given = np.rint(shown * 255).astype(np.int64), told & opaque[:, None]
    if given.sum() < LEAST:
        return None
    curve = isotonic(levels[given], x[given])[levels[given]]
    if np.abs(curve - memory[given]).max() < ROUNDED:
        return None
    rest = np.zeros_like(x)
    rest[given] = x[given] - curve
    clear = veil >= CLEAR
    if clear.any():
        rest[clear] = x[clear] - np.median(x[clear], axis=0)
    return rest


def isotonic(levels: Int64, values: Float64) -> Float64:
    """f at each level from 0 to the highest, not-a-number where there is none: means of medians that do not fall.

    Args:
        levels: (n,), whole numbers.
        values: (n,).
    """
    curve = np.full(levels.max() + 1, np.nan)
    pools: list[tuple[float, int, list[int]]] = []  # value, how many values, levels
    for level in np.unique(levels):
        chosen = values[levels == level]
        pools.append((float(np.median(chosen)), len(chosen), [int(level)]))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (low, few, first), (high, many, second) = pools[-2:]
            pools[-2:] = [((low * few + high * many) / (few + many), few + many, first + second)]
    for value, _, pooled in pools:
        curve[pooled] = value
    return curve
