"""What a retrieval settled in: one memory, a few, or many.

A state is judged by its size, how many memories have a weight above a threshold (U-Hop+, arXiv 2410.23126; protocol of
deep-spin/SSHN): 0.01 for the dense softmax, 0 for the sparse functions, whose small weights are meant. Size 0, no weight above
0.01, and sizes above 10 belong into every table; one from 1 to 10 hides most of the states at small beta.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.library import Array, namespace, to_numpy
from uhop_cli.arrays.types import Int64

VISIBLE = 0.01  # a weight that shows in the picture


LARGEST_SIZE = 10  # metastable sizes above are counted together


def size_threshold(alpha: float | None) -> float:
    """The weight from which a memory counts: 0.01 for softmax (alpha 1) and functions without an alpha, 0 for sparse ones."""
    return 0.0 if alpha is not None and alpha > 1 else VISIBLE


def metastable_sizes(weights: Array, above: float = VISIBLE) -> Array:
    """How many weights of each row (..., M) exceed `above`: shape (...)."""
    return namespace(weights).count_nonzero(weights > above, axis=-1)


def size_table(sizes: Array) -> dict[str, int]:
    """How many states have size 0, 1, ..., 10 and '>10'."""
    counts = {str(size): 0 for size in range(LARGEST_SIZE + 1)} | {f">{LARGEST_SIZE}": 0}
    for size in to_numpy(sizes).ravel().tolist():
        counts[str(size) if size <= LARGEST_SIZE else f">{LARGEST_SIZE}"] += 1
    return counts


def settled(weights: Array, above: float = VISIBLE) -> tuple[NDArray[np.str_], Int64]:
    """What each row of weights (Q, M) is, and its size.

    Args:
        above: `size_threshold` of the separation function.

    Returns:
        kinds, shape (Q,): 'diffuse' where the weights above 0.01 hold less than half in all, else 'memory' for size 1, else
        'metastable'; and sizes, shape (Q,). The members of a metastable state of size k are the k largest weights.
    """
    xp = namespace(weights)
    sizes = to_numpy(metastable_sizes(weights, above)).astype(np.int64)
    held = to_numpy(xp.sum(xp.where(weights > VISIBLE, weights, 0), axis=-1))
    return np.where(held < 0.5, "diffuse", np.where(sizes == 1, "memory", "metastable")), sizes
