"""Prints the figures that the layers of `uhop_cli.nn` promise.

    python tests/acceptance/layers.py fixtures --fixtures DIR   # 47 frozen answers of hflayers: outputs, weights, every gradient
    python tests/acceptance/layers.py random       # 200 random configurations against a naive reference, gradients included
    python tests/acceptance/layers.py alpha        # dp/dalpha in float32; entmax against the entmax package; half precision
    python tests/acceptance/layers.py entmax       # time of entmax beside the entmax package
    python tests/acceptance/layers.py speed        # the layer beside nn.MultiheadAttention
    python tests/acceptance/layers.py functions    # `associate` beside scaled_dot_product_attention, float32 and bfloat16
    python tests/acceptance/layers.py memory       # peak memory at 16,384 patterns
    python tests/acceptance/layers.py compiled     # every separation as one graph
    python tests/acceptance/layers.py separation   # separation loss beside the layer's forward + backward
    python tests/acceptance/layers.py retrieval    # 1,000 MNIST images beside uhop.retrieve (UHOP_DATA_DIR)
    python tests/acceptance/layers.py imports      # torch stays out of what does not need it
    python tests/acceptance/layers.py all --fixtures DIR
    python tests/acceptance/layers.py device --device cuda      # alpha, entmax, speed and memory in float32 and bfloat16

The exit status is 1 if a promise is missed. Times are ratios of medians over alternating runs on an otherwise idle machine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from uhop_cli.errors import UhopError
from uhop_cli.nn import FeatureMap, Hopfield, HopfieldLayer, HopfieldPooling, associate, separation_loss
from uhop_cli.nn.chunked import ADASPLASH
from uhop_cli.nn.entmax import entmax

missed: list[str] = []
rounds = [9]  # how often each call is timed
CLASSES: dict[str, Any] = {"Hopfield": Hopfield, "HopfieldPooling": HopfieldPooling, "HopfieldLayer": HopfieldLayer}
HFLAYERS = (2.0, 3.1, 3.6)  # its forward over that of nn.MultiheadAttention at SHAPES, measured once (commit f56f929, torch 2.13)
SHAPES = ((16, 128, 256, 8), (4, 1024, 256, 8), (1, 4096, 256, 8))  # B, L, d, H
KINDS = ("softmax", "sparsemax", "entmax:1.5", "entmax:learned", "top-k:3", "window:1", "random:.5", "linear", "prf:16", "argmax")


def promise(name: str, value: float, kept: bool, what: str) -> None:
    """Print a figure beside its promise and remember a miss."""
    print(f"  {'kept  ' if kept else 'MISSED'} {name}: {value:.4g} ({what})", flush=True)
    if not kept:
        missed.append(name)


def alternating(calls: dict[str, Callable[[], Any]], device: str = "cpu") -> dict[str, float]:
    """Median seconds of each call, over rounds in which every one has its turn, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds[0] + 1):
        for name, call in calls.items():
            settle(device)
            begin = time.perf_counter()
            call()
            settle(device)
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(values[1:])) for name, values in times.items()}


def settle(device: str) -> None:
    """Wait for the device."""
    if device != "cpu":
        torch.cuda.synchronize()


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


# ----------------------------------------------------------------------------------------------------------------- random


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


# ------------------------------------------------------------------------------------------------------------------ alpha


def alpha(options: argparse.Namespace) -> None:
    """dp/dalpha in float32 beside float64, weights beside the entmax package, logits of -1000 in halves."""
    import entmax as package

    device = options.device
    torch.manual_seed(0)
    x, dp = (torch.randn(256, 64, dtype=torch.float64, device=device) for _ in range(2))
    for scale in (1.0, 4.0):
        for value in (1.00001, 1.001, 1.1, 1.5, 2.0):
            found = []
            for dtype in (torch.float64, torch.float32):
                a = torch.full((256, 1), value, dtype=dtype, device=device, requires_grad=True)
                entmax((scale * x).to(dtype), a).backward(dp.to(dtype))
                assert a.grad is not None
                found.append(a.grad.double())
            gap = (found[1] - found[0]).abs()
            worst = float(torch.minimum(gap / 1e-4, gap / (1e-3 * found[0].abs()).clamp_min(1e-300)).max())
            promise(f"dp/dalpha at {value}, logits x {scale:g}", worst, worst <= 1, "of 1e-3 relative or 1e-4 absolute")
    worst = 0.0
    for size in (2, 16, 1024, 16384):
        for scale in (0.1, 1.0, 30.0):
            logits = scale * torch.randn(64, size, dtype=torch.float64, device=device)
            for value, theirs in ((1.5, package.entmax15), (2.0, package.sparsemax)):
                worst = max(worst, float((entmax(logits, value) - theirs(logits)).abs().max()))
    promise("entmax and the entmax package", worst, worst <= 1e-12, "alpha 1.5 and 2, float64; at most 1e-12")
    for dtype in (torch.bfloat16, torch.float16):
        for value in (1.5, 2.0, 1.25):
            logits = torch.full((4, 33), -1000.0, dtype=dtype, device=device)
            logits[:, 0] = -900
            finite = bool(torch.isfinite(entmax(logits, value)).all()) and bool(torch.isfinite(entmax(logits[:, 1:], value)).all())
            promise(f"logits of -1000 in {dtype}, alpha {value}", float(finite), finite, "finite")


def entmax_time(options: argparse.Namespace) -> None:
    """Forward and backward beside the entmax package."""
    import entmax as package

    torch.manual_seed(0)
    for shape, share in (((512, 1024), 1 / 2), ((64, 16384), 1 / 3)):
        x, g = torch.randn(*shape, device=options.device), torch.randn(*shape, device=options.device)
        x.requires_grad_()

        def call(f: Callable[[Tensor], Tensor], x: Tensor = x, g: Tensor = g) -> Callable[[], None]:
            return lambda: f(x).backward(g)

        times = alternating({"theirs": call(package.entmax15), "ours": call(lambda x: entmax(x, 1.5))}, device=options.device)
        ratio = times["ours"] / times["theirs"]
        promise(f"entmax 1.5, {shape[0]} x {shape[1]}", ratio, ratio <= share, f"of the package's time; at most {share:.3f}")


# ------------------------------------------------------------------------------------------------------------------ speed


def backward_of(call: Callable[[], Tensor], cotangent: Tensor) -> Callable[[], None]:
    """Forward and backward."""
    return lambda: call().backward(cotangent)


def speed(options: argparse.Namespace) -> None:
    """Forward and backward of a self-association beside nn.MultiheadAttention(need_weights=False)."""
    dtypes = (torch.float32,) if options.device == "cpu" else (torch.float32, torch.bfloat16)
    torch.manual_seed(0)
    for dtype in dtypes:
        for shape, theirs in zip(SHAPES, HFLAYERS, strict=True):
            ratios = layer_ratios(shape, dtype, options.device)
            what = f"{dtype} {shape}"
            kept = ratios.pop("softmax")
            promise(f"softmax {what}", kept, kept <= 1.1, f"of MultiheadAttention's time; at most 1.1; hflayers' forward {theirs}")
            print("         " + ", ".join(f"{name}: {ratio:.3g}" for name, ratio in ratios.items()), flush=True)


def layer_ratios(shape: tuple[int, int, int, int], dtype: torch.dtype, device: str) -> dict[str, float]:
    """Forward and backward of layers over those of nn.MultiheadAttention."""
    batch, length, size, heads = shape
    x = torch.randn(batch, length, size, device=device, dtype=dtype, requires_grad=True)
    g = torch.randn_like(x)
    attention = nn.MultiheadAttention(size, heads, batch_first=True).to(device, dtype)
    layers = {
        "softmax": Hopfield(size, num_heads=heads, normalize=False),
        "softmax with layer norms": Hopfield(size, num_heads=heads),
        "softmax with a kernel": Hopfield(size, num_heads=heads, normalize=False, kernel=FeatureMap(size)),
        "entmax:1.5": Hopfield(size, num_heads=heads, normalize=False, separation="entmax:1.5"),
    }
    calls = {"theirs": backward_of(lambda: attention(x, x, x, need_weights=False)[0], g)}
    for name, layer in layers.items():
        calls[name] = backward_of(partial(layer.to(device, dtype), x), g)
    times = alternating(calls, device=device)
    return {name: times[name] / times["theirs"] for name in layers}


PEAK = """
import sys, torch
from uhop_cli.nn import associate
def high():
    return int(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
def run(length):
    x = [torch.randn(1, 1, length, 64, requires_grad=True) for _ in range(3)]
    associate(*x, beta=0.125, separation=sys.argv[1]).sum().backward()
run(256)
before = high()
run(16384)
print((high() - before) / 1024)
"""


def memory(options: argparse.Namespace) -> None:
    """Peak memory of forward and backward of 16,384 states and patterns of 64 features, one head."""
    for name in ("softmax", "entmax:1.5"):
        if options.device == "cpu":
            peak = float(subprocess.run([sys.executable, "-c", PEAK, name], check=True, capture_output=True, text=True).stdout)
        else:
            torch.cuda.reset_peak_memory_stats()
            before = torch.cuda.memory_allocated()
            x = [torch.randn(1, 1, 16384, 64, device=options.device, requires_grad=True) for _ in range(3)]
            associate(x[0], x[1], x[2], beta=0.125, separation=name).sum().backward()
            peak = (torch.cuda.max_memory_allocated() - before) / 2**20
        promise(f"peak of {name}, L = 16,384", peak, peak < 200, "MB more, forward and backward; below 200, a matrix has 1,024")


def device(options: argparse.Namespace) -> None:
    """What is to be run on a GPU."""
    for experiment in (alpha, entmax_time, memory, functions, speed):
        experiment(options)


def functions(options: argparse.Namespace) -> None:
    """`associate` beside SDPA in float32 and bfloat16, and beside adasplash where that is installed."""
    torch.manual_seed(0)
    for dtype in (torch.float32, torch.bfloat16):
        length = 4096 if options.device != "cpu" else 128
        x = [torch.randn(4, 8, length, 64, device=options.device, dtype=dtype, requires_grad=True) for _ in range(3)]
        g = torch.randn_like(x[0])
        calls = {"sdpa": backward_of(partial(F.scaled_dot_product_attention, *x), g)}
        for name in ("softmax", "entmax:1.5", "sparsemax", "linear"):
            beta = None if name == "linear" else 0.125
            calls[name] = backward_of(partial(associate, *x, beta=beta, separation=name), g)
        times = alternating(calls, device=options.device)
        shown = ", ".join(f"{name} {times[name] / times['sdpa']:.3g}" for name in calls if name != "sdpa")
        print(f"  {dtype}, (4, 8, {length}, 64), over SDPA ({1000 * times['sdpa']:.2f} ms): {shown}")
        if ADASPLASH and options.device != "cpu":
            fused = associate(*x, beta=0.125, separation="entmax:1.5")
            ours = associate(
                *x, beta=0.125, separation="entmax:1.5", mask=torch.ones(4, length, dtype=torch.bool, device=options.device)
            )
            gap = float((fused - ours).detach().abs().max())
            promise(f"adasplash {dtype}", gap, gap <= (1e-3 if dtype == torch.float32 else 3e-2), "largest difference to ours")


# --------------------------------------------------------------------------------------------------------------- compiled


def compiled(options: argparse.Namespace) -> None:
    """torch.compile(fullgraph=True, backend="aot_eager") of every separation with two steps, output and gradient."""
    torch.manual_seed(0)
    for kind in KINDS:
        torch._dynamo.reset()
        layer = Hopfield(8, num_heads=2, kernel=FeatureMap(8), separation=kind, steps=2, null=True).eval()
        stored, state = torch.randn(3, 6, 8, requires_grad=True), torch.randn(3, 5, 8)
        mask = torch.rand(3, 6) > 0.3
        found = [f(stored, state, mask=mask) for f in (layer, torch.compile(layer, fullgraph=True, backend="aot_eager"))]
        slopes = [torch.autograd.grad(output.sum(), stored)[0] for output in found]
        gap = max(float((a - b).detach().abs().max()) for a, b in (found, slopes))
        promise(f"compiled {kind}", gap, gap <= 1e-5, "difference to eager, output and gradient")


def separation(options: argparse.Namespace) -> None:
    """The separation loss of 128 sequences of 16 tokens, forward and backward, beside the layer's."""
    torch.manual_seed(0)
    layer = Hopfield(512, num_heads=8, kernel=FeatureMap(512))
    x = torch.randn(128, 16, 512, requires_grad=True)
    features = torch.randn(128, 16, 512, requires_grad=True)
    g = torch.randn(128, 16, 512)
    for kind in ("average", "orthogonal"):
        times = alternating(
            {
                "layer": lambda: layer(x).backward(g),
                "loss": lambda kind=kind: separation_loss(features, kind).mean().backward(),
            }
        )
        ratio = times["loss"] / times["layer"]
        promise(f"separation loss, {kind}", ratio, ratio < 0.03, "of the layer's forward + backward; below .03")


# -------------------------------------------------------------------------------------------------------------- retrieval


def retrieval(options: argparse.Namespace) -> None:
    """Half-covered MNIST images: `Hopfield` and `uhop.retrieve` with the dot product and with the kernel of a memory file."""
    from uhop_cli import RetrievalSettings, learn, retrieve, save
    from uhop_cli.experiments.data.datasets import load

    if "UHOP_DATA_DIR" not in os.environ:
        print("skipped: MNIST is not under UHOP_DATA_DIR")
        return
    pixels = load("mnist", Path(os.environ["UHOP_DATA_DIR"])).pixels[:1000]
    known = learn(pixels)
    stored = torch.tensor(np.asarray(known.patterns).reshape(len(known), -1) / np.float32(255))[None]
    covered = pixels.reshape(1000, 28, 28).copy()
    covered[:, 14:] = 0
    queries = covered.reshape(1000, -1) / np.float32(255)
    bare: dict[str, Any] = {"static": ("stored", "state", "projection"), "normalize": False, "out_projection": False}
    with tempfile.TemporaryDirectory() as folder:
        save(known, Path(folder) / "mnist.safetensors")
        kernel = FeatureMap.from_memory(Path(folder) / "mnist.safetensors")
    for similarity, beta, phi in (("dot", 0.5, None), ("kernel", 20.0, kernel)):
        answer = retrieve(known, queries, settings=RetrievalSettings(1, beta, similarity=similarity))
        layer = Hopfield(784, kernel=phi, beta=beta, **bare)
        with torch.no_grad():
            weights = layer.associations(stored, torch.tensor(queries)[None])[0, 0].numpy()
            picture = layer(stored, torch.tensor(queries)[None])[0].numpy()
        gap = float(np.abs(weights - answer.weights).max())
        shown = float(np.abs(picture - answer.pictures[-1]).max())
        promise(f"weights, {similarity}", gap, gap <= 1e-5, "difference to uhop.retrieve; at most 1e-5")
        promise(f"pictures, {similarity}", shown, shown <= 1e-4, "difference to uhop.retrieve, pixels in [0, 1]")


def imports(options: argparse.Namespace) -> None:
    """Whether torch is imported by what needs none."""
    code = "import sys, uhop_cli; from uhop_cli.cli import app; print('torch' in sys.modules, 'uhop_cli.nn' in sys.modules)"
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    promise("torch imported by uhop_cli and its command line", float(shown != "False False"), shown == "False False", shown)
    trace = "import sys; from uhop_cli.cli.app import main; sys.argv = ['uhop', '--help']\ntry: main()\nexcept SystemExit: pass\n"
    trace += "print('torch' in sys.modules, file=sys.stderr)"
    shown = subprocess.run([sys.executable, "-c", trace], check=True, capture_output=True, text=True).stderr.strip()
    promise("torch imported by uhop --help", float(shown != "False"), shown.endswith("False"), shown)


EXPERIMENTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "fixtures": fixtures,
    "random": random,
    "alpha": alpha,
    "entmax": entmax_time,
    "speed": speed,
    "memory": memory,
    "compiled": compiled,
    "separation": separation,
    "retrieval": retrieval,
    "imports": imports,
    "functions": functions,
    "device": device,
}


def main() -> int:
    """Run what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", choices=(*EXPERIMENTS, "all"))
    parser.add_argument("--fixtures", type=Path)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, default=9, help="how often each call is timed")
    options = parser.parse_args()
    rounds[0] = options.rounds
    for name, experiment in EXPERIMENTS.items():
        if options.experiment == name or (options.experiment == "all" and name != "device"):
            print(name, flush=True)
            experiment(options)
    print(f"missed: {', '.join(missed)}" if missed else "all promises kept")
    return bool(missed)


if __name__ == "__main__":
    sys.exit(main())
