"""Prints the sizes of the metastable states on MNIST by the protocol of U-Hop+ (arXiv 2410.23126), with every size in the table.

    UHOP_DATA_DIR=... python tests/acceptance/metastable_sizes.py [--queries 1000] [--seed N] [--maps raw,untrained] [--json FILE]

Memories are the 60,000 training images, queries test images, pixels in [-1, 1]; T = 5 steps of x <- X^T entmax_alpha(beta
<Phi(xi), Phi(x)>) with four maps Phi: raw pixels; V x + b, 784 -> 200, untrained; the same after one epoch of Adam on the
published separation loss; and the trained map scaled so that the mean squared feature length is that of the raw pixels. The
published comparison has no such control: training multiplies the squared length by thousands, which is a larger beta by another
name. The size is the number of weights above 0.01 (softmax) or above 0 (sparse); '0' are states where no weight shows. Size 1
does not say that it is the right memory.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
from pathlib import Path

import numpy as np

from uhop_cli.arrays.threads import chunks
from uhop_cli.retrieval.entmax import entmax
from uhop_cli.retrieval.states import metastable_sizes, size_table, size_threshold

STEPS = 5
QUERY_BLOCK = 125


def pixels(root: Path, name: str) -> np.ndarray:
    """Images as rows in [-1, 1], float32."""
    with gzip.open(root / "mnist" / f"{name}-images-idx3-ubyte.gz") as file:
        return (np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784) / 127.5 - 1).astype(np.float32)


def train(x: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """(untrained, trained) maps, each (200, 785) with the bias as last column.

    The published loss with its stop-gradient: L = ln(mean over i < j of exp(<f_i, f_j> / 0.1)) / B, where only f_i passes a
    gradient on; batches of 16, Adam with learning rate 0.1, one epoch.
    """
    rng = np.random.default_rng(seed)
    v = np.concatenate([rng.normal(size=(200, 784)) * (2 / 784) ** 0.5, np.zeros((200, 1))], axis=1).astype(np.float32)
    start, first, second = v.copy(), np.zeros_like(v), np.zeros_like(v)
    order, upper = rng.permutation(len(x)), np.triu(np.ones((16, 16)), 1)
    for step, part in enumerate(chunks(len(x) - len(x) % 16, 16), 1):
        batch = np.concatenate([x[order[part]], np.ones((16, 1), np.float32)], axis=1)
        z = batch @ v.T
        lengths = np.linalg.norm(z, axis=1, keepdims=True)
        f = z / lengths
        logits = f @ f.T / 0.1
        share = upper * np.exp(logits - logits.max())
        pull = (share / share.sum()) @ f / (0.1 * 16)
        gradient = ((pull - f * np.sum(pull * f, axis=1, keepdims=True)) / lengths).T @ batch
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        v = v - 0.1 * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    return start, v.astype(np.float32)


def sizes(features: np.ndarray, queries: np.ndarray, beta: float, alpha: float) -> np.ndarray:
    """Sizes after T steps. Phi is affine and the weights sum to 1, so the features of the mean are the mean of the features."""
    found = []
    for part in chunks(len(queries), QUERY_BLOCK):
        z = queries[part]
        for _ in range(STEPS):
            weights = entmax(np.float32(beta) * (z @ features.T), alpha)
            z = weights @ features
        found.append(metastable_sizes(weights, size_threshold(alpha)))
    return np.concatenate(found)


def main() -> int:
    """All maps, betas and alphas."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=1000, help="test images; 10000 is all of them")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--maps", help="only these, with commas between: raw, untrained, learned, learned (matched scale)")
    parser.add_argument("--json", type=Path, help="also write the table here")
    options = parser.parse_args()
    root = Path(os.environ.get("UHOP_DATA_DIR", ""))
    if "UHOP_DATA_DIR" not in os.environ or not (root / "mnist").is_dir():
        print("skipped: mnist is not under UHOP_DATA_DIR")
        return 0
    memories, queries = pixels(root, "train"), pixels(root, "t10k")[: options.queries]
    untrained, trained = train(memories, options.seed)
    scale = np.sqrt(np.mean(np.sum(memories**2, 1)) / np.mean(np.sum((memories @ trained[:, :-1].T + trained[:, -1]) ** 2, 1)))
    maps = {"untrained": untrained, "learned": trained, "learned (matched scale)": (trained * scale).astype(np.float32)}
    rows = []
    print(f"{len(memories)} memories, {len(queries)} queries, T = {STEPS}; percent of the states by size")
    print(f"{'map':<24}{'|Phi|^2':>10}{'beta':>6}{'alpha':>6} |" + "".join(f"{size:>6}" for size in [*range(11), ">10"]))
    for name in options.maps.split(",") if options.maps else ("raw", *maps):
        v = maps.get(name)
        features = memories if v is None else memories @ v[:, :-1].T + v[:, -1]
        starts = queries if v is None else queries @ v[:, :-1].T + v[:, -1]
        square = float(np.mean(np.sum(features**2, axis=1)))
        for beta in (0.1, 1.0):
            for alpha in (1.0, 1.5, 2.0):
                table = size_table(sizes(features, starts, beta, alpha))
                percent = {size: 100 * count / len(queries) for size, count in table.items()}
                rows.append({"map": name, "squared_length": square, "beta": beta, "alpha": alpha, "percent": percent})
                line = "".join(f"{value:6.1f}" for value in percent.values())
                print(f"{name:<24}{square:>10.3g}{beta:>6g}{alpha:>6g} |{line}", flush=True)
    if options.json:
        settings = {"queries": len(queries), "seed": options.seed, "steps": STEPS}
        options.json.write_text(json.dumps({"settings": settings, "rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
