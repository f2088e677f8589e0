"""What can be promised of one memory, and of all: certified radii, margins, bounds."""

from __future__ import annotations

from typing import Any

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.guarantees.margins import guarantees
from uhop_cli.images.patterns import to_vectors
from uhop_cli.kernel.spherical_codes import code_bounds
from uhop_cli.memory.memory import Memory

ALL = 4096  # memories up to which all are looked at; of more, a sample


SAMPLE = 512


def promises(memory: Memory) -> dict[str, Any]:
    """Margins, exactly stored share, certified radii and bounds, as JSON values, for one step of the plain kernel with sparsemax.

    Numbers are those of `guarantees.margins.guarantees` and `kernel.spherical_codes.code_bounds`; of a large memory they are taken
    over a sample, against all others.
    """
    count, kernel = len(memory), memory.kernel
    raw = memory.raw_features  # the paper's kernel does not normalise its features
    rows = None if count <= ALL else np.sort(np.random.default_rng(0).choice(count, SAMPLE, replace=False))
    found = guarantees(
        to_vectors(memory.patterns), kernel.weight, similarity="kernel" if raw else "kernel-cosine", beta=memory.beta, memories=rows
    )
    mean, smallest, largest = found.cosine_distances
    bounds = code_bounds(count, kernel.feature_dim) if count > 1 else None
    return {
        "kernel": "kernel" if raw else "kernel-cosine",
        "separation": "sparsemax",
        "beta": memory.beta,
        "memories": len(found.memories),
        "margin_min": float(found.margins.min()),
        "margin_median": float(np.median(found.margins)),
        "exact_share": found.exact_share,
        "beta_exact": found.beta_exact,
        "exact_radius_min": float(found.exact_radii.min()),
        "exact_radius_median": float(np.median(found.exact_radii)),
        "argmax_radius_min": float(found.argmax_radii.min()),
        "argmax_radius_median": float(np.median(found.argmax_radii)),
        "r_phi": found.feature_radius,
        "cosine_distance": {"mean": mean, "min": smallest, "max": largest},
        "cosine_distance_bounds": None if bounds is None else {"lower": bounds.lower, "upper": bounds.upper},
        "effective_beta": found.effective_beta,
    }


CERTIFY_FLOP = 2e11  # some seconds


def certified_radius(memory: Memory, row: int, alpha: float | None, beta: float, *, flop: float = CERTIFY_FLOP) -> float | None:
    """How far a query may be from memory `row`, in the norm of the pixels, and still be sure to retrieve it by the plain kernel.

    With sparse weights (alpha > 1) the retrieval is then exact; with softmax the memory then has the largest weight. Equations (2)
    and (3) of `guarantees.margins`. None where it would cost more than `flop`.
    """
    kernel = memory.kernel
    if 4.0 * len(memory) * kernel.pattern_dim * kernel.feature_dim > flop:
        return None
    raw = memory.raw_features
    sparse = alpha is not None and alpha > 1
    found = guarantees(
        unit_rows(memory.patterns),
        kernel.weight,
        similarity="kernel" if raw else "kernel-cosine",
        beta=beta,
        alpha=alpha if alpha is not None and alpha > 1 else 2.0,
        memories=np.array([row]),
    )
    return float((found.exact_radii if sparse else found.argmax_radii)[0])
