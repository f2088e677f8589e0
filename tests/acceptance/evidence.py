"""Prints how often the answer chosen by evidence is right, for every kind of damage, beside un-learned cosine.

    python tests/acceptance/evidence.py --dataset cifar10 --memories 50000 --queries 1000 --clip8
    python tests/acceptance/evidence.py --dataset cifar10 --memories 5000 --rows all
    python tests/acceptance/evidence.py --dataset photos
    python tests/acceptance/evidence.py --dataset mnist --memories 5000

Queries are damaged copies of memories; nothing is told of the damage, and nothing is tuned for it. The settings are the defaults
of `uhop store` and `uhop query`. Data sets are looked for under --data-dir or UHOP_DATA_DIR (cifar-10-batches-py/, mnist/,
photos/); one that is not there is skipped by name. The exit status is 1 if a promise is missed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from pathlib import Path

import numpy as np

import uhop_cli
from uhop_cli.corruption.corruption import Corruption, parse
from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.datasets import load
from uhop_cli.images.patterns import to_vectors
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.by_similarity import pattern_lengths
from uhop_cli.querying.retriever import Retriever
from uhop_cli.storing.settings import StoreSettings

TEN = (
    "values:0.5",
    "values:0.9",
    "noise:0.3",
    "noise:1",
    "noise-abs:0.5",
    "half:bottom",
    "corner:0.5",
    "brightness:0.4",
    "scale:0.3",
    "blur:4",
)
FILLED = tuple(f"{part}:{fill}" for part in ("half:bottom", "corner:0.5") for fill in ("grey", "colour", "noise"))
OTHERS = (
    "salt-pepper:0.2",
    "salt-pepper:0.5",
    "gamma:0.5",
    "gamma:2",
    "contrast:0.25",
    "fade:0.5",
    "pixelate:2",
    "pixelate:4",
    "jpeg:10",
    "text:0.4",
    "scratches:5",
    "grey",
    "block:0.25:noise",
    "block:0.25:colour",
    "gaussian-blur:1",
    "noise-clamped:0.3",
)
# Least mean over TEN and over OTHERS; the most that any of TEN may be below un-learned cosine.
PROMISES = {"cifar10": (0.975, 0.99), "photos": (0.98, None), "mnist": (0.82, None)}
BELOW_COSINE = 0.02
SUBFOLDER = {"photos": "photos"}


def pixels_of(name: str, data_dir: Path | None, memories: int) -> np.ndarray | None:
    """The memories, (M, H, W, C) uint8, or None with a line that says what is skipped."""
    if data_dir is None or not data_dir.is_dir():
        print(f"skipped: {name} (give --data-dir or set UHOP_DATA_DIR)")
        return None
    place = str(data_dir / SUBFOLDER[name]) if name in SUBFOLDER else name
    try:
        pixels = load(place, data_dir).pixels
    except DatasetError as error:
        print(f"skipped: {name} ({error.message})")
        return None
    if name == "cifar10":
        pixels = pixels[:50_000]  # the training images
    if len(pixels) > memories:
        pixels = pixels[np.sort(np.random.default_rng(0).choice(len(pixels), memories, replace=False))]
    return pixels


def clipped(patterns: np.ndarray) -> np.ndarray:
    """What is left of patterns in a picture of 8 bits."""
    rounded: np.ndarray = np.round(np.clip(patterns, 0, 1) * 255) / 255
    return rounded.astype(np.float32)


def measure(
    retriever: Retriever, rows: np.ndarray, corruption: Corruption, seed: int, clip8: bool
) -> tuple[float, float, Counter[str]]:
    """Top-1 by evidence and by un-learned cosine, and which models answered."""
    memory = retriever.memory
    right, plain, models = [], [], Counter[str]()
    lengths = np.asarray(pattern_lengths(retriever.X))
    damaged = corruption(to_vectors(memory.patterns[rows]), memory.spec, seed).patterns
    damaged = clipped(damaged) if clip8 else damaged
    step = min(retriever.batch, 32)
    for start in range(0, len(rows), step):
        part, truth = damaged[start : start + step], rows[start : start + step]
        answer = retriever.retrieve(part)
        right += [answer.ranking(place, 1)[0] == row for place, row in enumerate(truth)]
        models.update(answer.kernels)
        cosines = np.asarray(retriever.X.products(part)) / np.maximum(lengths, 1e-9)
        plain += list(cosines.argmax(axis=1) == truth)
    return float(np.mean(right)), float(np.mean(plain)), models


def table(title: str, labels: tuple[str, ...], memory: Memory, queries: int, seed: int, clip8: bool) -> tuple[float, float]:
    """Prints a row for each corruption; returns the mean and the largest shortfall against cosine."""
    retriever = Retriever(memory)
    count = min(queries, len(memory))
    rows = np.sort(np.random.default_rng(seed).choice(len(memory), count, replace=False))
    print(f"\n{title}{', queries clipped to 8 bits' if clip8 else ''}: {len(memory)} memories, {count} queries each, seed {seed}")
    print(f"{'damage':<22}{'evidence':>9}{'cosine':>9}  answered by")
    results = []
    for label in labels:
        mine, plain, models = measure(retriever, rows, parse(label), seed, clip8)
        shares = ", ".join(f"{name} {number / count:.0%}" for name, number in models.most_common(3))
        print(f"{label:<22}{mine:>9.3f}{plain:>9.3f}  {shares}", flush=True)
        results.append((mine, plain))
    means = np.mean(results, axis=0)
    print(f"{'mean':<22}{means[0]:>9.3f}{means[1]:>9.3f}")
    return float(means[0]), max(plain - mine for mine, plain in results)


def promise(what: str, kept: bool) -> bool:
    """Prints whether a promise is kept; true if it is not."""
    print(f"{'ok    ' if kept else 'MISSED'} {what}")
    return not kept


def main() -> int:
    """Run the tables that the arguments ask for."""
    given = os.environ.get("UHOP_DATA_DIR")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(given) if given else None)
    parser.add_argument("--dataset", choices=PROMISES, default="cifar10")
    parser.add_argument("--memories", type=int, default=50_000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--rows", choices=("ten", "all"), default="ten", help="all: damage outside the ten as well")
    parser.add_argument("--clip8", action="store_true", help="also with queries clipped to 8 bits")
    parser.add_argument("--seed", type=int, default=1, help="of the choice of queries and of their damage")
    options = parser.parse_args()
    pixels = pixels_of(options.dataset, options.data_dir, options.memories)
    if pixels is None:
        return 0
    started = time.perf_counter()
    memory = uhop_cli.learn(pixels, StoreSettings())
    print(f"{options.dataset}: {len(memory)} memories of {memory.spec.dim} values stored in {time.perf_counter() - started:.1f} s")
    least, least_others = PROMISES[options.dataset]
    missed = False
    for clip8 in (False, True) if options.clip8 else (False,):
        mean, short = table("ten corruptions", TEN, memory, options.queries, options.seed, clip8)
        missed |= promise(f"mean {mean:.3f}, promised {least}", mean >= least)
        missed |= promise(f"at most {short:.3f} below cosine, promised {BELOW_COSINE}", short <= BELOW_COSINE)
        table("parts filled", FILLED, memory, options.queries, options.seed, clip8)
    if options.rows == "all":
        mean, _ = table("other damage", OTHERS, memory, options.queries, options.seed, clip8=False)
        if least_others is not None:
            missed |= promise(f"mean {mean:.3f}, promised {least_others}", mean >= least_others)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
