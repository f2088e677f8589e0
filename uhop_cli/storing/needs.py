"""What `store` will need in memory: said before the work, and refused where it is not there."""

from __future__ import annotations

from uhop_cli.arrays.resources import available_memory
from uhop_cli.errors import ResourceError
from uhop_cli.kernel.closed_form import CHUNK_BYTES, EXACT_LIMIT
from uhop_cli.storing.self_test import QUERIES
from uhop_cli.storing.settings import StoreSettings

AUTO_FEATURE_DIM = 1024  # docs/stage-one.md: further directions changed no accuracy by more than the noise of the measurement
BASE = 380_000_000  # what threads, their stacks and arenas, and buffers of a fixed size take of the address space
SAMPLE = 1024  # memories that are looked at together, at most
ARRAYS_PER_QUERY = 24  # alive at a time, of d values and of M values each


def memory_needed(count: int, dim: int, settings: StoreSettings) -> int:
    """Bytes of memory that a store of M patterns of d values takes, from the largest arrays of each stage.

    The patterns themselves stay in the file. Measured against the growth of the address space, it is 5 to 25% above for large sets.
    """
    settings = settings.resolved()
    gradient = settings.solver == "gradient"
    smaller = min(count, dim)
    limit = (dim if gradient else AUTO_FEATURE_DIM) if settings.feature_dim == "auto" else int(settings.feature_dim)
    if gradient:
        learning = 20 * limit * dim + 16 * count * count + 12 * count * dim  # W and its trials, Gram matrices, rows
        features = min(limit, smaller)  # W is compressed to the span of the rows
    elif smaller > EXACT_LIMIT and limit < smaller // 2:
        learning = 32 * dim * (limit + 64) + 2 * CHUNK_BYTES  # basis and product in float32, their rotation in float64
        features = limit
    elif count <= dim:
        learning = 32 * count * count + 20 * count * dim  # Gram matrix with eigenvectors and workspace; rows, basis twice
        features = min(limit, smaller)
    else:
        learning = 32 * dim * dim + 4 * min(limit, dim) * dim + 2 * CHUNK_BYTES  # the same of the second moment
        features = min(limit, smaller)
    queries = min(count, max(QUERIES))
    testing = 20 * features * dim + 8 * min(count, SAMPLE) * dim + 4 * ARRAYS_PER_QUERY * queries * (dim + count)
    return BASE + max(learning, testing)


def check_memory(count: int, dim: int, settings: StoreSettings) -> None:
    """Refuses what doesn't fit.

    Raises:
        ResourceError: it would take more memory than there is.
    """
    needed, there = memory_needed(count, dim, settings), available_memory()
    if needed > there:
        raise ResourceError(
            f"learning {count} patterns of {dim} values needs about {needed / 1e9:.1f} GB of memory; {there / 1e9:.1f} GB are free",
            "choose a smaller --size, or close other programs",
        )
