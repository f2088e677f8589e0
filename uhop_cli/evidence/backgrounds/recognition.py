"""A transparent picture, value for value on some background: what is certain without any model.

A clean copy of a stored picture X on a colour of its own is X + (b - b0) m, and once b is known it agrees in every value, to the
rounding of the colours of both and of the opacity. What differs is another picture, or a damaged one.
"""

from __future__ import annotations

import numpy as np

from uhop_cli.arrays.operations import quotient
from uhop_cli.arrays.types import Bool, Float32

LEVEL = 1 / 255
ROUNDED = 1.5 * LEVEL  # three roundings of half a level: the query's, the memory's, and that of the opacity
SEEN = 8 * LEVEL  # in one channel: a cell that differs that much from the background is seen against it
LEAST_SEEN = 16  # cells: of fewer, strangers have as many in common


def equal_on_some_background(queries: Float32, patterns: Float32, veils: Float32) -> Bool:
    """Whether each query is its memory on a background of one colour, value for value, and enough of it is seen: (Q,).

    Args:
        queries: x, (Q, d).
        patterns: X, one for each query, (Q, d).
        veils: m = 1 - opacity, (Q, H W).
    """
    count, pixels = veils.shape
    x, differences = (part.reshape(count, pixels, -1) for part in (queries, queries - patterns))
    power = np.square(veils).sum(axis=1)[:, None]
    shift = quotient(np.einsum("qpc,qp->qc", differences, veils), power)  # b - b0
    left = differences - veils[..., None] * shift[:, None]
    behind = quotient(np.einsum("qpc,qp->qc", x, veils), veils.sum(axis=1)[:, None])  # about b: what lies behind the picture
    seen = (np.abs(x - behind[:, None]) > SEEN).any(axis=2)
    equal: Bool = (np.abs(left) < ROUNDED).all(axis=(1, 2)) & (seen.sum(axis=1) >= LEAST_SEEN) & (power[:, 0] > 0)
    return equal
