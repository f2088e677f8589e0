"""The layers beside hflayers' frozen answers and beside a naive reference: two parts of `layers.py`."""

from __future__ import annotations

import argparse
import json
import math
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from promises import promise
from torch import Tensor, nn

from uhop_cli.errors import UhopError
from uhop_cli.nn import FeatureMap, Hopfield, HopfieldLayer, HopfieldPooling

CLASSES: dict[str, Any] = {"Hopfield": Hopfield, "HopfieldPooling": HopfieldPooling, "HopfieldLayer": HopfieldLayer}


def fixtures(options: argparse.Namespace) -> None:
    """The frozen cases: those to be equal to, those where hflayers is wrong, the one to refuse."""
    if options.fixtures is None:
        print("skipped: no --fixtures DIR")
        return
    from safetensors.torch import load_file

    cases = json.loads((options.fixtures / "hopfield_layers.json").read_text())
    tensors = load_file(options.fixtures / "hopfield_layers.safetensors")
    worst = {(dtype, kind): (0.0, "") for dtype in (torch.float64, torch.float32) for kind in ("equal", "differ")}
    count = {"equal": 0, "differ": 0, "refuse": 0}
    rounded = {key: value.float().double() if "/input/" in key or "/weight/" in key else value for key, value in tensors.items()}
    rounding = (0.0, "")  # what no arithmetic in float32 can do better than: hence relative to the largest entry, in `apart`
    for case in cases:
        count[case["expect"]] += 1
        if case["expect"] == "refuse":
            try:
                CLASSES[case["class"]].from_hflayers({}, **case["arguments"])
                promise(case["name"], 0, False, "must be refused")
            except UhopError as error:
                print(f"  refused: {case['name']}: {error}")
            continue
        for dtype in (torch.float64, torch.float32):
            found = of_case(case, tensors, dtype)
            worst[dtype, case["expect"]] = max(worst[dtype, case["expect"]], (found, case["name"]))
        rounding = max(rounding, (of_case(case, rounded, torch.float64), case["name"]))
    print(f"  {count['equal']} equal, {count['differ']} differ, {count['refuse']} refused")
    for (dtype, kind), (distance, name) in worst.items():
        limit = 1e-10 if dtype == torch.float64 else 1e-5
        promise(f"fixtures, {kind}, {dtype}", distance, distance <= limit, f"largest difference, in {name}; at most {limit}")
    print(f"  float64 from inputs and weights that are rounded to float32: {rounding[0]:.3g} away, absolutely, in {rounding[1]}")


def of_case(case: dict[str, Any], tensors: dict[str, Tensor], dtype: torch.dtype) -> float:
    """The largest difference of a case's outputs and gradients."""

    def group(name: str) -> dict[str, Tensor]:
        before = f"{case['name']}/{name}/"
        found = {key.removeprefix(before): value for key, value in tensors.items() if key.startswith(before)}
        return {key: value.to(dtype, copy=True) if value.is_floating_point() else value for key, value in found.items()}

    right = "correct/" if case["expect"] == "differ" else ""
    arguments, weights = case["arguments"], group("weight")
    layer = CLASSES[case["class"]].from_hflayers(weights, **arguments).train(case["training"]).to(dtype)
    first = arguments.get("batch_first", True)
    inputs = {key: value.requires_grad_() for key, value in group("input").items()}
    given = {role: inputs[key] if first else inputs[key].transpose(0, 1) for role, key in case["inputs"].items()}
    names = {"stored_pattern": "stored", "state_pattern": "state", "pattern_projection": "projection"}
    core = layer if case["class"] == "Hopfield" else layer.hopfield
    mask = mask_of(group("mask"), core.sizes.heads)
    arguments_of_call = {names[role]: value for role, value in given.items()}
    output = layer(**arguments_of_call, mask=mask)
    arguments_of_call.pop("projection", None)
    associations = layer.associations(**arguments_of_call, mask=mask)
    expected = group(right + "output")
    shown = output if first or case["class"] != "Hopfield" else output.transpose(0, 1)
    cotangent = tensors[f"{case['name']}/{right}cotangent"].to(dtype)
    (shown * cotangent).sum().backward()
    distances = [apart(shown, expected["output"]), apart(associations, expected["association_matrix"])]
    distances += [apart(inputs[key].grad, value) for key, value in group(right + "grad/input").items()]
    ours = dict(layer.named_parameters())
    for key, value in group(right + "grad/weight").items():
        name = key.replace("association_core.", "").replace("p_norm_", "norm_hopfield_space.")
        gradient = ours[name].grad
        value = value if first or "_weights" not in key else value.transpose(0, 1)
        gradient = torch.zeros_like(ours[name]) if gradient is None else gradient
        distances.append(apart(gradient, value[: len(gradient)]))
        distances.append(float(value[len(gradient) :].abs().max()) if len(value) > len(gradient) else 0.0)
    frozen = [name.replace("association_core.", "") for name in case["without_gradient"]]
    distances += [float("inf") for name in frozen if name in ours and ours[name].grad is not None]
    return max(distances)


def mask_of(given: dict[str, Tensor], heads: int) -> Tensor | None:
    """hflayers' masks as one of ours: float, (B, H, L, S) or broadcasting to it."""
    mask: Tensor | None = None
    for name, value in given.items():
        added = torch.zeros(value.shape, dtype=torch.float64).masked_fill(value, -torch.inf) if value.dtype == torch.bool else value
        if name == "stored_pattern_padding_mask":
            added = added[:, None, None]
        else:
            added = added[None, None] if added.ndim == 2 else added.unflatten(0, (-1, heads))
        mask = added if mask is None else mask + added
    return mask


def apart(ours: Tensor | None, theirs: Tensor) -> float:
    """The largest difference: absolute in float64, in float32 relative to the largest entry, where that is above 1."""
    if ours is None or ours.shape != theirs.shape or not bool(torch.isfinite(ours).all()):
        return float("inf")
    size = max(1.0, float(theirs.abs().max())) if theirs.dtype == torch.float32 else 1.0
    return float((ours - theirs).detach().abs().max()) / size


def naive(layer: Hopfield, stored: Tensor, state: Tensor, projection: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """The equations of the layer with the entmax package, head by head: output and weights."""
    import entmax as package

    sizes = layer.sizes

    def affine(role: str, x: Tensor) -> Tensor:
        weight, bias = layer.weight_and_bias(role)
        return x if weight is None else x @ weight.T + (0 if bias is None else bias)

    def normed(norm: nn.Module | None, x: Tensor) -> Tensor:
        return x if norm is None else norm(x)

    def lift(x: Tensor) -> Tensor:
        return x if layer.kernel is None else x @ layer.kernel.weight.T + layer.kernel.bias

    r, y = lift(normed(layer.norm_state_pattern, state)), lift(normed(layer.norm_stored_pattern, stored))
    p = normed(layer.norm_pattern_projection, projection)
    p = affine("stored", p) if sizes.values == "stored" else p
    beta = layer.beta
    betas = [beta] * sizes.heads if isinstance(beta, float) else list(beta)
    outputs, weights = [], []
    for head in range(sizes.heads):

        def part(role: str, x: Tensor, width: int, head: int = head) -> Tensor:
            made = affine(role, x)
            return (
                made
                if role in sizes.static and not (role == "projection" and sizes.values == "stored")
                else made[..., head * width : (head + 1) * width]
            )

        q, k, v = part("state", r, sizes.hidden), part("stored", y, sizes.hidden), part("projection", p, sizes.pattern)
        if layer.null:
            k, v = F.pad(k, (0, 0, 0, 1)), F.pad(v, (0, 0, 0, 1))
        for step in range(layer.steps):
            logits = betas[head] * torch.einsum("bld,bsd->bls", q, k)
            if mask is not None:
                added = (
                    torch.zeros(mask.shape, dtype=logits.dtype).masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else mask
                )
                added = added[:, None] if added.ndim == 2 else added
                logits = logits + (F.pad(added, (0, 1)) if layer.null else added)
            rule = layer.separation
            if rule.kind == "softmax":
                w = logits.softmax(-1)
            elif rule.kind == "top-k":
                kept = torch.zeros_like(logits).scatter(-1, logits.topk(min(3, logits.shape[-1])).indices, 1)
                w = logits.masked_fill(kept == 0, -math.inf).softmax(-1)
            elif rule.learned:
                w = package.entmax_bisect(logits, layer.alpha[head].reshape(1, 1, 1), n_iter=80)
            else:
                w = package.sparsemax(logits) if rule.alpha == 2 else package.entmax15(logits)
            q = w @ k if step + 1 < layer.steps else q
        weights.append(w)
        outputs.append(w @ v)
    z = torch.cat(outputs, -1)
    return (z if layer.out_proj is None else layer.out_proj(z)), torch.stack(weights, 1)


def random(options: argparse.Namespace) -> None:
    """200 random configurations in float64: output, weights and gradients of all inputs and parameters."""
    draw = np.random.default_rng(0)
    torch.manual_seed(0)
    worst = 0.0
    for _ in range(200):
        heads, hidden = int(draw.integers(1, 4)), int(draw.integers(2, 5))
        size, other, batch = int(draw.integers(2, 7)), int(draw.integers(2, 7)), int(draw.integers(1, 4))
        length, count = int(draw.integers(1, 5)), int(draw.integers(2, 7))
        kernel = FeatureMap(size, int(draw.integers(2, 7)), "gaussian") if draw.random() < 0.5 else None
        layer = Hopfield(
            size,
            hidden,
            int(draw.integers(1, 6)) if draw.random() < 0.5 else None,
            num_heads=heads,
            pattern_size=int(draw.integers(1, 5)) if draw.random() < 0.3 else None,
            pattern_projection_size=other,
            kernel=kernel,
            separation=str(draw.choice(["softmax", "sparsemax", "entmax:1.5", "entmax:learned", "top-k:3"])),
            beta=[None, "learned", 0.7, [0.5 + head for head in range(heads)]][draw.integers(4)],
            steps=int(draw.integers(1, 4)),
            bias=bool(draw.integers(2)),
            normalize=bool(draw.integers(2)),
            null=bool(draw.integers(2)),
        ).double()
        for parameter in layer.parameters():
            nn.init.normal_(parameter, std=0.5)
        stored, state, projection = (
            torch.randn(*shape, dtype=torch.float64, requires_grad=True)
            for shape in ((batch, count, size), (batch, length, size), (batch, count, other))
        )
        mask = [None, torch.rand(batch, count) > 0.2, torch.randn(batch, length, count, dtype=torch.float64)][draw.integers(3)]
        if mask is not None and mask.dtype == torch.bool:
            mask[:, 0] = True
        output, weights = layer(stored, state, projection, mask=mask), layer.associations(stored, state, mask=mask)
        expected, right = naive(layer, stored, state, projection, mask)
        leaves = [stored, state, projection, *layer.parameters()]
        cotangent = torch.randn_like(output)
        gradients = [torch.autograd.grad(x, leaves, cotangent, allow_unused=True) for x in (output, expected)]
        pairs = [(output, expected), (weights, right)]
        pairs += [
            (torch.zeros_like(x) if a is None else a, torch.zeros_like(x) if b is None else b)
            for x, a, b in zip(leaves, *gradients, strict=True)
        ]
        worst = max(worst, *(float((a - b).detach().abs().max()) for a, b in pairs))
    promise("random configurations", worst, worst <= 1e-9, "largest difference of 200; at most 1e-9")
