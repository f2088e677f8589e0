"""Stage I and batched retrieval on a GPU, beside what the device can do at most. Needs no data set.

    python tests/benchmarks/device.py --device cuda
    python tests/benchmarks/device.py --device torch-cpu --memories 5000 --learned 2000 --queries 50     # a dry run, without a GPU

Three figures, each beside a limit measured in the same run: 1,000 gradient steps at M = 500; the closed form at M = 50,000 (which
runs on the CPU in float64, whatever the device); T = 5 steps of the plain kernel for 1,000 queries on a million memories.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from uhop_cli.arrays import half_products as gpu
from uhop_cli.arrays.device import Device, resolve_device
from uhop_cli.arrays.library import to_numpy
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.corruption.corruption import parse
from uhop_cli.evidence.statistics import encode
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.kernel.closed_form import RHO_GRID, decompose
from uhop_cli.kernel.gradient import GradientSettings, descend
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.storing.learn import learn
from uhop_cli.storing.settings import StoreSettings

SPEC = PatternSpec(32, 32, 3)
STEPS, GRADIENT_STEPS, GRADIENT_MEMORIES = 5, 1000, 500


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--memories", type=int, default=1_000_000)
    parser.add_argument("--learned", type=int, default=50_000, help="memories of the closed form")
    parser.add_argument("--queries", type=int, default=1000)
    options = parser.parse_args()
    device = resolve_device(options.device)
    flops = limits(device)
    precision(device)

    rows = unit_rows(pictures(GRADIENT_MEMORIES, 1))
    weight = np.random.default_rng(0).standard_normal((SPEC.dim, SPEC.dim), dtype=np.float32)
    settings = GradientSettings(iterations=GRADIENT_STEPS)
    descend(device.put(rows), device.put(weight), GradientSettings(iterations=2), seed=0)
    seconds = timed(lambda: to_numpy(descend(device.put(rows), device.put(weight), settings, seed=0).weight))
    print(
        f"Stage I, {GRADIENT_STEPS} steps, M = {GRADIENT_MEMORIES}: {seconds:.2f} s, {1e3 * seconds / GRADIENT_STEPS:.2f} ms a step"
    )

    learned = pictures(options.learned, 2)
    print(f"Stage I, closed form, M = {options.learned}: {timed(lambda: decompose(learned, feature_dim=1024)):.2f} s on the CPU")

    retrieve(device, learned, options.memories, options.queries, flops)


def retrieve(device: Device, learned: np.ndarray, count: int, queries: int, flops: float) -> None:
    """T steps of the plain kernel."""
    kernel = learn(learned, StoreSettings()).kernel.with_chosen(RHO_GRID.index(1e-2))
    stored = np.concatenate([pictures(part.stop - part.start, 3 + part.start) for part in chunks(count, 50_000)])
    norms, statistics = encode(kernel, SPEC, stored)
    entries = Entries.build([b"%d" % row for row in range(count)], range(count), [bytes(32)] * count, [SPEC.dim] * count)
    memory = Memory(SPEC, stored, kernel, norms, entries, 300.0, {"retrieval": "evidence"}, statistics)
    asked = np.sort(np.random.default_rng(0).choice(count, queries, replace=False))
    damaged = parse("values:0.5")(unit_rows(stored[asked]), SPEC, 0).patterns
    started = time.perf_counter()
    retriever = Retriever(memory, RetrievalSettings(steps=STEPS, similarity="kernel"), device)
    print(f"memories sent to the device: {time.perf_counter() - started:.2f} s, resident: {retriever.X.resident}")

    def work() -> float:
        right = 0
        for part in chunks(queries, retriever.batch):
            answer = retriever.retrieve(damaged[part])
            right += sum(answer.ranking(place, 1)[0] == asked[part.start + place] for place in range(part.stop - part.start))
        return right / queries

    work()
    seconds = timed(work)
    # scores of every step, and what every step reads out; the states in between are read out of the memories as well
    products = 2.0 * queries * count * SPEC.dim * (2 * STEPS + STEPS - 1)
    print(
        f"{STEPS} steps for {queries} queries on {count} memories: {seconds:.2f} s, right: {work():.3f}; "
        f"{products / seconds / 1e12:.2f} Tflop/s, {products / seconds / flops:.2f} of the product in float32"
    )


def limits(device: Device) -> float:
    """Prints what products and copies reach on the device; returns the flop/s of products in float32."""
    import torch

    target = "cpu" if device.kind == "torch-cpu" else device.kind
    size = 2048 if target == "cpu" else 8192
    rates = {}
    for name in ("float32",) if target == "cpu" else ("float32", "float16"):
        square = torch.ones((size, size), dtype=getattr(torch, name), device=target)
        rates[name] = 2.0 * size**3 / best(lambda square=square: square @ square, target)  # type: ignore[misc]
    values = torch.ones(1 << 26, device=target)
    copied = 8.0 * values.numel() / best(values.clone, target)
    products = ", ".join(f"{rate / 1e12:.2f} Tflop/s in {name}" for name, rate in rates.items())
    print(f"{device.kind}: products {products}; copies {copied / 1e9:.0f} GB/s")
    return rates["float32"]


def precision(device: Device) -> None:
    """Prints how far products of pixels are off, in halves (on a CPU: as a GPU adds them) and in float32."""
    import torch

    def in_float32(left: Any, right: Any) -> Any:
        return left.float() @ right.float()

    rng = np.random.default_rng(0)
    left = rng.normal(size=(8, SPEC.dim)).astype(np.float32)
    pixels = rng.integers(0, 256, (500, SPEC.dim), dtype=np.uint8)
    exact = left.astype(np.float64) @ pixels.T
    tensors = device.put(left), device.put(pixels)
    halves = gpu.product(*tensors) if tensors[0].is_cuda else gpu.half_product(*tensors, in_float32)
    plain = torch.matmul(tensors[0], tensors[1].float().T)
    errors = [np.sqrt(np.mean((to_numpy(found) - exact) ** 2) / np.mean(exact**2)) for found in (halves, plain)]
    print(f"products of pixels are off by {errors[0]:.1e} in halves, {errors[1]:.1e} in float32, of their root mean square")


def best(work: Callable[[], Any], target: str, rounds: int = 5) -> float:
    """Seconds of the fastest of some calls, until the device is done."""
    import torch

    def whole() -> None:
        work()
        if target != "cpu":
            torch.cuda.synchronize(target)

    return min(timed(whole) for _ in range(rounds))


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def pictures(count: int, seed: int) -> np.ndarray:
    """Random pictures with coarse and fine structure, (count, 32, 32, 3)."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 192, (count, 8, 8, 3), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)
    coarse += rng.integers(0, 64, coarse.shape, dtype=np.uint8)
    return coarse


if __name__ == "__main__":
    main()
