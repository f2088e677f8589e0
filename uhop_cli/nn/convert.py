"""Layers from layers: a linear Phi multiplied in (`fold`), and what hflayers has learned (`from_hflayers`).

W_Q Phi(x) + b_Q with Phi(x) = W x + b is (W_Q W) x + (W_Q b + b_Q), so a layer with a linear Phi **is** a plain Hopfield layer:
nothing that one computes is out of reach of the other. The value path has no Phi; V = W_V (W_K y + b_K) + b_V becomes a projection
of its own. Where such a layer has no layer norms, one step of softmax, H hidden_size = input_size and beta by default, it is an
`nn.MultiheadAttention` too: `attention.load_state_dict(layer.fold().state_dict())` (batch_first=True; called with (state, stored,
projection)).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from uhop_cli.errors import SettingsError
from uhop_cli.nn.feature_map import FeatureMap
from uhop_cli.nn.projections import InProjections
from uhop_cli.nn.sizes import ROLES

Layer = TypeVar("Layer", bound=nn.Module)
Plain = TypeVar("Plain", bound=InProjections)

NAMES = {  # hflayers' -> ours
    "input_size": "input_size",
    "hidden_size": "hidden_size",
    "output_size": "output_size",
    "pattern_size": "pattern_size",
    "num_heads": "num_heads",
    "stored_pattern_size": "stored_pattern_size",
    "pattern_projection_size": "pattern_projection_size",
    "dropout": "dropout",
    "input_bias": "bias",
    "add_zero_association": "null",
    "quantity": "quantity",
    "trainable": "trainable",
    "lookup_weights_as_separated": "separate_targets",
    "lookup_targets_as_trainable": "targets_trainable",
}
NORMS = ("stored_pattern", "state_pattern", "pattern_projection", "hopfield_space")
STATIC = {"stored": "stored_pattern_as_static", "state": "state_pattern_as_static", "projection": "pattern_projection_as_static"}
OTHERS = {
    "scaling",
    "update_steps_max",
    "update_steps_eps",
    "pattern_projection_as_connected",
    "batch_first",
    "disable_out_projection",
}


@torch.no_grad()
def fold(layer: Plain) -> Plain:
    """The plain layer with the same outputs: no kernel, and values="projection".

    Raises:
        SettingsError: Phi is not linear, or there is no projection to multiply it into.
    """
    sizes, kernel = layer.sizes, layer.kernel
    if not (kernel is None or isinstance(kernel, nn.Linear) or (isinstance(kernel, FeatureMap) and not kernel.normalize)):
        raise SettingsError(
            f"a {type(kernel).__name__} that is not linear cannot be folded", "FeatureMap without normalize, nn.Linear"
        )
    if kernel is not None and {"state", "stored"} & set(sizes.static):
        raise SettingsError("static patterns have no projection to multiply Phi into", "without static, or without a kernel")
    parts = {role: layer.weight_and_bias(role) for role in ROLES}
    static = sizes.static
    if sizes.values == "stored":
        static = tuple(role for role in static if role != "projection")
        parts["projection"] = parts["stored"] if "projection" in sizes.static else _after(*parts["projection"], *parts["stored"])
    if kernel is not None:
        for role in ("state", "stored"):
            parts[role] = _after(*parts[role], kernel.weight, kernel.bias)
    plain = deepcopy(layer)
    plain.kernel = None
    plain.sizes = replace(sizes, features=None, values="projection", static=static)
    plain.install(parts)
    if plain.in_proj_bias is not None and plain.out_proj is not None and getattr(plain.out_proj, "bias", None) is None:
        plain.out_proj.bias = nn.Parameter(plain.out_proj.weight.new_zeros(plain.out_proj.out_features))
    return plain


def _after(weight: Tensor | None, bias: Tensor | None, first: Tensor | None, shift: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """The affine map W (F x + s) + b as one: W F and W s + b."""
    assert weight is not None
    assert first is not None
    moved = None if shift is None else weight @ shift
    return weight @ first, moved if bias is None else bias if moved is None else moved + bias


@torch.no_grad()
def from_hflayers(cls: type[Layer], source: nn.Module | Mapping[str, Tensor], arguments: Mapping[str, Any]) -> Layer:
    """The layer that a module of hflayers is, weights and all. Inputs and outputs are batch first, and bool masks have the
    opposite sense.

    What our arguments can't say is set on the layer: steps a head, eps and weights of the layer norms, a layer norm in the Hopfield
    space. A static pattern projection leaves biases unused in hflayers; they are dropped.

    Args:
        cls: `Hopfield`, `HopfieldPooling` or `HopfieldLayer`.
        source: the module, or its state_dict.
        arguments: those that it was made with, in hflayers' names.

    Raises:
        SettingsError: an argument that hflayers itself does not honour, or that is unknown; weights that do not fit the arguments.
    """
    norms = {f"normalize_{norm}{end}" for norm in NORMS for end in ("", "_affine", "_eps")}
    unknown = sorted(arguments.keys() - NAMES.keys() - norms - set(STATIC.values()) - OTHERS)
    if arguments.get("concat_bias_pattern"):
        raise SettingsError(
            "concat_bias_pattern=True: hflayers ignores it, so its bias_k and bias_v were never learned", "leave it out"
        )
    for name in unknown:
        if arguments[name] not in (None, False):
            raise SettingsError(
                f"{name}={arguments[name]!r} has no counterpart here", "leave it out where the layer does not need it"
            )
    static = tuple(role for role, name in STATIC.items() if arguments.get(name, False))
    given = {NAMES[name]: value for name, value in arguments.items() if name in NAMES}
    layer = cls(
        given.pop("input_size", None),
        **given,
        beta=_beta(arguments, static),
        steps=None if arguments.get("update_steps_max", 0) is None else 2,
        tolerance=arguments.get("update_steps_eps", 1e-4),
        normalize=any(arguments.get(f"normalize_{norm}", True) for norm in NORMS[:3]),
        values="stored" if arguments.get("pattern_projection_as_connected", False) else "projection",
        static=static,
        out_projection=not arguments.get("disable_out_projection", False),
    )
    core = _core(layer)
    core.steps = _steps(arguments.get("update_steps_max", 0))
    if core.steps == 1:
        core.tolerance = None
    _set_norms(core, arguments)
    return _loaded(layer, core, source, arguments.get("batch_first", True))


def _core(layer: nn.Module) -> Any:
    """The Hopfield layer itself."""
    return next(module for module in layer.modules() if isinstance(module, InProjections))


def _beta(arguments: Mapping[str, Any], static: tuple[str, ...]) -> float | list[float] | None:
    """hflayers' scaling; without one it is 1 where nothing is projected or normalised."""
    scaling = arguments.get("scaling")
    if scaling is None:
        bare = len(static) == 3 and not any(arguments.get(f"normalize_{norm}", norm != "hopfield_space") for norm in NORMS)
        return 1.0 if bare else None
    return [float(value) for value in scaling] if isinstance(scaling, list | tuple | Tensor) else float(scaling)


def _steps(most: Any) -> int | tuple[int, ...] | None:
    """hflayers counts the iterations before the read-out; None, or a negative number, is as many as it takes."""
    if isinstance(most, list | tuple | Tensor):
        return tuple(int(value) + 1 for value in most)
    return None if most is None or most < 0 else int(most) + 1


def _set_norms(core: InProjections, arguments: Mapping[str, Any]) -> None:
    sizes = (core.sizes.stored, core.sizes.state, core.sizes.projection, core.sizes.hidden)
    for norm, size in zip(NORMS, sizes, strict=True):
        inside = norm == "hopfield_space"
        module = None
        if arguments.get(f"normalize_{norm}", not inside) and size is not None:
            affine, eps = arguments.get(f"normalize_{norm}_affine", not inside), arguments.get(f"normalize_{norm}_eps", 1e-5)
            module = nn.LayerNorm(size, eps, elementwise_affine=affine)
        setattr(core, f"norm_{norm}", module)


def _loaded(layer: Layer, core: InProjections, source: nn.Module | Mapping[str, Tensor], batch_first: bool) -> Layer:
    """The layer with the weights of the source, in their dtype."""
    state = source.state_dict() if isinstance(source, nn.Module) else source
    tensors = {
        name.replace("association_core.", "").replace("p_norm_", "norm_hopfield_space."): value for name, value in state.items()
    }
    before = "" if layer is core else "hopfield."
    if core.in_proj_bias is not None and f"{before}in_proj_bias" in tensors:
        tensors[f"{before}in_proj_bias"] = tensors[f"{before}in_proj_bias"][: len(core.in_proj_bias)]
    for name in ("pooling_weights", "lookup_weights", "target_weights"):
        if name in tensors and not batch_first:
            tensors[name] = tensors[name].transpose(0, 1)
    dtype = next((value.dtype for value in tensors.values()), torch.get_default_dtype())
    try:
        layer.to(dtype).load_state_dict(tensors)
    except RuntimeError as error:
        raise SettingsError(
            f"the weights do not fit the arguments: {' '.join(str(error).split())}", "give all arguments of the module"
        ) from None
    return layer
