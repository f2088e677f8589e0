"""Prints what the nets of `bench --experiment classify|mil` reach, beside what is promised.

    python tests/acceptance/learning.py anchors|value-path|classify|quick|resume|expressiveness|mil|all [--data-dir D] [--keep D]

Each figure is printed when it is there. Rows, and the state of a training, are kept in --keep: a run that was killed goes on there.
The exit status is 1 if a promise is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from promises import missed, promise

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.class_folders import Labelled
from uhop_cli.experiments.learning.config import CLASSIFY, EXPRESSIVENESS, MIL, LearningConfig
from uhop_cli.experiments.learning.data import load
from uhop_cli.experiments.learning.run import KEY, LEARNING
from uhop_cli.experiments.learning.tables import SPARSE, TEST, TRAIN, values
from uhop_cli.experiments.results.journal import Journal
from uhop_cli.experiments.results.statistics import paired
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.progress import Progress

ANCHORS = {"plain": 0.387, "kernel": 0.382, "warm-up": 0.383}  # test accuracy at 5,000 training and 4,000 test images
TOLERANCE = 0.02
PUBLISHED = ("published:one-token", "published:value-path")
GAIN = 0.08  # of training accuracy
MINUTES = {"classify": 45, "quick": 10, "mil": 20}  # of two idle cores
RIDGE = {("tiger", "ridge-mean"): (0.87, 0.02), ("elephant", "ridge-max"): (0.93, 0.02), ("fox", "ridge-max"): (0.65, 0.03)}

Rows = Sequence[dict[str, Any]]


def rows(data: Any, about: dict[str, Any], config: LearningConfig, folder: Path) -> tuple[Rows, float]:
    """The rows of a run, each told when it is there, and the seconds that they took, those before a kill included."""

    def tell(progress: Progress) -> None:
        if progress.stage in config.experiments:
            print(f"  {time.strftime('%H:%M:%S')} {progress.done} of {progress.total}: {progress.note}", flush=True)

    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder, config.to_json(about), resume=True, key=KEY) as journal:
        LEARNING.run(data, config, journal, Surroundings(folder, "cpu", tell))
    for name in config.experiments:
        for title, heads, body in LEARNING.tables(journal.rows, name):
            print(f"  {title}")
            for line in [heads, *body]:
                print("    " + " | ".join(line))
        for sentence in LEARNING.sentences(journal.rows, name):
            print(f"  {sentence}.")
    return journal.rows, sum(journal.seconds.values())


def anchors(data_dir: Path, keep: Path) -> None:
    """Three arms at 5,000 training and 4,000 test images and one learning rate."""
    data, about, _ = load((CLASSIFY,), "cifar10", data_dir, None)
    fewer = replace(data, test=Labelled(data.test.pixels[:4000], data.test.labels[:4000]))
    config = LearningConfig((CLASSIFY,), tuple(ANCHORS), sizes=(5000,), repeats=3, rate=1e-3)
    found, _ = rows(fewer, about | {"test": 4000}, config, keep / "anchors")
    for method, known in ANCHORS.items():
        accuracy = float(np.mean(list(values(found, method, 5000, TEST).values())))
        promise(f"{method}, test accuracy", accuracy, abs(accuracy - known) <= TOLERANCE, f"within {TOLERANCE} of {known}")


def value_path(data_dir: Path, keep: Path) -> None:
    """The published gain in training accuracy, from the value path alone."""
    data, about, _ = load((CLASSIFY,), "cifar10", data_dir, None)
    config = LearningConfig((CLASSIFY,), PUBLISHED, sizes=(10000,), epochs=25, rate=1e-3)
    found, _ = rows(data, about, config, keep / "value-path")
    plain, path = (values(found, method, 10000, TRAIN) for method in PUBLISHED)
    gain, half = paired(path, plain)
    words = f"at least {GAIN}, interval ± {half:.3f}; no Stage I, no Phi"
    promise("value path less plain, one token, best training accuracy", gain, gain >= GAIN, words)


def classify(data_dir: Path, keep: Path) -> None:
    """All arms, five seeds, 10,000 images."""
    _whole(LearningConfig((CLASSIFY,), sizes=(10000,)), "classify", data_dir, keep)


def quick(data_dir: Path, keep: Path) -> None:
    """All arms, three seeds, 5,000 images."""
    _whole(LearningConfig((CLASSIFY,), quick=True), "quick", data_dir, keep)


def resume(data_dir: Path, keep: Path) -> None:
    """A run that is killed again and again, beside one that is not: the same rows."""
    options = "--train-size 2000 --epochs 6 --repeats 2 --rate 1e-3 --device cpu -q"
    options += " --methods kernel,warm-up,alternation-sparsemax,published:value-path"
    command = [sys.executable, "-m", "uhop_cli", "bench", "--experiment", "classify", "--dataset", "cifar10", *options.split()]
    command += ["--data-dir", str(data_dir)]
    with tempfile.TemporaryDirectory(prefix="uhop-learning-") as spare:
        whole, killed = Path(spare) / "whole", Path(spare) / "killed"
        began = time.monotonic()
        subprocess.run([*command, "--out", str(whole)], check=True, stdout=subprocess.DEVNULL)
        seconds, kills, random = time.monotonic() - began, 0, np.random.default_rng(0)
        while True:
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            process = subprocess.Popen([*command, "--out", str(killed), "--resume"], **quiet)
            try:
                process.wait(random.uniform(0.15, 0.5) * seconds)
                break
            except subprocess.TimeoutExpired:
                process.kill()  # SIGKILL
                process.wait()
                kills += 1
        same = (whole / "rows.jsonl").read_bytes() == (killed / "rows.jsonl").read_bytes()
        promise("rows after kills", kills, same and process.returncode == 0 and kills > 1, "killed so many times, byte for byte")


def expressiveness(data_dir: Path, keep: Path) -> None:
    """Figures 4 and 6, as far as two cores go."""
    data, about, _ = load((EXPRESSIVENESS,), "cifar10", data_dir, None)
    _, seconds = rows(data, about, LearningConfig((EXPRESSIVENESS,)), keep / "expressiveness")
    print(f"  expressiveness in {seconds / 60:.1f} minutes")


def mil(data_dir: Path, keep: Path) -> None:
    """Three sets of bags."""
    minutes = 0.0
    for name in ("tiger", "fox", "elephant"):
        data, about, _ = load((MIL,), name, data_dir, None)
        found, seconds = rows(data, about, LearningConfig((MIL,)), keep / f"mil-{name}")
        minutes += seconds / 60
        for (dataset, method), (known, tolerance) in RIDGE.items():
            if dataset == name:
                auc = float(np.mean(list(values(found, method, len(data), "auc").values())))
                promise(f"{name}, {method}, AUC", auc, abs(auc - known) <= tolerance, f"within {tolerance} of {known}")
    promise("mil, three sets, minutes", minutes, minutes <= MINUTES["mil"], f"at most {MINUTES['mil']}")


def _whole(config: LearningConfig, name: str, data_dir: Path, keep: Path) -> None:
    data, about, _ = load((CLASSIFY,), "cifar10", data_dir, None)
    found, seconds = rows(data, about, config, keep / name)
    minutes = seconds / 60
    promise(f"{name}, minutes", minutes, minutes <= MINUTES[name], f"at most {MINUTES[name]} on two idle cores")
    (size,) = config.train_sizes(CLASSIFY)
    for method in dict.fromkeys(row["method"] for row in found):
        if method.endswith(SPARSE):
            support = float(np.mean(list(values(found, method, size, "support").values())))
            promise(f"{method}, patches with a weight", support, support < 16, "fewer than 16")


def main() -> int:
    """Print the figures; 1 if a promise is missed."""
    parts = {"anchors": anchors, "value-path": value_path, "classify": classify, "quick": quick}
    parts |= {"resume": resume, "expressiveness": expressiveness, "mil": mil}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*parts, "all"])
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("UHOP_DATA_DIR", ".")))
    parser.add_argument("--keep", type=Path, help="a folder for rows and the state of trainings")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="uhop-learning-") as spare:
        for name, part in parts.items():
            if arguments.part in (name, "all"):
                print(f"{name}: {part.__doc__}")
                try:
                    part(arguments.data_dir, arguments.keep or Path(spare))
                except DatasetError as error:
                    print(f"  skipped: {error.message}")
    return int(bool(missed))


if __name__ == "__main__":
    sys.exit(main())
