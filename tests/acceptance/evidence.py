"""Prints how often the answer chosen by evidence is right, for every kind of damage, beside un-learned cosine.

    python tests/acceptance/evidence.py --dataset cifar10 --memories 5000
    python tests/acceptance/evidence.py --dataset cifar10 --memories 50000 --seeds 1
    python tests/acceptance/evidence.py --dataset mnist --memories 5000 --save before.npz     # with the code before
    python tests/acceptance/evidence.py --dataset mnist --memories 5000 --against before.npz  # query by query
    python tests/acceptance/evidence.py --dataset photos
    python tests/acceptance/evidence.py --dataset sprites --rows all
    python tests/acceptance/evidence.py --dataset mnist --memories 5000 --models              # docs/evidence.md

Queries are damaged copies of memories, clipped to 8 bits as files are; nothing is told of the damage, and nothing is tuned for it.
The settings are the defaults of `uhop store` and `uhop query`. Data sets are looked for under --data-dir or UHOP_DATA_DIR
(cifar-10-batches-py/, mnist/, photos/, sprites/); one that is not there is skipped by name. `--models` prints how often each model
by itself names the right memory, and how often the choice is right without it. The exit status is 1 if a promise is missed.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

import uhop_cli
from uhop_cli.arrays.device import CPU
from uhop_cli.corruption.corruption import parse
from uhop_cli.errors import DatasetError
from uhop_cli.evidence.choice import choose
from uhop_cli.evidence.model import EvidenceEngine
from uhop_cli.evidence.pixelwise.candidates import Candidates
from uhop_cli.evidence.prepared import PreparedQueries
from uhop_cli.experiments.data.datasets import load
from uhop_cli.images.patterns import to_pixels, to_vectors
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.budget import Budget
from uhop_cli.querying.by_evidence import ByEvidence
from uhop_cli.querying.by_similarity import pattern_lengths
from uhop_cli.querying.retriever import Retriever
from uhop_cli.retrieval.pattern_matrix import pattern_matrix
from uhop_cli.storing.settings import StoreSettings

Before = dict[str, np.ndarray]  # which queries of a row were right
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
MIXED = ("blur:7", "noise:0.3+half:bottom", "jpeg:10+corner:0.5", "blur:2+half:bottom", "blur:2", "gaussian-blur:2")
# Least share of right answers, of the ten on average and in single rows.
PROMISES = {
    "cifar10": {
        "ten": 0.995,
        "blur:7": 0.97,
        "noise:0.3+half:bottom": 0.97,
        "jpeg:10+corner:0.5": 0.65,
        "blur:2+half:bottom": 0.82,
    },
    "mnist": {"ten": 0.925, "blur:4": 0.97, "blur:2": 0.95, "gaussian-blur:2": 0.97},
    "photos": {"ten": 0.995, "blur:7": 0.93},
    "sprites": {"ten": 0.90, "blur:4": 0.85},
}
MOST_LOST = 4  # of 400 queries of a row, net, against the code before
FOLDERS = ("photos", "sprites")  # of pictures, which may have duplicates
TOGETHER = 32  # queries


def pixels_of(name: str, data_dir: Path | None, memories: int) -> np.ndarray | None:
    """The memories, (M, H, W, C) uint8, or None with a line that says what is skipped."""
    if data_dir is None or not data_dir.is_dir():
        print(f"skipped: {name} (give --data-dir or set UHOP_DATA_DIR)")
        return None
    try:
        pixels = load(str(data_dir / name) if name in FOLDERS else name, data_dir).pixels
    except DatasetError as error:
        print(f"skipped: {name} ({error.message})")
        return None
    if name == "cifar10":
        pixels = pixels[:50_000]  # the training images
    if name in FOLDERS:
        pixels = pixels[np.sort(np.unique(pixels.reshape(len(pixels), -1), axis=0, return_index=True)[1])]
    if len(pixels) > memories:
        pixels = pixels[np.sort(np.random.default_rng(0).choice(len(pixels), memories, replace=False))]
    return pixels


def damaged(memory: Memory, rows: np.ndarray, label: str, seed: int) -> np.ndarray:
    """Copies of memories, damaged in one or several ways (`a+b`), as pictures of 8 bits hold them."""
    patterns = to_vectors(memory.patterns[rows])
    for part in label.split("+"):
        patterns = parse(part)(patterns, memory.spec, seed).patterns
    return to_vectors(to_pixels(patterns, memory.spec))


def measure(retriever: Retriever, rows: np.ndarray, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray, Counter[str]]:
    """Which queries are right by evidence and by un-learned cosine, and which models answered."""
    right, plain, models = [], [], Counter[str]()
    lengths = np.asarray(pattern_lengths(retriever.X))
    step = min(retriever.batch, TOGETHER)
    for start in range(0, len(rows), step):
        part, truth = queries[start : start + step], rows[start : start + step]
        answer = retriever.retrieve(part)
        right += [answer.ranking(place, 1)[0] == row for place, row in enumerate(truth)]
        models.update(answer.kernels)
        cosines = np.asarray(retriever.X.products(part)) / np.maximum(lengths, 1e-9)
        plain += list(cosines.argmax(axis=1) == truth)
    return np.array(right), np.array(plain), models


def table(
    name: str, memory: Memory, labels: tuple[str, ...], queries: int, seed: int, before: Before | None
) -> tuple[bool, Before]:
    """Prints a row for each corruption; whether a promise was missed, and which queries were right."""
    retriever = Retriever(memory)
    count = min(queries, len(memory))
    rows = np.sort(np.random.default_rng(seed).choice(len(memory), count, replace=False))
    print(f"\n{name}: {len(memory)} memories, {count} queries each, clipped to 8 bits, seed {seed}")
    print(f"{'damage':<24}{'evidence':>9}{'cosine':>9}{'' if before is None else '  before net':<12}  answered by")
    found: Before = {}
    missed = False
    for label in labels:
        right, plain, models = measure(retriever, rows, damaged(memory, rows, label, seed))
        shares = ", ".join(f"{model} {number / count:.0%}" for model, number in models.most_common(3))
        paired = "" if before is None else f"{before[label].mean():>8.3f}{int(right.sum()) - int(before[label].sum()):>+4d}"
        print(f"{label:<24}{right.mean():>9.3f}{plain.mean():>9.3f}{paired:<12}  {shares}", flush=True)
        found[label] = right
        if before is not None and label in TEN:
            lost = int(before[label].sum()) - int(right.sum())
            missed |= lost > MOST_LOST and promise(f"{label} loses {lost}, promised at most {MOST_LOST}", False)
    means = {"ten": float(np.mean([found[label].mean() for label in TEN]))}
    print(f"{'mean of the ten':<24}{means['ten']:>9.3f}")
    if before is not None:
        was = float(np.mean([before[label].mean() for label in TEN]))
        missed |= promise(f"mean {means['ten']:.4f}, before {was:.4f}", means["ten"] >= was)
    for label, least in PROMISES[name].items():
        share = means[label] if label in means else float(found[label].mean())
        missed |= promise(f"{label} {share:.4f}, promised {least}", share >= least)
    return missed, found


def promise(what: str, kept: bool) -> bool:
    """Prints whether a promise is kept; true if it is not."""
    print(f"{'ok    ' if kept else 'MISSED'} {what}")
    return not kept


def silenced(
    engine: EvidenceEngine, asked: PreparedQueries, scores: np.ndarray, cosines: np.ndarray, listed: Candidates, models: list[int]
) -> np.ndarray:
    """Whom the choice names where these models say nothing; what they propose is looked at all the same."""
    scores = scores.copy()
    scores[[model for model in models if model < len(scores)]] = -np.inf
    nothing = np.full_like(listed.exact, -np.inf)
    listed = replace(
        listed,
        exact=nothing if 0 in models else listed.exact,
        agreed=nothing if len(scores) in models else listed.agreed,
        best=None,
    )
    with np.errstate(invalid="ignore"):
        named: np.ndarray = choose(asked, engine.statistics, scores, cosines, listed).scores.argmax(axis=1)
    return named


def by_model(memory: Memory, labels: tuple[str, ...], queries: int, seed: int) -> None:
    """Prints, row by row, how often each model's own best memory is right, and the choice with all of them and without each."""
    engine = ByEvidence(memory, pattern_matrix(memory.patterns), Budget(memory, CPU, "evidence")).engine
    rows = np.sort(np.random.default_rng(seed).choice(len(memory), min(queries, len(memory)), replace=False))
    groups: dict[str, list[int]] = {}
    print(f"\n{len(rows)} queries each, clipped to 8 bits, seed {seed}: alone; then the choice, of all and without each")
    for label in labels:
        alone, without = [], []
        pictures = damaged(memory, rows, label, seed)
        for start in range(0, len(rows), TOGETHER):
            part, truth = slice(start, start + TOGETHER), rows[start : start + TOGETHER]
            asked = engine.prepare(pictures[part])
            scores, cosines = engine.scan(asked)
            listed = engine.candidates(asked, scores, cosines)
            if not groups:
                names = [name.split()[0] for name in asked.models]
                groups = {name: [index for index, other in enumerate(names) if other == name] for name in dict.fromkeys(names)}
                heads = " ".join(f"{name:>9}" for name in asked.models)
                print(f"{'damage':<24} {heads} |       all " + " ".join(f"-{name:<9}" for name in groups))
            ratios = np.concatenate([scores, np.full_like(scores[:1], -np.inf)])
            np.put_along_axis(ratios[-1], listed.rows, listed.agreed, axis=1)
            alone.append(ratios.argmax(axis=2) == truth)
            without.append([silenced(engine, asked, scores, cosines, listed, out) == truth for out in ([], *groups.values())])
        shares = " ".join(f"{share:>9.3f}" for share in np.concatenate(alone, axis=1).mean(axis=1))
        rest = " ".join(f"{share:>10.3f}" for share in np.concatenate(without, axis=1).mean(axis=1))
        print(f"{label:<24} {shares} | {rest}", flush=True)


def main() -> int:
    """Run the tables that the arguments ask for."""
    given = os.environ.get("UHOP_DATA_DIR")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(given) if given else None)
    parser.add_argument("--dataset", choices=PROMISES, default="cifar10")
    parser.add_argument("--memories", type=int, default=5000)
    parser.add_argument("--queries", type=int, default=400)
    parser.add_argument("--rows", choices=("ten", "all"), default="ten", help="all: damage outside the ten and the mixed as well")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="of the choice of queries and of their damage")
    parser.add_argument("--save", type=Path, help="writes which queries were right")
    parser.add_argument("--against", type=Path, help="reads what --save wrote, and compares query by query")
    parser.add_argument("--models", action="store_true", help="what each model adds, instead of the promises")
    options = parser.parse_args()
    pixels = pixels_of(options.dataset, options.data_dir, options.memories)
    if pixels is None:
        return 0
    started = time.perf_counter()
    memory = uhop_cli.learn(pixels, StoreSettings())
    print(f"{options.dataset}: {len(memory)} memories of {memory.spec.dim} values stored in {time.perf_counter() - started:.1f} s")
    labels = (*TEN, *MIXED, *(OTHERS if options.rows == "all" else ()))
    saved, missed = {}, False
    for seed in options.seeds:
        if options.models:
            by_model(memory, labels, options.queries, seed)
            continue
        before = None
        if options.against is not None:
            with np.load(options.against) as archive:
                before = {label: archive[f"{seed}/{label}"] for label in labels}
        failed, found = table(options.dataset, memory, labels, options.queries, seed, before)
        missed |= failed
        saved |= {f"{seed}/{label}": right for label, right in found.items()}
    if options.save is not None:
        np.savez(options.save, **saved)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
