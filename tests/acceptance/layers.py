"""Prints the figures that the layers of `uhop_cli.nn` promise.

    python tests/acceptance/layers.py fixtures --fixtures DIR   # 47 frozen answers of hflayers: outputs, associations, every gradient
    python tests/acceptance/layers.py random       # 200 random configurations against a naive reference, gradients included
    python tests/acceptance/layers.py alpha        # dp/dalpha in float32; entmax against the entmax package; half precision
    python tests/acceptance/layers.py entmax       # time of entmax beside the entmax package
    python tests/acceptance/layers.py speed        # the layer beside nn.MultiheadAttention; peak memory at 16,384 patterns
    python tests/acceptance/layers.py alternation  # separation loss beside the layer's forward + backward
    python tests/acceptance/layers.py retrieval    # 1,000 MNIST images beside uhop.retrieve (UHOP_DATA_DIR)
    python tests/acceptance/layers.py imports      # torch stays out of what does not need it
    python tests/acceptance/layers.py all --fixtures DIR
    python tests/acceptance/layers.py device --device cuda      # speed of softmax and entmax in float32 and bfloat16, ratios to SDPA

The exit status is 1 if a promise is missed. Times are ratios of medians over alternating runs on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uhop_cli.errors import UhopError
from uhop_cli.nn import FeatureMap, Hopfield, HopfieldLayer, HopfieldPooling, associate, separation_loss
from uhop_cli.nn.entmax import entmax

missed: list[str] = []
CLASSES: dict[str, Any] = {"Hopfield": Hopfield, "HopfieldPooling": HopfieldPooling, "HopfieldLayer": HopfieldLayer}
HFLAYERS = (2.0, 3.1, 3.6)  # its forward over that of nn.MultiheadAttention at SHAPES, measured once (commit f56f929, torch 2.13)
SHAPES = ((16, 128, 256, 8), (4, 1024, 256, 8), (1, 4096, 256, 8))  # B, L, d, H


def promise(name: str, value: float, kept: bool, what: str) -> None:
    """Print a figure beside its promise and remember a miss."""
    print(f"  {'kept  ' if kept else 'MISSED'} {name}: {value:.4g} ({what})", flush=True)
    if not kept:
        missed.append(name)


# --------------------------------------------------------------------------------------------------------------- fixtures


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
    print(f"  {count['equal']} equal, {count['differ']} differ, {count['refuse']} refused")
    for (dtype, kind), (distance, name) in worst.items():
        # the bias of the norm of stored patterns has no gradient but rounding, which scaling_per_head's large logits carry into it
        limit = 1e-10 if dtype == torch.float64 else 1e-5 if kind == "equal" else 2e-5
        promise(f"fixtures, {kind}, {dtype}", distance, distance <= limit, f"largest difference, in {name}; at most {limit}")


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


EXPERIMENTS: dict[str, Callable[[argparse.Namespace], None]] = {"fixtures": fixtures}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=(*EXPERIMENTS, "all"))
    parser.add_argument("--fixtures", type=Path)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    for name, experiment in EXPERIMENTS.items():
        if options.experiment == name or (options.experiment == "all" and name != "device"):
            print(name, flush=True)
            experiment(options)
    print(f"missed: {', '.join(missed)}" if missed else "all promises kept")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
