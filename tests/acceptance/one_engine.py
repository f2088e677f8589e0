"""Prints whether what `uhop bench` measures as `uhop` is what `uhop.retrieve` and `uhop query` answer, query by query.

    python tests/acceptance/one_engine.py --data-dir DIR        # mnist and cifar10, 200 memories, each damaged in five ways

Two comparisons for every damage. Bench's own damaged arrays go to `uhop.retrieve`, on a memory that `uhop.learn` made with its
self-test: the same best memory and the same weights, to 1e-6. And the same arrays, clipped to 8 bits and saved as PNG, go through
`uhop query`, on the memory file that `uhop store` made of the pictures: the same best memory as bench finds for the clipped arrays.
The exit status is 1 if one query differs. Without data sets the sample pictures are compared, as many as there are.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

import uhop_cli
from uhop_cli.corruption.corruption import parse
from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.datasets import Dataset, load
from uhop_cli.experiments.memory_sets import MemorySets
from uhop_cli.experiments.methods.protocol import Tuning
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.methods.task import Task

DAMAGES = ("mask:0.5", "noise-abs:0.5", "half:bottom", "brightness:0.4", "blur:2")
MEMORIES = 200
SAME = 1e-6


def uhop(folder: Path, *arguments: str) -> str:
    """What the command prints, run in a folder as its user would."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    line = [sys.executable, "-m", "uhop_cli", *arguments]
    ran = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False, env=environment)
    if ran.returncode:
        raise SystemExit(ran.stderr)
    return ran.stdout


def save(pixels: np.ndarray, folder: Path) -> None:
    """Pictures (n, H, W, C) as 0000.png, 0001.png, ..."""
    folder.mkdir()
    for index, picture in enumerate(pixels):
        Image.fromarray(picture[..., 0] if picture.shape[2] == 1 else picture).save(folder / f"{index:04}.png")


def bench_weights(task: Task) -> np.ndarray:
    """The weights of the method `uhop` of bench, (Q, M)."""
    weights = METHODS["uhop"].answer(task, Tuning("tuned", lambda task: task)).weights
    assert weights is not None
    return weights


def compare(dataset: Dataset) -> bool:
    """Prints both comparisons for every damage; true if all queries agree."""
    memories = MemorySets(0, dataset).memories(min(MEMORIES, len(dataset)), 0)
    count, spec = len(memories), memories.spec
    pixels = np.rint(memories.patterns * 255).astype(np.uint8).reshape(count, *spec.shape)
    learned = uhop_cli.learn(pixels)
    agree = True
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save(pixels, folder / "images")
        uhop(folder, "store", "images", "-q", "--size", f"{spec.width}x{spec.height}")
        for label in DAMAGES:
            task = Task.damage(memories, parse(label), 0)
            here, there = bench_weights(task), uhop_cli.retrieve(learned, task.queries).weights
            best = here.argmax(axis=1) == there.argmax(axis=1)
            close = np.abs(here - there).max(axis=1) <= SAME
            clipped = np.rint(np.clip(task.queries, 0, 1) * 255).astype(np.uint8)
            save(clipped.reshape(pixels.shape), folder / label.replace(":", "-"))
            found = json.loads(uhop(folder, "query", label.replace(":", "-"), "--no-output", "--min-confidence", "0", "--json"))
            names = {Path(result["query"]).name: Path(result["matches"][0]["name"]).stem for result in found["results"]}
            rounded = bench_weights(replace(task, queries=clipped / np.float32(255), cache={})).argmax(axis=1)
            same = [int(names[f"{index:04}.png"]) == row for index, row in enumerate(rounded)]
            right = float(np.mean(here.argmax(axis=1) == np.arange(count)))
            ok = all(best) and all(close) and all(same)
            print(
                f"{'ok    ' if ok else 'MISSED'} {dataset.name}, {label}: retrieve: the same memory {sum(best)}, "
                f"weights {sum(close)}; query: the same memory {sum(same)}; of {count} (top-1 of bench {right:.3f})",
                flush=True,
            )
            agree &= ok
    return agree


def main() -> int:
    """Compares on the data sets that are there."""
    given = os.environ.get("UHOP_DATA_DIR")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(given) if given else None)
    options = parser.parse_args()
    missed = False
    for name in ("mnist", "cifar10") if options.data_dir else ("sample",):
        try:
            missed |= not compare(load(name, options.data_dir))
        except DatasetError as error:
            print(f"skipped: {name} ({error.message})")
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
