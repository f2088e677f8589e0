"""`uhop info --guarantees`: what the memory promises before it has seen a query."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from uhop_cli.cli.output import Output, number

if TYPE_CHECKING:
    from uhop_cli.memory.memory import Memory

ALL = 4096  # memories up to which all are looked at; of more, a sample
SAMPLE = 512


def measure(memory: Memory) -> dict[str, Any]:
    """Margins, exactly stored share, certified radii and bounds, as JSON values, for one step of the plain kernel with sparsemax.

    Numbers are those of `diagnostics.guarantees` and `spherical_codes.code_bounds`; of a large memory they are taken over a sample,
    against all others.
    """
    import numpy as np

    from uhop_cli.diagnostics import guarantees
    from uhop_cli.images.patterns import to_vectors
    from uhop_cli.spherical_codes import code_bounds

    count, kernel = len(memory), memory.kernel
    raw = memory.record.get("retrieval") == "paper"  # the paper's kernel does not normalise its features
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


def show(values: dict[str, Any], output: Output) -> None:
    """The same for people."""
    distances, bounds = values["cosine_distance"], values["cosine_distance_bounds"]
    output.line()
    output.line(f"Guarantees for one step of the {values['kernel']} with sparsemax, over {values['memories']} memories:")
    facts = [
        ("margin", f"smallest {_shown(values['margin_min'])}, median {_shown(values['margin_median'])}"),
        (
            "exactly stored",
            f"{values['exact_share']:.1%} at beta {number(values['beta'])}; all from beta {_shown(values['beta_exact'])}",
        ),
        ("noise undone", f"norm up to {_shown(values['exact_radius_min'])}, median {_shown(values['exact_radius_median'])}"),
        ("still the largest", f"norm up to {_shown(values['argmax_radius_min'])}, median {_shown(values['argmax_radius_median'])}"),
        ("R_Phi", _shown(values["r_phi"])),
        ("1 - cos", f"smallest {_shown(distances['min'])}, mean {_shown(distances['mean'])}, largest {_shown(distances['max'])}"),
    ]
    if bounds:
        facts.append(("  of any map", f"the smallest is at most {_shown(bounds['upper'])}"))
    facts.append(("effective beta", _shown(values["effective_beta"])))
    output.facts(facts)


def _shown(value: float) -> str:
    return number(value) if math.isfinite(value) else "infinite"
