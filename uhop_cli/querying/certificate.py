"""What can be promised of one memory, and of all: certified radii, margins, bounds."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.arrays.types import Floats
from uhop_cli.guarantees.error_bounds import dense_beta, dense_error_bound
from uhop_cli.guarantees.margins import guarantees
from uhop_cli.images.patterns import HALF_A_LEVEL, to_vectors
from uhop_cli.kernel.spherical_codes import code_bounds, required_dimension
from uhop_cli.memory.memory import Memory

ALL = 4096  # memories up to which all are looked at
SAMPLE = 512  # memories that are looked at where there are more
CERTIFY_FLOP = 2e11  # some seconds


def promises(memory: Memory) -> dict[str, Any]:
    """Margins, exactly stored share, certified radii and bounds, as JSON values, for one step of the plain kernel with sparsemax;
    and what softmax, which retrieves nothing exactly, is bound to.

    Numbers are those of `guarantees.margins.guarantees`, `guarantees.error_bounds` and `kernel.spherical_codes`; of a large memory
    they are taken over a sample, against all others.
    """
    count, kernel, raw = len(memory), memory.kernel, memory.raw_features
    rows = None if count <= ALL else np.sort(np.random.default_rng(0).choice(count, SAMPLE, replace=False))
    similarity: Literal["kernel", "kernel-cosine"] = "kernel" if raw else "kernel-cosine"
    found = guarantees(to_vectors(memory.patterns), kernel.weight, similarity=similarity, beta=memory.beta, memories=rows)
    mean, smallest, largest = found.cosine_distances
    bounds = code_bounds(count, kernel.feature_dim) if count > 1 else None
    return {
        "kernel": similarity,
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
        "dimensions": _dimensions(len(found.memories), smallest),
        "dense": _dense(memory, found.margins),
        "effective_beta": found.effective_beta,
    }


def _dimensions(count: int, distance: float) -> dict[str, int] | None:
    """How many features `count` memories need to be so far apart (1 - cos) at all, and how many are enough."""
    if count < 2 or not distance > 0:
        return None
    necessary, sufficient = required_dimension(count, min(distance, count / (count - 1)))
    return {"necessary": necessary, "sufficient": sufficient}


def _dense(memory: Memory, margins: Floats) -> dict[str, float]:
    """What softmax makes of an undamaged memory: bounds on its distance from the memory, and the beta at which that is rounding."""
    lengths = [np.linalg.norm(unit_rows(memory.patterns, part), axis=1).max() for part in chunks(len(memory), ALL)]
    largest = float(max(lengths))
    bounds = {
        name: dense_error_bound(float(margin), 0.0, beta=memory.beta, count=len(memory), largest=largest, largest_feature=1.0)
        for name, margin in (("error_largest", margins.min()), ("error_median", np.median(margins)))
    }
    level = HALF_A_LEVEL * math.sqrt(memory.spec.dim)
    beta = dense_beta(level, float(margins.min()), 0.0, count=len(memory), largest=largest, largest_feature=1.0)
    return {**bounds, "beta": beta}


def certified_radius(memory: Memory, row: int, alpha: float | None, beta: float, *, flop: float = CERTIFY_FLOP) -> float | None:
    """How far a query may be from memory `row`, in the norm of the pixels, and still be sure to retrieve it by the plain kernel.

    With sparse weights (alpha > 1) the retrieval is then exact; with softmax the memory then has the largest weight. Equations (2)
    and (3) of `guarantees.margins`. None where it would cost more than `flop`.
    """
    kernel = memory.kernel
    if 4.0 * len(memory) * kernel.pattern_dim * kernel.feature_dim > flop:
        return None
    sparse = alpha is not None and alpha > 1
    found = guarantees(
        unit_rows(memory.patterns),
        kernel.weight,
        similarity="kernel" if memory.raw_features else "kernel-cosine",
        beta=beta,
        alpha=alpha if alpha is not None and alpha > 1 else 2.0,
        memories=np.array([row]),
    )
    return float((found.exact_radii if sparse else found.argmax_radii)[0])
