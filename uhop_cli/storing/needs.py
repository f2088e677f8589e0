"""What `store` will need: memory, which is refused where it is not there, and time, which `--dry-run` tells."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from uhop_cli.arrays.resources import available_memory
from uhop_cli.errors import ImageError, ResourceError
from uhop_cli.images.decode import decoding_threads
from uhop_cli.images.patterns import to_pattern
from uhop_cli.kernel.closed_form import CHUNK_BYTES, EXACT_LIMIT
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.testing.self_test import QUERIES, TRIALS
from uhop_cli.storing.testing.subjects import PIECE
from uhop_cli.storing.testing.trials import together

if TYPE_CHECKING:
    from uhop_cli.storing.plan import Plan

AUTO_FEATURE_DIM = 1024  # docs/stage-one.md: further directions changed no accuracy by more than the noise of the measurement
BASE = 380_000_000  # what threads, their stacks and arenas, and buffers of a fixed size take of the address space
SAMPLE = 1024  # memories that are looked at together, at most
ARRAYS_PER_QUERY = 24  # alive at a time, of d values and of M values each

TRIED = 8  # files that are read and decoded to tell how long all take
ROW_SECONDS = 1e-4  # to read one row of an array
# Two cores, patterns of 3,072 values: the self-test of 240 takes 1.1 s, and of many a third of the time (docs/performance.md).
TEST_SECONDS, PATTERN_SECONDS = 0.8, 5e-4
MEASURED_DIM = 3072
LEARNING = 0.7  # the share of Stage I and encoding in the time for each pattern
GRADIENT_FLOP = 6.0  # times the cube of the smaller of M and d, at each iteration
ITERATIONS = 1000  # of the gradient solver, where none are given
FLOP_A_SECOND = 5e10  # two cores in single precision


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
    in_pieces = min(together(min(count, PIECE)), TRIALS * count) * (dim + min(count, PIECE))
    tested = max(min(count, max(QUERIES)) * (dim + count), in_pieces)
    testing = 20 * features * dim + 8 * min(count, SAMPLE) * dim + 4 * ARRAYS_PER_QUERY * tested
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


def expected_seconds(plan: Plan, settings: StoreSettings, *, learning: bool) -> float:
    """Seconds that the store will take on this machine, right to a factor of about two.

    Args:
        plan: what it has to do.
        settings: the solver and whether there is a self-test.
        learning: False where the kernel is kept (`--keep-kernel`).
    """
    if not len(plan.sources) and not plan.removed:
        return 0.0
    share = plan.spec.dim / MEASURED_DIM
    each = PATTERN_SECONDS * plan.patterns * share
    rest = LEARNING * each if settings.self_test == "off" else TEST_SECONDS * share + each
    if learning and settings.resolved_solver == "gradient":
        iterations = settings.resolved().iterations
        smaller = min(plan.patterns, plan.spec.dim)  # W is compressed to the span of the patterns
        rest += GRADIENT_FLOP * smaller**3 * (ITERATIONS if iterations is None else iterations) / FLOP_A_SECOND
    return _reading(plan) + rest


def _reading(plan: Plan) -> float:
    """Seconds to read and decode the files, from a few of them."""
    files = plan.sources.files
    rows = ROW_SECONDS * (len(plan.sources) - len(files))
    tried = files[:: max(1, len(files) // TRIED)][:TRIED]
    started = time.perf_counter()
    for source in tried:
        with suppress(ImageError):
            to_pattern(source.image(source.read(), (plan.spec.width, plan.spec.height)), plan.spec)
    each = (time.perf_counter() - started) / max(1, len(tried))
    return each * len(files) / decoding_threads() + rows
