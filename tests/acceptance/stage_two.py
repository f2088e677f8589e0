"""Prints the figures that Stage II promises: agreement of the models with their references, exact storage, certified radii.

    python tests/acceptance/stage_two.py models       # entmax package, ten-line references, both array libraries, streams
    python tests/acceptance/stage_two.py exactness    # "exactly stored" against iterating, 200 random and 200 real memory sets
    python tests/acceptance/stage_two.py radius       # 100,000 noises inside and just outside the certified radii
    python tests/acceptance/stage_two.py speed        # guarantees of 5,000 memories of 3,072 values
    python tests/acceptance/stage_two.py all

Real sets come from UHOP_DATA_DIR (mnist/ and cifar-10-batches-py/ in their standard layouts); without it they are skipped by
name. The exit status is 1 if a promise is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from promises import missed, promise

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.datasets import load
from uhop_cli.guarantees.margins import Certified, guarantees
from uhop_cli.kernel.closed_form import decompose, whitening
from uhop_cli.retrieval.entmax import entmax
from uhop_cli.retrieval.fixed_size import LinearMemory, RandomFeatureMemory
from uhop_cli.retrieval.separation import Separation
from uhop_cli.retrieval.similarity import SIMILARITIES

SHARP: tuple[Certified, ...] = ("kernel", "dot", "l2-squared")
LABELS = ("softmax", "sparsemax", "entmax:1.25", "entmax:1.5", "top-k:5", "polynomial:10", "argmax")
Set = tuple[Certified, np.ndarray, np.ndarray | None]


def images(name: str) -> np.ndarray | None:
    """Training images (10,000 of CIFAR-10) as rows of pixels, uint8, or None with a line that says what is skipped."""
    try:
        pixels = load(name, Path(os.environ["UHOP_DATA_DIR"])).pixels
    except (KeyError, DatasetError):
        print(f"skipped: {name} is not under UHOP_DATA_DIR")
        return None
    pixels = pixels[:10_000] if name == "cifar10" else pixels
    return pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)


# ----------------------------------------------------------------------------------------------------------------- models


def naive_score(name: str, x: np.ndarray, m: np.ndarray, w: np.ndarray) -> float:
    """The formula of a similarity for one pair."""
    u, v = (w @ x, w @ m) if name.startswith("kernel") else (x, m)
    if name in ("dot", "kernel"):
        return float(u @ v)
    if name.endswith("cosine"):
        return float(u @ v / np.sqrt(u @ u) / np.sqrt(v @ v))
    if name == "l1":
        return -float(np.sum(np.abs(u - v)))
    return -float(np.sqrt(np.sum((u - v) ** 2))) if name == "l2" else -float(np.sum((u - v) ** 2))


def naive_weights(label: str, z: np.ndarray) -> np.ndarray:
    """The definition of a separation function for one row, entmax by halving tau."""
    kind, _, number = label.partition(":")
    alpha = {"sparsemax": 2.0, "entmax": float(number or 1)}.get(kind)
    if alpha:
        low, high = (alpha - 1) * z.max() - 1, (alpha - 1) * z.max()
        for _ in range(200):
            tau = (low + high) / 2
            p = np.maximum((alpha - 1) * z - tau, 0) ** (1 / (alpha - 1))
            low, high = (tau, high) if p.sum() >= 1 else (low, tau)
        return p / p.sum()
    if kind == "top-k":
        z = np.where(np.isin(np.arange(len(z)), np.argsort(-z, kind="stable")[: int(number)]), z, -np.inf)
    if kind == "polynomial":
        p = np.maximum(z, 0) ** (int(number) - 1) if z.max() > 0 else np.ones(len(z))
    else:
        p = (z == z.max()) * 1.0 if kind == "argmax" else np.exp(z - z.max())
    return p / p.sum()


def models(options: argparse.Namespace) -> None:
    """Must show 1."""
    import entmax as package
    import torch

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(10_000, 500)) * 10.0 ** rng.uniform(-2, 2, size=(10_000, 1))
    given = torch.from_numpy(rows)
    print("Separation functions, 10,000 random rows of 500, float64: largest difference of a weight")
    references: dict[float, Callable[[], Any]] = {
        1.0: lambda: torch.softmax(given, dim=-1),
        1.25: lambda: package.entmax_bisect(given, 1.25, dim=-1, n_iter=60),
        1.5: lambda: package.entmax15(given, dim=-1),
        1.75: lambda: package.entmax_bisect(given, 1.75, dim=-1, n_iter=60),
        2.0: lambda: package.sparsemax(given, dim=-1),
    }
    for alpha, reference in references.items():
        worst = float(np.abs(entmax(rows, alpha) - reference().numpy()).max())
        promise(f"alpha {alpha:g} against the entmax package", worst, worst <= 1e-6, "at most 1e-6")
    for label in LABELS:
        separation = Separation.parse(label)
        worst = float(np.abs(separation(given).numpy() - separation(rows)).max())
        promise(f"{label}: torch against NumPy", worst, worst <= 1e-9, "at most 1e-9")
    print("Every similarity with every separation function against a naive reference, 20 queries, 50 memories, float64")
    x, m, w = rng.random((20, 30)), rng.random((50, 30)), rng.normal(size=(25, 30))
    worst = 0.0
    for name, entry in SIMILARITIES.items():
        scores = entry(x, m, weight=w if entry.uses_weight else None)
        naive = np.array([[naive_score(name, a, b, w) for b in m] for a in x])
        for label in LABELS:
            found = Separation.parse(label)(2.0 * scores) @ m
            worst = max(worst, float(np.abs(found - np.array([naive_weights(label, 2.0 * row) for row in naive]) @ m).max()))
    promise(f"{len(SIMILARITIES) * len(LABELS)} models", worst, worst <= 1e-9, "at most 1e-9 of a pixel value")
    linear, features = LinearMemory(30), RandomFeatureMemory(30, 1.0, 200)
    lifts = (lambda u: np.where(u > 0, u + 1, np.exp(np.minimum(u, 0))), lambda u: np.exp(features.omegas @ u - u @ u / 2))
    for title, memory, lift in (("linear", linear, lifts[0]), ("random features", features, lifts[1])):
        memory.write(m)
        p = np.array([[lift(a) @ lift(b) for b in m] for a in x])
        worst = float(np.abs(memory.read(x) - p @ m / p.sum(axis=1, keepdims=True)).max())
        promise(f"{title} model", worst, worst <= 1e-9, "at most 1e-9 of a pixel value")


# -------------------------------------------------------------------------------------------------- exactness and radius


def memory_sets(count: int, seed: int) -> Iterator[tuple[str, Set]]:
    """`count` random sets, then `count` real ones, float64: every certified similarity; random and whitening weights."""
    rng = np.random.default_rng(seed)
    kinds: tuple[Certified, ...] = ("kernel", "dot", "l2-squared", "kernel-cosine", "cosine")
    pools = [pool for pool in (images("mnist"), images("cifar10")) if pool is not None]
    for source in ("random", "real") if pools else ("random",):
        for index in range(count):
            kind = kinds[index % len(kinds)]
            if source == "random":
                x = rng.normal(size=(int(rng.integers(2, 60)), int(rng.integers(2, 100))))
                x = np.abs(x) if index % 2 else x
                w = rng.normal(size=(int(rng.integers(2, 80)), x.shape[1]))
            else:
                pool = pools[index % len(pools)]
                x = pool[rng.choice(len(pool), int(rng.integers(5, 60)), replace=False)] / 255
                w = whitening(decompose(x.astype(np.float32)), (10.0 ** rng.uniform(-4, -1),)).weight.astype(np.float64)
            yield source, (kind, x, w if kind.startswith("kernel") else None)


def telling_beta(memories: Set, alpha: float, rng: np.random.Generator) -> float:
    """A beta whose threshold lies among the margins, so that some memories are exact and some are not."""
    kind, x, w = memories
    margins = guarantees(x, w, similarity=kind, alpha=alpha).margins
    good = margins[margins > 0]
    return float(1 / ((alpha - 1) * np.quantile(good, rng.uniform(0, 1)) * 0.9999)) if len(good) else 1.0


def one_hot(memories: Set, queries: np.ndarray, mu: np.ndarray | int, beta: float, alpha: float) -> np.ndarray:
    """Which queries have their only positive weight on mu."""
    kind, x, w = memories
    p = entmax(beta * SIMILARITIES[kind](queries, x, weight=w), alpha)
    return np.asarray((np.count_nonzero(p, axis=1) == 1) & (p.argmax(axis=1) == mu))


def exactness(options: argparse.Namespace) -> None:
    """Must show 2, first half: the predicate and ten steps of the dynamics, both ways."""
    rng = np.random.default_rng(1)
    counts: dict[tuple[str, str], int] = {}
    for source, memories in memory_sets(200, 2):
        kind, x, w = memories
        alpha = float(rng.choice([1.25, 1.5, 2.0]))
        beta = telling_beta(memories, alpha, rng)
        found = guarantees(x, w, similarity=kind, beta=beta, alpha=alpha)
        state, kept = x, np.ones(len(x), bool)
        for _ in range(10):
            kept &= one_hot(memories, state, np.arange(len(x)), beta, alpha)
            state = entmax(beta * SIMILARITIES[kind](state, x, weight=w), alpha) @ x
        counts[source, "sets"] = counts.get((source, "sets"), 0) + 1
        for name, which in (("exact", found.exact), ("not exact", ~found.exact), ("disagree", found.exact != kept)):
            counts[source, name] = counts.get((source, name), 0) + int(which.sum())
    print("'Exactly stored' against ten steps of the dynamics, alpha 1.25, 1.5 and 2, five similarities")
    for source in sorted({source for source, _ in counts}):
        get = {name: counts[source, name] for name in ("sets", "exact", "not exact", "disagree")}
        print(f"  {source}: {get['sets']} sets, {get['exact']} memories exactly stored, {get['not exact']} not")
        promise(f"{source} memories where they disagree", get["disagree"], get["disagree"] == 0, "0")


def noises(memories: Set, mu: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Directions of length 1: against every rival (the gradients of the gaps), near those, towards the others, at random."""
    kind, x, w = memories
    z = x if w is None else x @ w.T
    if kind.endswith("cosine"):
        z = z / np.linalg.norm(z, axis=1, keepdims=True)
    against = np.delete(z - z[mu], mu, axis=0)
    against = against if w is None else against @ w
    against = against / np.linalg.norm(against, axis=1, keepdims=True)
    towards = np.delete(x - x[mu], mu, axis=0)
    near = against[rng.integers(len(against), size=count)]
    near = near + rng.normal(size=near.shape) * 10.0 ** rng.uniform(-4, -1, size=(count, 1))
    q = np.concatenate([against, towards, near, rng.normal(size=(count // 4, x.shape[1]))])
    return np.asarray(q / np.linalg.norm(q, axis=1, keepdims=True))


def radius(options: argparse.Namespace) -> None:
    """Must show 2, second half: nothing inside a certified radius fails, just outside some do."""
    rng = np.random.default_rng(3)
    tried = failed = sharp = sharp_failed = bound = bound_failed = 0
    everything = list(memory_sets(100, 4))
    while tried < 100_000:
        for _, memories in everything:
            kind, x, w = memories
            alpha = float(rng.choice([1.25, 1.5, 2.0, np.inf]))
            beta = 1.0 if alpha == np.inf else 1.5 * telling_beta(memories, alpha, rng)
            found = guarantees(x, w, similarity=kind, beta=beta, alpha=alpha)
            for mu in rng.permutation(np.flatnonzero(found.exact_radii > 0))[:4].tolist():
                q = noises(memories, mu, 60, rng) * found.exact_radii[mu]
                inside = one_hot(memories, x[mu] + 0.9999 * q, mu, beta, alpha)
                outside = one_hot(memories, x[mu] + 1.001 * q, mu, beta, alpha)
                tried += len(q)
                failed += int(np.sum(~inside))
                if kind in SHARP or alpha == np.inf:
                    sharp, sharp_failed = sharp + 1, sharp_failed + int(not outside.all())
                else:
                    bound, bound_failed = bound + 1, bound_failed + int(not outside.all())
    print(f"Certified radii, {len(everything)} memory sets, {tried} noises of .9999 of the radius, adversarial ones among them")
    promise("failures inside", failed, failed == 0, "0")
    share = sharp_failed / sharp
    promise("memories with a failure at 1.001 of a sharp radius", share, share == 1, f"all of {sharp}")
    print(f"  normalised features with a threshold (a lower bound): {bound_failed} of {bound} fail at 1.001")


def speed(options: argparse.Namespace) -> None:
    """Guarantees of 5,000 memories against the one Gram matrix that no method can do without."""
    rng = np.random.default_rng(5)
    x, w = rng.random((5000, 3072), dtype=np.float32), rng.normal(size=(3072, 3072)).astype(np.float32)
    start = time.perf_counter()
    np.matmul(x, x.T.copy())
    gram = time.perf_counter() - start
    print(f"Guarantees of 5,000 memories of 3,072 values, float32; a bare Gram matrix takes {gram:.1f} s")
    cases: tuple[tuple[Certified, np.ndarray | None], ...] = (("kernel", w), ("kernel-cosine", w), ("l2-squared", None))
    for kind, weight in cases:
        start = time.perf_counter()
        guarantees(x, weight, similarity=kind)
        seconds = time.perf_counter() - start
        print(f"  {kind}: {seconds:.1f} s, {seconds / gram:.1f} times the Gram matrix")


def main() -> int:
    """Run the parts that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = {"models": models, "exactness": exactness, "radius": radius, "speed": speed}
    parser.add_argument("part", choices=[*parts, "all"])
    options = parser.parse_args()
    for name, part in parts.items():
        if options.part in (name, "all"):
            part(options)
    if missed:
        print("missed: " + ", ".join(missed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
