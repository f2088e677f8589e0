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
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layers_answers import fixtures, random
from layers_cost import entmax_time, functions, memory, rounds, separation, speed
from promises import missed, promise

from uhop_cli.nn import FeatureMap, Hopfield
from uhop_cli.nn.entmax import entmax

KINDS = ("softmax", "sparsemax", "entmax:1.5", "entmax:learned", "top-k:3", "window:1", "random:.5", "linear", "prf:16", "argmax")


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


def device(options: argparse.Namespace) -> None:
    """What is to be run on a GPU."""
    for experiment in (alpha, entmax_time, memory, functions, speed):
        experiment(options)


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
    trace = "import sys; from uhop_cli.__main__ import main; sys.argv = ['uhop', '--help']\ntry: main()\nexcept SystemExit: pass\n"
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
