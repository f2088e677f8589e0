"""Which damaged pictures are recognised, and how fast, by uhop and by what else people use; prints one table a data set.

    python tests/benchmarks/peers.py [cifar10] [mnist] [sprites] [photos]     # from UHOP_DATA_DIR
    python tests/benchmarks/peers.py photos --queries 200

Every contestant gets the same memories and the same damaged queries, clipped to what an 8-bit picture can hold, and names one
memory. Times are for one query after another, all contestants in one run.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import faiss
import imagehash
import numpy as np
from PIL import Image

from uhop_cli.api import learn
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.corruption.corruption import TEN
from uhop_cli.experiments.data.datasets import load
from uhop_cli.images.patterns import to_pixels
from uhop_cli.querying.retriever import Retriever

LIMIT = 5000  # memories: imagehash takes a Python loop to store them
Find = Callable[[np.ndarray], int]


def hashed(name: str, pixels: np.ndarray) -> Find:
    """imagehash: the smallest Hamming distance."""
    code = getattr(imagehash, name)

    def bits(picture: np.ndarray) -> np.ndarray:
        return np.packbits(code(Image.fromarray(picture.squeeze())).hash)

    stored = np.stack([bits(picture) for picture in pixels])
    return lambda query: int(np.bitwise_count(stored ^ bits(query)).sum(axis=1).argmin())


def contestants(pixels: np.ndarray) -> dict[str, Find]:
    """Name -> a function from a picture (H, W, C) uint8 to the row that it takes it for."""
    rows = unit_rows(pixels)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    index = faiss.IndexFlatL2(rows.shape[1])
    index.add(rows)
    retriever = Retriever(learn(pixels))

    def vector(picture: np.ndarray) -> np.ndarray:
        return unit_rows(picture[None])

    return {
        "phash": hashed("phash", pixels),
        "dhash": hashed("dhash", pixels),
        "faiss, raw pixels (L2)": lambda picture: int(index.search(vector(picture), 1)[1][0, 0]),
        "cosine, not learned": lambda picture: int((unit @ vector(picture)[0]).argmax()),
        "uhop": lambda picture: retriever.retrieve(vector(picture)).ranking(0, 1)[0],
    }


def distinct(name: str) -> tuple[np.ndarray, object]:
    """The distinct pictures of a set, at most LIMIT, and their pattern."""
    known = load(name if name in ("cifar10", "mnist") else str(Path(os.environ["UHOP_DATA_DIR"]) / name))
    unique = np.sort(np.unique(known.pixels.reshape(len(known), -1), axis=0, return_index=True)[1])
    chosen = np.sort(np.random.default_rng(0).permutation(unique)[:LIMIT])
    return known.pixels[chosen], known.spec


def compare(name: str, queries: int) -> None:
    """Prints the table of one set."""
    pixels, spec = distinct(name)
    finders = contestants(pixels)
    rng = np.random.default_rng(1)
    accuracy: dict[str, list[float]] = {finder: [] for finder in finders}
    seconds = dict.fromkeys(finders, 0.0)
    for corruption in TEN:
        rows = np.sort(rng.choice(len(pixels), min(queries, len(pixels)), replace=False))
        damaged = to_pixels(corruption(unit_rows(pixels[rows]), spec, 0).patterns, spec)
        right = dict.fromkeys(finders, 0)
        for row, picture in zip(rows, damaged, strict=True):
            for finder, find in finders.items():
                started = time.perf_counter()
                right[finder] += find(picture) == row
                seconds[finder] += time.perf_counter() - started
        for finder, count in right.items():
            accuracy[finder].append(count / len(rows))
    asked = len(TEN) * min(queries, len(pixels))
    print(f"\n{name}: {len(pixels)} memories of {spec.width} x {spec.height}, {asked} queries\n")
    print("| damage | " + " | ".join(finders) + " |\n|---|" + "---|" * len(finders))
    for place, corruption in enumerate(TEN):
        print(f"| {corruption.label} | " + " | ".join(f"{accuracy[finder][place]:.3f}" for finder in finders) + " |")
    print("| **mean** | " + " | ".join(f"**{np.mean(accuracy[finder]):.3f}**" for finder in finders) + " |")
    print("| ms a query | " + " | ".join(f"{1e3 * seconds[finder] / asked:.2f}" for finder in finders) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="*", default=["cifar10", "mnist", "sprites", "photos"])
    parser.add_argument("--queries", type=int, default=60)
    wanted = parser.parse_args()
    for wanted_set in wanted.sets:
        compare(wanted_set, wanted.queries)
