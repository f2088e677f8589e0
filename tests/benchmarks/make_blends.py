"""Writes M different pictures of 32 x 32 made of CIFAR-10: random crops and flips of blends of two images.

    python tests/benchmarks/make_blends.py blends.npy                  # 1,000,000 pictures, 3.1 GB
    python tests/benchmarks/make_blends.py few.npy --count 1000

Each picture is w a + (1 - w) b of two different images, each flipped at random and cropped at random from a frame of 4 reflected
pixels, with w uniform in [0.35, 0.65]: no picture is another one with brightness or contrast changed. CIFAR-10 is taken from
UHOP_DATA_DIR. The array is written chunk by chunk; the first pictures do not depend on how many follow.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uhop_cli.experiments.data.datasets import load

UInt8 = NDArray[np.uint8]
FRAME = 4  # pixels that a crop may move each way
WEIGHTS = (0.35, 0.65)
CHUNK = 4096


def blends(pixels: UInt8, count: int, rng: np.random.Generator) -> UInt8:
    """`count` blends of `pixels` (N, H, W, C), which carry a frame already: shape (count, H - 2 FRAME, W - 2 FRAME, C)."""
    first = rng.integers(len(pixels), size=count)
    second = (first + rng.integers(1, len(pixels), size=count)) % len(pixels)
    weight = rng.uniform(*WEIGHTS, size=(count, 1, 1, 1)).astype(np.float32)
    blend = weight * _crops(pixels, first, rng) + (1 - weight) * _crops(pixels, second, rng)
    return np.asarray(np.rint(blend), np.uint8)


def _crops(pixels: UInt8, which: NDArray[np.int64], rng: np.random.Generator) -> UInt8:
    """A random crop of each picture, half of them mirrored."""
    height, width = (side - 2 * FRAME for side in pixels.shape[1:3])
    top, left = rng.integers(2 * FRAME + 1, size=(2, len(which), 1, 1))
    columns = np.where(rng.random((len(which), 1, 1)) < 0.5, np.arange(width), np.arange(width)[::-1])
    return pixels[which[:, None, None], top + np.arange(height)[:, None], left + columns]


def write(path: Path, count: int, seed: int) -> None:
    """Writes the array."""
    pixels = np.pad(load("cifar10").pixels, ((0, 0), (FRAME, FRAME), (FRAME, FRAME), (0, 0)), mode="reflect")
    height, width = (side - 2 * FRAME for side in pixels.shape[1:3])
    array = np.lib.format.open_memmap(path, "w+", np.uint8, (count, height, width, pixels.shape[3]))
    for start in range(0, count, CHUNK):
        stop = min(start + CHUNK, count)
        # A full chunk is drawn always, so that the pictures are the same for every count.
        array[start:stop] = blends(pixels, CHUNK, np.random.default_rng([seed, start]))[: stop - start]
        print(f"\r{stop} of {count}", end="", file=sys.stderr)
    print(file=sys.stderr)
    array.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    wanted = parser.parse_args()
    write(wanted.path, wanted.count, wanted.seed)
