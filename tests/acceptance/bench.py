"""Prints the figures that the benchmark promises, run from outside as its user would.

    python tests/acceptance/bench.py plain                      # `uhop bench` as it is: seconds, width of its tables
    python tests/acceptance/bench.py resume                     # killed at random moments and gone on with: the same bytes
    python tests/acceptance/bench.py capacity --data-dir DIR    # tuned, M = 500, 50% mask; and the published variants
    python tests/acceptance/bench.py figure3 --data-dir DIR     # all of Figure 3: minutes, memory, the ceiling
    python tests/acceptance/bench.py all --data-dir DIR

Data sets are taken from --data-dir or UHOP_DATA_DIR; without one the parts that need them are skipped by name. Every figure is
printed with its promise, and the exit status is 1 if one is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import mean, median
from typing import Any

from uhop_cli.experiments.results.statistics import paired

SETS = ("mnist", "cifar10")
MOST_KILLS = 3
# Errors of one memory set each that an independent implementation of the published code measured, where they are above 1: method,
# memories, error. A few bright digits decide the mean over memory sets, so the median of 20 sets is what one set is compared with.
PUBLISHED = (
    ("published:uhop", 100, 11.3),
    ("published:uhop", 500, 29.5),
    ("published:mhn", 100, 8.89),
    ("published:mhn", 500, 25.5),
    ("published:sparse-mhn", 100, 9.50),
    ("published:sparse-mhn", 500, 29.1),
    ("published:l2", 100, 71.4),
    ("published:l2", 500, 70.1),
    ("published:l1", 100, 166.0),
    ("published:l1", 500, 181.0),
    ("published:poly10", 100, 392.0),
    ("published:poly10", 500, 459.0),
)
missed: list[str] = []


def promise(what: str, kept: bool, figure: str) -> None:
    """Prints a figure and whether it is what was promised."""
    print(f"{'ok    ' if kept else 'MISSED'} {what}: {figure}", flush=True)
    if not kept:
        missed.append(what)


def uhop(*arguments: object, width: int = 80) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process of its own."""
    line = [sys.executable, "-m", "uhop_cli", "bench", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, env={**os.environ, "COLUMNS": str(width)})


def rows_of(*arguments: object) -> list[dict[str, Any]]:
    """The rows that a run prints as JSON."""
    ran = uhop(*arguments, "--json")
    if ran.returncode:
        raise SystemExit(ran.stderr)
    rows: list[dict[str, Any]] = json.loads(ran.stdout)["rows"]
    return rows


def errors_of(rows: list[dict[str, Any]], method: str, size: int) -> list[float]:
    """The errors of a method at a memory size, one for each repeat."""
    return [row["sse"] for row in rows if row["method"] == method and row["memory_size"] == size]


def plain() -> None:
    """The default run."""
    began = time.perf_counter()
    ran = uhop()
    seconds = time.perf_counter() - began
    promise("uhop bench, sample pictures, offline", ran.returncode == 0 and seconds < 60, f"{seconds:.0f} s (at most 60)")
    widest = max(map(len, ran.stdout.splitlines()), default=0)
    promise("its tables, piped, are read at 80 columns", 0 < widest <= 80 and "…" not in ran.stdout, f"widest line {widest}")


def resume(tries: int = 3) -> None:
    """Runs that are killed at random moments and gone on with."""
    options = ["--experiment", "capacity,noise", "--repeats", 2, "--sizes", "10,20", "--methods", "uhop,mhn,cosine,ceiling", "-q"]
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        uhop(*options, "--out", Path(folder, "whole"))
        seconds = time.perf_counter() - began
        expected = Path(folder, "whole", "rows.jsonl").read_bytes()
        for number in range(tries):
            out = Path(folder, str(number))
            line = [sys.executable, "-m", "uhop_cli", "bench", *map(str, options), "--out", str(out), "--resume"]
            kills = 0
            while True:
                process = subprocess.Popen(line, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
                patience = random.Random(number * 100 + kills).uniform(0.2, 0.9) * seconds if kills < MOST_KILLS else None
                try:
                    process.wait(timeout=patience)
                    break
                except subprocess.TimeoutExpired:
                    process.send_signal(signal.SIGKILL)
                    process.wait()
                    kills += 1
            same = (out / "rows.jsonl").read_bytes() == expected
            promise(f"run {number + 1}, killed {kills} times and gone on with: the same bytes", same, f"{len(expected)} bytes")


def capacity(data_dir: Path) -> None:
    """The tuned protocol at M = 500 and the published code on MNIST."""
    methods = "uhop,uhop-kernel,uhop-visible,cosine,l2-squared,mean-image,ceiling"
    for name in SETS:
        options = ["--dataset", name, "--data-dir", data_dir, "--experiment", "capacity", "--sizes", 500, "--repeats", 20]
        rows = rows_of(*options, "--methods", methods)
        for method, told in (("uhop", "not told the mask"), ("uhop-visible", "told the mask")):
            error = mean(errors_of(rows, method, 500))
            promise(f"{name}, M = 500, 50% mask: {method}, {told}", error < 0.01, f"error {error:.2g} (below 0.01)")
        for other in ("uhop-kernel", "cosine", "l2-squared", "mean-image"):
            print(f"       {name}: {other} {mean(errors_of(rows, other, 500)):.4f}")
        _ceiling(rows)
    options = ["--dataset", "mnist", "--data-dir", data_dir, "--experiment", "capacity", "--sizes", "100,500"]
    rows = rows_of(*options, "--protocol", "paper", "--methods", "published")
    for method, size, expected in PUBLISHED:
        error = median(errors_of(rows, method, size))
        promise(
            f"mnist, {method}, M = {size}", abs(error / expected - 1) < 0.2, f"median error {error:.3g} ({expected:g} within 20%)"
        )


def figure3(data_dir: Path) -> None:
    """All methods of the paper's protocol over memory sizes and noise, both data sets, 20 repeats."""
    began = time.perf_counter()
    for name in SETS:
        rows = rows_of("--dataset", name, "--data-dir", data_dir, "--protocol", "paper", "--methods", "all")
        print(f"       {name}: {len(rows)} rows after {(time.perf_counter() - began) / 60:.1f} min")
        _ceiling(rows)
    minutes = (time.perf_counter() - began) / 60
    promise("the whole of Figure 3", minutes < 15, f"{minutes:.1f} min (at most 15)")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6
    promise("memory", peak < 8, f"{peak:.2f} GB resident (at most 8)")


def _ceiling(rows: list[dict[str, Any]]) -> None:
    """No method is better than the ceiling by more than its interval."""
    errors: dict[tuple[Any, ...], dict[int, float]] = defaultdict(dict)
    for row in rows:
        if row["sse"] is not None:
            errors[row["experiment"], row["x"], row["method"]][row["repeat"]] = row["sse"]
    above = []
    for (experiment, x, method), found in errors.items():
        best = errors.get((experiment, x, "ceiling"))
        if best and method != "ceiling":
            difference, interval = paired(found, best)
            if difference + interval < -1e-6:
                above.append(f"{method} at {experiment} {x}: {difference:.3g} ± {interval:.2g}")
    promise("the ceiling is not beaten", not above, "; ".join(above) or f"{len(errors)} comparisons")


def main() -> None:
    """Runs the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("plain", "resume", "capacity", "figure3", "all"))
    parser.add_argument("--data-dir", type=Path, default=os.environ.get("UHOP_DATA_DIR"))
    arguments = parser.parse_args()
    parts = ("plain", "resume", "capacity", "figure3") if arguments.part == "all" else (arguments.part,)
    for part in parts:
        if part == "plain":
            plain()
        elif part == "resume":
            resume()
        elif arguments.data_dir is None:
            print(f"skipped {part}: it needs MNIST and CIFAR-10; give --data-dir or set UHOP_DATA_DIR")
        else:
            {"capacity": capacity, "figure3": figure3}[part](Path(arguments.data_dir))
    raise SystemExit(bool(missed))


if __name__ == "__main__":
    main()
