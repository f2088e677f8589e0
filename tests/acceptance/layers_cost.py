"""What the layers cost: time beside other people's code, memory; parts of `layers.py`."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from promises import promise
from torch import Tensor, nn

from uhop_cli.nn import FeatureMap, Hopfield, associate, separation_loss
from uhop_cli.nn.chunked import ADASPLASH
from uhop_cli.nn.entmax import entmax
from uhop_cli.nn.losses import Kind

rounds = [9]  # how often each call is timed
HFLAYERS = (2.0, 3.1, 3.6)  # its forward over that of nn.MultiheadAttention at SHAPES, measured once (commit f56f929, torch 2.13)
SHAPES = ((16, 128, 256, 8), (4, 1024, 256, 8), (1, 4096, 256, 8))  # B, L, d, H


def alternating(
    calls: dict[str, Callable[[], Any]], device: str = "cpu", *, times_each: int = 1, before: Callable[[], None] | None = None
) -> dict[str, float]:
    """Median seconds of each call, over rounds in which every one has its turn, after one round that does not count.

    Args:
        calls: what is timed, by name.
        device: where they run.
        times_each: that many times as many rounds, for calls of a millisecond, whose single times scatter.
        before: what comes before each call and is not timed.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(times_each * rounds[0] + 1):
        for name, call in calls.items():
            if before is not None:
                before()
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


def separation(options: argparse.Namespace) -> None:
    """The separation loss of 128 sequences of 16 tokens, forward and backward, beside the layer's.

    As in training, gradients are made anew, not added to those of the step before.
    """
    torch.manual_seed(0)
    layer = Hopfield(512, num_heads=8, kernel=FeatureMap(512))
    x = torch.randn(128, 16, 512, requires_grad=True)
    features = torch.randn(128, 16, 512, requires_grad=True)
    g = torch.randn(128, 16, 512)

    def forget() -> None:
        layer.zero_grad()
        x.grad = features.grad = None

    kinds: tuple[Kind, ...] = ("average", "orthogonal")
    for kind in kinds:

        def loss(kind: Kind = kind) -> None:
            separation_loss(features, kind).mean().backward()

        times = alternating({"layer": lambda: layer(x).backward(g), "loss": loss}, times_each=4, before=forget)
        ratio = times["loss"] / times["layer"]
        promise(f"separation loss, {kind}", ratio, ratio < 0.03, "of the layer's forward + backward; below .03")
