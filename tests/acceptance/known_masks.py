"""Prints top-1 accuracy where the missing pixels are known: corners and a few values, with and without noise on what is visible.

    python tests/acceptance/known_masks.py --memories 5000 --queries 1000

CIFAR-10 is looked for under --data-dir or UHOP_DATA_DIR; without it the script says so and stops. The exit status is 1 if a promise
is missed.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.corruption.corruption import parse
from uhop_cli.errors import DatasetError
from uhop_cli.evidence.visible import visible_log_likelihood
from uhop_cli.experiments.data.datasets import load
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.retrieval.pattern_matrix import pattern_matrix

# What is visible, the noise on it, and the promised share of right answers.
ROWS = (
    ("corner:16", 0.0, 1.0),
    ("corner:8", 0.0, 1.0),
    ("values:0.98", 0.0, 1.0),
    ("corner:16", 0.1, 1.0),
    ("corner:16", 0.3, 0.99),
    ("corner:8", 0.1, 0.93),
    ("values:0.98", 0.1, 0.98),
)


def main() -> int:
    """Print one line for each row; 1 if a promise is missed."""
    given = os.environ.get("UHOP_DATA_DIR")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(given) if given else None)
    parser.add_argument("--memories", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=3)
    options = parser.parse_args()
    try:
        pixels = load("cifar10", options.data_dir).pixels
    except DatasetError as error:
        print(f"skipped: {error.message}")
        return 0
    rng = np.random.default_rng(options.seed)
    stored = pixels[np.sort(rng.choice(50_000, options.memories, replace=False))]
    matrix, spec = pattern_matrix(stored), PatternSpec(32, 32, 3)
    rows = np.sort(rng.choice(len(stored), min(options.queries, len(stored)), replace=False))
    missed = False
    for label, sigma, promised in ROWS:
        damaged, visible = parse(label)(unit_rows(stored[rows]), spec, options.seed)
        assert visible is not None
        if sigma:
            damaged = parse(f"noise:{sigma}")(damaged, spec, options.seed + 1).patterns
        best = np.concatenate(
            [
                np.asarray(visible_log_likelihood(matrix, damaged[part], visible[part])).argmax(axis=1)
                for part in np.array_split(np.arange(len(rows)), max(1, len(rows) // 50))
            ]
        )
        share = float((best == rows).mean())
        missed |= share < promised
        print(
            f"{'ok    ' if share >= promised else 'MISSED'} {label} visible, noise {sigma:g}: {share:.4f}, promised {promised}",
            flush=True,
        )
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
