"""About how long a store will take, for `--dry-run`: reading is tried on a few files, learning is told from its size."""

from __future__ import annotations

import time
from contextlib import suppress

from uhop_cli.errors import ImageError
from uhop_cli.images.decode import decoding_threads
from uhop_cli.storing.plan import Plan
from uhop_cli.storing.settings import StoreSettings

SAMPLE = 8  # files that are read and decoded
ROW_SECONDS = 1e-4  # to read one row of an array
# Two cores, patterns of 3,072 values. 10,000 to 1,000,000 of them take 9.9, 65 and 400 s (docs/performance.md), 50 to 3,000 took 4.4
# to 12 s of processor time, nearly all of it the self-test.
TEST_SECONDS, PATTERN_SECONDS = 2.5, 7e-4
MEASURED_DIM = 3072
LEARNING = 0.5  # the share of Stage I and encoding in the time for each pattern
GRADIENT_FLOP = 6.0  # times the cube of the smaller of M and d, at each iteration
ITERATIONS = 1000  # of the gradient solver, where none are given
FLOP_A_SECOND = 5e10  # two cores in single precision


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
    tried = files[:: max(1, len(files) // SAMPLE)][:SAMPLE]
    started = time.perf_counter()
    for source in tried:
        with suppress(ImageError):
            source.encode(source.read(), plan.spec)
    each = (time.perf_counter() - started) / max(1, len(tried))
    return each * len(files) / decoding_threads() + rows
