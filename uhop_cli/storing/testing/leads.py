"""How the plain kernel, and the bare pixels, tell damaged copies of memories from all others."""

from __future__ import annotations

from threading import Lock

import numpy as np

from uhop_cli.arrays.operations import inverse
from uhop_cli.arrays.types import Float32, Int64
from uhop_cli.memory.memory import Memory
from uhop_cli.retrieval.pattern_matrix import PatternMatrix


def leads(memory: Memory, X: PatternMatrix, bare: Float32, queries: Float32, rows: Int64) -> Float32:
    """Lead in cosine of the right memories, in `rows`, over the best other one: for every member of the family, then for the bare
    pixels, whose lengths are `bare` (M,): (R + 1, Q). One pass over the memories, of which nothing is kept."""
    probes, norms = memory.kernel.probes(queries)  # (R, Q, d), (R, Q)
    probes = np.concatenate([probes, queries[None]])
    norms = np.concatenate([norms, np.linalg.norm(queries, axis=1)[None]])
    columns = (inverse(norms)[:, :, None] * probes * np.float32(X.scale)).reshape(-1, X.dim).T  # (d, (R + 1) Q)
    own, rivals = np.zeros_like(norms), np.full_like(norms, -1)
    guard = Lock()

    def work(span: slice, pixels: Float32) -> None:
        lengths = np.concatenate([memory.norms[span], bare[span, None]], axis=1)
        cosines = (pixels @ columns).reshape(-1, *norms.shape) * inverse(lengths)[:, :, None]
        inside = np.flatnonzero((rows >= span.start) & (rows < span.stop))
        places = rows[inside] - span.start
        own[:, inside] = cosines[places, :, inside].T
        cosines[places, :, inside] = -1
        with guard:
            np.maximum(rivals, cosines.max(axis=0), out=rivals)

    X.each_chunk(work, norms.size)
    return own - rivals
