"""Prints the figures that docs/stage-one.md quotes about solvers and the paper's protocol.

    python tests/acceptance/stage_one.py speed          # gradient steps against an autograd loop; time to 5% of the bound
    python tests/acceptance/stage_one.py closed-form    # CIFAR-10, 50,000 memories: time and resident memory
    python tests/acceptance/stage_one.py paper          # sum-of-squares error against N on MNIST; CIFAR-10 at N = 500
    python tests/acceptance/stage_one.py all --json docs/figures/stage_one.json

Data sets are taken from UHOP_DATA_DIR (mnist/ and cifar-10-batches-py/ in their standard layouts); without it the parts that need
them are skipped by name. Every figure that has a promise is printed with it, and the exit status is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from promises import missed, promise

from uhop_cli.arrays.operations import logsumexp
from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.datasets import load
from uhop_cli.kernel.closed_form import decompose, whitening
from uhop_cli.kernel.feature_map import KernelFamily, initial_weight, normalise_rows
from uhop_cli.kernel.gradient import Descent, GradientSettings, descend
from uhop_cli.kernel.gram_step import point_at
from uhop_cli.kernel.losses import AverageLoss, MaxLoss, OrthogonalLoss, SeparationLoss, TemperatureLoss
from uhop_cli.progress import Progress

SETS = 20  # memory sets a figure is the mean of, as in the paper
figures: dict[str, Any] = {}


def data(name: str) -> np.ndarray | None:
    """Training images as rows of pixels, channel by channel, uint8, or None with a line that says what is skipped."""
    try:
        pixels = load(name, Path(os.environ["UHOP_DATA_DIR"])).pixels
    except (KeyError, DatasetError):
        print(f"skipped: {name} is not under UHOP_DATA_DIR")
        return None
    return pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)


def draw(images: np.ndarray, memories: int, rng: np.random.Generator) -> np.ndarray:
    """A memory set: rows in [0, 1], float32."""
    return (images[rng.choice(len(images), memories, replace=False)] / 255).astype(np.float32)


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


# ---------------------------------------------------------------------------------------------------------------- solvers


def centred(family: KernelFamily, patterns: np.ndarray) -> KernelFamily:
    """The chosen kernel with the direction of the mean feature projected out, Phi' = (I - v v^T) Phi.

    As rho -> 0 the features of linearly independent memories are then the regular simplex, whose average separation loss is the
    lower bound -2t M/(M - 1).
    """
    mean = family.features(patterns).mean(axis=0, dtype=np.float64)
    direction = mean / np.linalg.norm(mean)
    return KernelFamily.explicit((family.weight - np.outer(direction, direction @ family.weight)).astype(np.float32))


class Autograd:
    """Stage I as the published code has it: SGD on W through `torch.pdist`, average loss with t = 2."""

    def __init__(self, patterns: np.ndarray, weight: np.ndarray, rate: float) -> None:
        import torch

        self.torch, self.x = torch, torch.from_numpy(patterns)
        self.weight = torch.from_numpy(weight.copy()).requires_grad_()
        self.optimiser = torch.optim.SGD([self.weight], lr=rate)

    def step(self) -> None:
        squares = self.torch.pdist(self.torch.nn.functional.normalize(self.x @ self.weight.T, dim=1)).square()
        self.optimiser.zero_grad()
        squares.mul(-2).exp().mean().log().backward()
        self.optimiser.step()


def speed(options: argparse.Namespace) -> None:
    """N = 1000 steps at M = 500, d = D = 3072 against the autograd loop; then the time to 5% of the bound for every solver."""
    rng = np.random.default_rng(0)
    images = data("cifar10")
    patterns = draw(images, 500, rng) if images is not None else rng.random((500, 3072), dtype=np.float32)
    weight = initial_weight("gaussian", 3072, 3072, rng)
    source = "CIFAR-10" if images is not None else "random rows"
    print(f"Stage I, M=500, d=D=3072, gaussian W0, average loss t=2, learning rate 1 ({source})")
    loop = Autograd(patterns, weight, 1.0)
    loop.step()  # the first step also pays for torch's start
    steps = options.autograd_steps
    _, seconds = timed(lambda: [loop.step() for _ in range(steps - 1)])
    autograd_step = seconds / (steps - 1)
    whole, seconds = timed(lambda: descend(patterns, weight, GradientSettings(iterations=1000, learning_rate=1.0)))
    ratio = 1000 * autograd_step / seconds
    print(f"  autograd {autograd_step:.3f} s a step (mean of {steps - 1}), so {1000 * autograd_step:.0f} s for 1000 steps")
    print(f"  here 1000 steps and W formed: {seconds:.1f} s")
    promise("times faster than autograd", ratio, ratio >= 30, "at least 30")
    # The reference is in float64: a loop in float32 rounds W at every step, which costs more than 1e-3 of so small a change.
    exact_patterns, exact_weight = patterns.astype(np.float64), weight.astype(np.float64)
    reference = Autograd(exact_patterns, exact_weight, 1.0)
    for _ in range(10):
        reference.step()
    change = reference.weight.detach().numpy() - exact_weight
    ours = descend(patterns, weight, GradientSettings(iterations=10, learning_rate=1.0))
    near = float(np.linalg.norm(ours.weight - exact_weight - change) / np.linalg.norm(change))
    promise("relative difference of W - W0 from float64 autograd after 10 steps", near, near <= 1e-3, "at most 1e-3")
    exact = descend(exact_patterns, exact_weight, GradientSettings(iterations=1000, learning_rate=1.0))
    far = float(np.linalg.norm(whole.weight - exact.weight) / np.linalg.norm(exact.weight - exact_weight))
    promise("the same from this solver in float64 after 1000 steps", far, far <= 1e-3, "at most 1e-3")
    figures["speed"] = {"autograd_step": autograd_step, "seconds_1000": seconds, "ratio": ratio, "near": near, "far": far}
    _to_five_percent(patterns, weight)


def _to_five_percent(patterns: np.ndarray, weight: np.ndarray) -> None:
    """Seconds until the loss is within 5% of its bound, each solver with W in hand at the end."""
    loss = AverageLoss()
    bound = loss.bound(500, 3072)
    print(f"Time to a loss within 5% of the bound {bound:.4f}, i.e. {0.95 * bound:.4f}, same memories:")
    rows: dict[str, dict[str, float]] = {}

    def row(name: str, seconds: float, steps: float, value: float) -> None:
        rows[name] = {"seconds": seconds, "steps": steps, "loss": value}
        print(f"  {name:<42} {seconds:8.2f} s {steps:6.0f} steps   loss {value:.4f}", flush=True)

    curves: dict[str, list[list[float]]] = {}
    for name, rate in (("gradient, learning rate auto", "auto"), ("gradient, learning rate 100", 100.0)):
        start, trace = time.perf_counter(), []
        settings = GradientSettings(learning_rate=rate, tolerance=0.05, iterations=2000)

        def note(step: Progress, start: float = start, trace: list[tuple[float, int]] = trace) -> None:
            trace.append((time.perf_counter() - start, step.done))

        result, seconds = timed(lambda settings=settings, note=note: descend(patterns, weight, settings, progress=note))
        curves[name] = [[at, float(result.losses[step]), step] for at, step in trace[:: max(1, len(trace) // 100)]]
        row(name, seconds, float(result.steps), float(result.loss_final))
    fixed = int(rows["gradient, learning rate 100"]["steps"])
    for name, solve in (
        ("closed form, rho 1e-6", lambda: whitening(decompose(patterns), (1e-6,))),
        ("closed form, rho 1e-9", lambda: whitening(decompose(patterns), (1e-9,))),
        ("closed form, rho 1e-9, features centred", lambda: centred(whitening(decompose(patterns), (1e-9,)), patterns)),
    ):
        family, seconds = timed(solve)
        row(name, seconds, 0, float(point_at(family.features(patterns).astype(np.float64), loss).loss))
    loop, spent, step = Autograd(patterns, weight, 100.0), 0.0, 0
    curve: list[list[float]] = []
    while step < fixed:
        _, seconds = timed(loop.step)
        spent, step = spent + seconds, step + 1
        curve.append([spent, float(point_at(patterns @ loop.weight.detach().numpy().T, loss).loss), step])
    curves["autograd, learning rate 100"] = curve
    row("autograd, learning rate 100", spent, step, curve[-1][1])
    figures["five_percent"] = {"rows": rows, "curves": curves, "bound": bound}


def closed_form(options: argparse.Namespace) -> None:
    """The closed form on 50,000 memories against one Gram matrix and its eigen-decomposition."""
    images = data("cifar10")
    if images is None:
        return
    print(f"Closed form, M={len(images)}, d=3072, CIFAR-10")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    _, seconds = timed(lambda: whitening(decompose(images)))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    rows = images.astype(np.float32) / np.float32(255)
    moment, product = timed(lambda: rows.T @ rows)
    _, decomposition = timed(lambda: np.linalg.eigh(moment.astype(np.float64)))
    bare = product + decomposition
    print(f"  closed form {seconds:.1f} s; bare Gram matrix {product:.1f} s + eigen-decomposition {decomposition:.1f} s")
    promise("times the bare linear algebra", seconds / bare, seconds <= 3 * bare, "at most 3")
    promise("peak resident GiB", peak, peak < 3, f"under 3; {before:.2f} with the images alone")
    figures["closed_form"] = {"seconds": seconds, "gram": product, "eigh": decomposition, "peak_gib": peak}


# ---------------------------------------------------------------------------------------------------------- paper protocol


def protocol(patterns: np.ndarray, weight: np.ndarray, rng: np.random.Generator) -> tuple[float, float]:
    """Sum-of-squares error and top-1 by the paper's protocol.

    Rows of W normalised, raw kernel, beta = 1, softmax, T = 1; every value of a query kept with probability 1/2 and doubled if
    kept, as dropout does in the published script; both images clamped to [0, 1] before the error.
    """
    kernel = normalise_rows(weight)
    queries = patterns * (rng.random(patterns.shape, dtype=np.float32) < 0.5) * np.float32(2)
    scores = (queries @ kernel.T) @ (patterns @ kernel.T).T
    state = np.exp(scores - logsumexp(scores, keepdims=True)) @ patterns
    error = np.square(np.clip(state, 0, 1) - patterns).sum(axis=1).mean()
    return float(error), float(np.mean(scores.argmax(axis=1) == np.arange(len(patterns))))


def over_sets(images: np.ndarray, settings: GradientSettings, init: Any = "gaussian", memories: int = 100) -> np.ndarray:
    """(error, top-1, loss, steps) of each of `SETS` memory sets, the same sets, W0 and masks for every setting."""
    rows = []
    for seed in range(SETS):
        rng = np.random.default_rng(seed)
        patterns = draw(images, memories, rng)
        result: Descent = descend(patterns, initial_weight(init, patterns.shape[1], patterns.shape[1], rng), settings)
        error, top = protocol(patterns, result.weight, np.random.default_rng(1000 + seed))
        rows.append([error, top, float(result.loss_final), float(result.steps)])
    return np.array(rows)


def show(name: str, rows: np.ndarray) -> dict[str, float]:
    error, top, loss, steps = rows.mean(axis=0)
    spread = rows.std(axis=0, ddof=1)
    accuracy = f"top-1 {top:.4f} +- {spread[1]:.4f}"
    print(f"  {name:<46} error {error:8.3f} +- {spread[0]:7.3f}   {accuracy}   loss {loss:8.4f}  {steps:5.0f} steps", flush=True)
    return {"error": error, "error_std": spread[0], "top1": top, "top1_std": spread[1], "loss": loss, "steps": steps}


def paper(options: argparse.Namespace) -> None:
    """Error against N by the paper's protocol, means of 20 sets of 100 memories (+- standard deviation over the sets)."""
    table: dict[str, dict[str, float]] = {}
    mnist = data("mnist")
    if mnist is not None:
        print("MNIST, M=100, learning rate 1")
        for n in (0, 1, 10, 20, 50, 100, 200, 500, 1000):
            table[f"mnist, rate 1, N={n}"] = show(f"N={n}", over_sets(mnist, GradientSettings(iterations=n, learning_rate=1.0)))
        errors = [table[f"mnist, rate 1, N={n}"]["error"] for n in (0, 1, 10, 20, 50, 100, 200)]
        promise("MNIST error at N=200", errors[-1], errors[-1] < 0.5, "below 0.5")
        promise("least fall of the error from one N to the next", min(-np.diff(errors)), min(-np.diff(errors)) > 0, "above 0")
        for n in (10, 100, 1000):
            settings = GradientSettings(iterations=n, learning_rate=1.0, schedule="published")
            table[f"mnist, published schedule, N={n}"] = show(f"published schedule, N={n}", over_sets(mnist, settings))
        for tolerance in (0.05, 0.0):
            settings = GradientSettings(iterations=200, tolerance=tolerance)
            table[f"mnist, auto, tolerance {tolerance}"] = show(
                f"rate auto, N=200, tolerance {tolerance}", over_sets(mnist, settings)
            )
    cifar = data("cifar10")
    if cifar is not None:
        print("CIFAR-10, M=100")
        untrained = show("untrained", over_sets(cifar, GradientSettings(iterations=0)))
        auto = show("rate auto, N=500", over_sets(cifar, GradientSettings(iterations=500)))
        table |= {"cifar10, untrained": untrained, "cifar10, auto, N=500": auto}
        promise("CIFAR-10 top-1", auto["top1"], auto["top1"] >= 0.97, f"at least 0.97; untrained {untrained['top1']:.3f}")
        promise("CIFAR-10 error", auto["error"], auto["error"] <= 20, f"at most 20; untrained {untrained['error']:.0f}")
        for rate in (1.0, 10.0, 30.0, 100.0):
            name = f"rate {rate:g}, N=500"
            table[f"cifar10, {name}"] = show(name, over_sets(cifar, GradientSettings(iterations=500, learning_rate=rate)))
        stop = GradientSettings(iterations=500, tolerance=0.05)
        table["cifar10, auto, tolerance 0.05"] = show("rate auto, stopped within 5% of the bound", over_sets(cifar, stop))
        for init in ("orthogonal", "identity"):
            rows = over_sets(cifar, GradientSettings(iterations=500), init)
            table[f"cifar10, auto, N=500, {init}"] = show(f"rate auto, N=500, {init} W0", rows)
        others: list[tuple[SeparationLoss, Any]] = [
            (TemperatureLoss(0.05, start=1.0), "auto"),
            (OrthogonalLoss(), "auto"),
            (MaxLoss(), "auto"),
            (MaxLoss(), 10.0),
        ]
        for loss, rate in others:
            name = f"{loss.name} loss, rate {rate}, N=500"
            settings = GradientSettings(loss=loss, iterations=500, learning_rate=rate)
            table[f"cifar10, {name}"] = show(name, over_sets(cifar, settings))
    figures["paper"] = table


def rounded(tree: Any) -> Any:
    """The figures at five significant digits."""
    if isinstance(tree, dict):
        return {key: rounded(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [rounded(value) for value in tree]
    return float(f"{tree:.5g}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["speed", "closed-form", "paper", "all"])
    parser.add_argument("--autograd-steps", type=int, default=20, help="steps of the autograd loop that its time is scaled from")
    parser.add_argument("--json", type=Path, help="also write the figures here; parts that did not run keep what the file has")
    options = parser.parse_args()
    # The closed form comes first: its peak memory is that of the process.
    parts = {"closed-form": closed_form, "speed": speed, "paper": paper}
    for name, part in parts.items():
        if options.part in (name, "all"):
            part(options)
    if options.json:
        kept = json.loads(options.json.read_text()) if options.json.is_file() else {}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(rounded(kept | figures), indent=1) + "\n")
    if missed:
        print("missed: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
