"""Prints how well the confidence is calibrated, and how pictures that were never stored are answered.

    python tests/acceptance/confidence.py --memories 5000 --queries 400
    python tests/acceptance/confidence.py refusals --memories 5000 --queries 1000 --seed 12
    python tests/acceptance/confidence.py refusals --dataset mnist --memories 5000 --queries 1000 --seed 12
    python tests/acceptance/confidence.py forecast --memories 5000

`calibration` (the default): the mean difference between the confidence and the share of right answers, over ten bins of equal
count, of as many damaged copies as pictures never stored, for fresh seeds of the self-test's corruptions and for others; then
pictures of the data set that were not stored and MNIST digits, clean and damaged, and true damaged copies, at the default
--min-confidence. `refusals`: for each of the ten corruptions the share of true copies that are refused, named right or not, and of
pictures never stored that are accepted, at the default --min-confidence. `forecast`: the self-test's table against fresh seeds.
Queries are clipped to 8 bits, as files are. The sets are looked for under --data-dir or UHOP_DATA_DIR; without them the script
says so and stops.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from uhop_cli.corruption.corruption import SUITE, TEN, parse
from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.datasets import load
from uhop_cli.images.patterns import PatternSpec, to_pixels, to_vectors
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.storing.assemble import Draft, learn_memory
from uhop_cli.storing.settings import StoreSettings

OTHERS = (
    "gamma:0.5",
    "gamma:2",
    "fade:0.5",
    "grey",
    "scratches:5",
    "gaussian-blur:1.5",
    "block:0.3:noise",
    "noise-clamped:0.3",
    "pixelate:2",
)
STRANGE = ("none", "mask:0.5", "half:bottom", "noise:0.5", "brightness:0.4", "blur:2", "jpeg:10", "corner:0.5", "contrast:0.5")
TRUE = ("mask:0.5", "half:bottom", "noise:0.5")
MIN_CONFIDENCE = 0.5
# Of the ten: true copies refused on average, at noise:1, at any other; never stored ones accepted on average, at any.
REFUSALS = {"cifar10": (0.02, 0.15, 0.03, 0.012, 0.025), "mnist": (0.15, 1.0, 1.0, 0.055, 1.0)}


def damaged(pixels: np.ndarray, label: str, spec: PatternSpec, seed: int) -> np.ndarray:
    """Patterns of pictures, damaged, as files of 8 bits hold them."""
    rows = to_vectors(pixels)
    return rows if label == "none" else to_vectors(to_pixels(parse(label)(rows, spec, seed).patterns, spec))


def ask(retriever: Retriever, patterns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best memory and the confidence of each query."""
    best, confidence = [], []
    for start in range(0, len(patterns), 32):
        answer = retriever.retrieve(patterns[start : start + 32])
        best += [answer.ranking(place, 1)[0] for place in range(len(answer.weights))]
        assert answer.confidence is not None
        confidence.append(answer.confidence)
    return np.array(best), np.concatenate(confidence)


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 10) -> float:
    """Mean over bins of equal count of |mean confidence - share right|, weighted by count."""
    order = np.argsort(confidence, kind="stable")
    parts = np.array_split(order, bins)
    return float(sum(abs(confidence[part].mean() - right[part].mean()) * len(part) for part in parts) / len(order))


def promise(what: str, kept: bool) -> bool:
    """Prints whether a promise is kept; true if it is not."""
    print(f"{'ok    ' if kept else 'MISSED'} {what}")
    return not kept


def group(
    title: str, retriever: Retriever, rows: np.ndarray, outside: np.ndarray, labels: tuple[str, ...], seed: int, limit: float
) -> bool:
    """Calibration over a group of corruptions: as many damaged copies of memories as of pictures that were never stored."""
    memory = retriever.memory
    confidences, rights, stored = [], [], []
    for index, label in enumerate(labels):
        best, confidence = ask(retriever, damaged(memory.patterns[rows], label, memory.spec, seed + index))
        _, strange = ask(retriever, damaged(outside[: len(rows)], label, memory.spec, seed + index))
        confidences += [confidence, strange]
        rights += [best == rows, np.zeros(len(strange), np.bool_)]
        stored.append(calibration_error(confidence, rights[-2], 1))
        said = f"right {rights[-2].mean():.3f}, mean confidence {confidence.mean():.3f}"
        print(f"  {label:<22} {said}; never stored: {strange.mean():.3f}", flush=True)
    error = calibration_error(np.concatenate(confidences), np.concatenate(rights))
    print(f"  {title}, stored pictures alone: mean |confidence - right| of the corruptions {np.mean(stored):.4f}")
    return promise(f"{title}: calibration error {error:.4f}, promised {limit}", error < limit)


def calibration(memory: Memory, outside: dict[str, np.ndarray], queries: int, seed: int) -> bool:
    """All figures of the confidence; true if a promise is missed."""
    retriever = Retriever(memory)
    rows = np.sort(np.random.default_rng(seed).choice(len(memory), min(queries, len(memory)), replace=False))
    strangers = outside["cifar10"]
    missed = group("the suite, fresh seeds", retriever, rows, strangers, tuple(item.label for item in SUITE), seed, 0.02)
    missed |= group("other corruptions", retriever, rows, strangers, OTHERS, seed, 0.03)
    shares = []
    for name, pixels in outside.items():
        for index, label in enumerate(STRANGE):
            _, confidence = ask(retriever, damaged(pixels[:queries], label, memory.spec, seed + index))
            shares.append((float((confidence < MIN_CONFIDENCE).mean()), f"{name}, {label}"))
            print(f"  never stored: {shares[-1][1]:<28} 'nothing stored fits' {shares[-1][0]:.3f}", flush=True)
    mean, worst = float(np.mean([share for share, _ in shares])), min(shares)
    missed |= promise(f"never stored: mean {mean:.3f}, promised 0.97", mean >= 0.97)
    missed |= promise(f"never stored: least {worst[0]:.3f} ({worst[1]}), promised 0.90", worst[0] >= 0.9)
    for index, label in enumerate(TRUE):
        _, confidence = ask(retriever, damaged(memory.patterns[rows], label, memory.spec, seed + 100 + index))
        refused = float((confidence < MIN_CONFIDENCE).mean())
        missed |= promise(f"true copies refused, {label}: {refused:.4f}, promised 0.01", refused <= 0.01)
    return missed


def refusals(memory: Memory, outside: np.ndarray, queries: int, seed: int, limits: tuple[float, ...]) -> bool:
    """True copies refused and pictures never stored accepted, by corruption; true if a promise is missed."""
    retriever = Retriever(memory)
    rows = np.sort(np.random.default_rng(seed).choice(len(memory), min(queries, len(memory)), replace=False))
    found = {}
    for index, corruption in enumerate(TEN):
        best, confidence = ask(retriever, damaged(memory.patterns[rows], corruption.label, memory.spec, seed + index))
        _, strange = ask(retriever, damaged(outside[: len(rows)], corruption.label, memory.spec, seed + index))
        refused, accepted = float((confidence < MIN_CONFIDENCE).mean()), float((strange >= MIN_CONFIDENCE).mean())
        found[corruption.label] = refused, accepted
        right = (best == rows).mean()
        print(
            f"  {corruption.label:<16} named right {right:.3f}, refused {refused:.4f}; never stored: accepted {accepted:.4f}",
            flush=True,
        )
    refused, accepted = np.mean(list(found.values()), axis=0)
    noise = found.pop("noise:1")
    worst_refused, worst_accepted = max(row[0] for row in found.values()), max(row[1] for row in (*found.values(), noise))
    figures = (refused, noise[0], worst_refused, accepted, worst_accepted)
    names = ("refused, mean", "refused, noise:1", "refused, largest other", "accepted, mean", "accepted, largest")
    missed = False
    for name, figure, limit in zip(names, figures, limits, strict=True):
        missed |= promise(f"{name} {figure:.4f}, promised {limit}", figure <= limit)
    return missed


def forecast(memory: Memory, queries: int, seed: int) -> bool:
    """The self-test's table against fresh seeds; true if a promise is missed."""
    retriever = Retriever(memory)
    rows = np.sort(np.random.default_rng(seed).choice(len(memory), min(queries, len(memory)), replace=False))
    missed, means = False, []
    for row in memory.record["self_test"]:
        label = f"{row['corruption']}:{row['level']}" if row["level"] else row["corruption"]
        best, _ = ask(retriever, damaged(memory.patterns[rows], label, memory.spec, seed))
        fresh = float((best == rows).mean())
        means.append((row["accuracy"], fresh))
        kept = row["low"] - 1e-9 <= fresh <= row["high"] + 1e-9
        missed |= promise(
            f"{label:<20} forecast {row['accuracy']:.3f} [{row['low']:.3f}, {row['high']:.3f}], fresh {fresh:.3f}", kept
        )
    said, came = np.mean(means, axis=0)
    return missed | promise(f"suite mean: forecast {said:.3f}, fresh {came:.3f}, promised within 0.03", abs(said - came) <= 0.03)


def main() -> int:
    """Store, then measure what the arguments ask for."""
    given = os.environ.get("UHOP_DATA_DIR")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", choices=("calibration", "refusals", "forecast"), default="calibration")
    parser.add_argument("--data-dir", type=Path, default=Path(given) if given else None)
    parser.add_argument("--dataset", choices=REFUSALS, default="cifar10", help="of refusals")
    parser.add_argument("--memories", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args()
    try:
        pixels = load(options.dataset, options.data_dir).pixels
        digits = load("mnist", options.data_dir).pixels if options.data_dir else None
    except DatasetError as error:
        print(f"skipped: {error.message}")
        return 0
    order = np.random.default_rng(0).permutation(50_000)
    stored = pixels[np.sort(order[: options.memories])]
    outside = {options.dataset: pixels[order[-options.queries :]]}
    if digits is not None and options.dataset == "cifar10":
        padded = np.pad(digits[: options.queries], ((0, 0), (2, 2), (2, 2), (0, 0)))
        outside["MNIST"] = np.repeat(padded, 3, axis=3)
    count = len(stored)
    entries = Entries.build([b"%d" % i for i in range(count)], range(count), [bytes(32)] * count, [0] * count)
    started = time.perf_counter()
    height, width, channels = stored.shape[1:]
    made = learn_memory(Draft(PatternSpec(width, height, channels), stored, entries), StoreSettings())
    memory, learned = made.memory, made.learned
    seconds = time.perf_counter() - started
    print(f"{len(memory)} memories, learned and tested in {seconds:.1f} s (Stage I {learned.stage1['seconds']:.1f} s)")
    if options.what == "forecast":
        return int(forecast(memory, options.queries, options.seed))
    if options.what == "refusals":
        return int(refusals(memory, outside[options.dataset], options.queries, options.seed, REFUSALS[options.dataset]))
    return int(calibration(memory, outside, options.queries, options.seed))


if __name__ == "__main__":
    raise SystemExit(main())
