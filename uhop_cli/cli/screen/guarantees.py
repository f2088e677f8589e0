"""`uhop info --guarantees`: what the memory promises before it has seen a query."""

from __future__ import annotations

import math
from typing import Any

from uhop_cli.cli.output import Output, number

_KERNELS = {"kernel": "kernel", "kernel-cosine": "kernel of features of length 1"}


def show(values: dict[str, Any], output: Output) -> None:
    """The same for people."""
    distances, bounds = values["cosine_distance"], values["cosine_distance_bounds"]
    output.line()
    kernel = _KERNELS[values["kernel"]]
    output.line(f"Guarantees for one step of the {kernel} with sparsemax, over {values['memories']} memories:")
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
    if dimensions := values["dimensions"]:
        facts.append(("  so far apart", f"not below {dimensions['necessary']} features, in {dimensions['sufficient']} for sure"))
    dense = values["dense"]
    error = f"an undamaged memory to {_shown(dense['error_largest'])}, median {_shown(dense['error_median'])}"
    facts.append(("with softmax", f"{error}; to rounding from beta {_shown(dense['beta'])}"))
    facts.append(("effective beta", _shown(values["effective_beta"])))
    output.facts(facts)


def _shown(value: float) -> str:
    return number(value) if math.isfinite(value) else "infinite"
