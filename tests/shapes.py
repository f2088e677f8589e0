"""The shapes of the central functions, checked at every call of the test run; the product imports none of this.

One letter, one size, within a call: Q queries, M memories, d values of a pattern, D features; `*batch` are leading axes.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from beartype import beartype
from jaxtyping import Bool, Shaped, jaxtyped

Leading = Shaped[Any, "*batch"]
Square = Shaped[Any, "*batch M M"]

# Module and name -> the parameters whose shapes are checked, and the result.
SHAPES: dict[str, dict[str, Any]] = {
    "uhop_cli.retrieval.similarity:Similarity.__call__": {
        "queries": Shaped[Any, "Q _"],  # it compares d itself, and says so in words
        "memories": Shaped[Any, "M _"],
        "return": Shaped[Any, "Q M"],
    },
    "uhop_cli.retrieval.similarity:Similarity.norms": {"memories": Shaped[Any, "M d"], "return": Shaped[Any, "M"]},
    "uhop_cli.retrieval.separation:Separation.__call__": {"logits": Shaped[Any, "*batch M"], "return": Shaped[Any, "*batch M"]},
    "uhop_cli.retrieval.entmax:entmax": {"logits": Shaped[Any, "*batch M"], "return": Shaped[Any, "*batch M"]},
    "uhop_cli.retrieval.distances:squared_distances": {
        "queries": Shaped[Any, "Q d"],
        "visible": Bool[Any, "Q d"] | None,
        "return": Shaped[Any, "Q M"],
    },
    "uhop_cli.retrieval.pattern_matrix:HostMatrix.products": {"queries": Shaped[Any, "k d"], "return": Shaped[Any, "k M"]},
    "uhop_cli.evidence.visible:visible_log_likelihood": {
        "queries": Shaped[Any, "Q d"],
        "visible": Bool[Any, "Q d"],
        "return": Shaped[Any, "Q M"],
    },
    "uhop_cli.evidence.pixelwise.agreement:value_density": {"queries": Shaped[Any, "Q d"], "return": Shaped[Any, "Q d"]},
    "uhop_cli.evidence.pixelwise.agreement:agreement": {"density": Shaped[Any, "*#batch d"], "squares": Shaped[Any, "*#batch d"]},
    "uhop_cli.kernel.losses:AverageLoss.measure": {"cosines": Square, "return": tuple[Leading, Square]},
    "uhop_cli.kernel.feature_map:KernelFamily.features": {"patterns": Shaped[Any, "M d"], "return": Shaped[Any, "M D"]},
}


def check_shapes() -> None:
    """Puts the check around each function of `SHAPES`, wherever it was imported already."""
    for place, shapes in SHAPES.items():
        module, _, name = place.partition(":")
        owner: Any = import_module(module)
        *path, leaf = name.split(".")
        for part in path:
            owner = getattr(owner, part)
        plain = getattr(owner, leaf)
        missing = (
            shapes.keys()
            - {"return"}
            - set(plain.__code__.co_varnames[: plain.__code__.co_argcount + plain.__code__.co_kwonlyargcount])
        )
        assert not missing, f"{place} has no parameter {missing}"
        plain.__annotations__ = shapes
        checked = jaxtyped(typechecker=beartype)(plain)
        for holder in [owner, *(one for key, one in list(sys.modules.items()) if key.startswith("uhop_cli"))]:
            if vars(holder).get(leaf) is plain:
                setattr(holder, leaf, checked)
