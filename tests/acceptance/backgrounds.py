"""Prints how often copies of transparent pictures are found that were laid on another colour.

    python tests/acceptance/backgrounds.py
    python tests/acceptance/backgrounds.py --seeds 2 --damages none jpeg:10 blur:2
    python tests/acceptance/backgrounds.py --seeds 2 --another

The sprites under --data-dir or UHOP_DATA_DIR are stored but for 300 transparent ones; 300 of those stored are laid on white, on
black, and on three colours, two of them drawn, and damaged; so are those that were never stored. Asked are pictures of which no
other one has the same opacity and premultiplied colours. Everything is at the defaults of `uhop store` and `uhop query`; a copy is
named if its confidence is at least .5. Queries are clipped to 8 bits, as files are. `half:bottom` covers half of what was laid.

What is promised is of the mean over the seeds, 1 and 2; that of each is printed too. Of half covered copies no rule at all finds
.90 on seed 2, which is counted too. The exit status is 1 if a promise is missed. With --another nothing is stored, and what is
printed is the share of the copies that would be taken for another picture than their own (`evidence/backgrounds/another.py`).
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.corruption.corruption import parse
from uhop_cli.evidence.backgrounds.another import another_picture
from uhop_cli.images.decode import decode, read_bytes
from uhop_cli.images.patterns import PatternSpec, on_background, to_layers, to_pixels, to_vectors
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.storing.assemble import Draft, learn_memory
from uhop_cli.storing.settings import StoreSettings

SPEC = PatternSpec(32, 32, 3)
FIXED = {"white": (255, 255, 255), "black": (0, 0, 0), "blue": (40, 80, 200)}
MIN_CONFIDENCE = 0.5
# Least share of nearest memories that are right, on average over the colours.
PROMISES = {"none": 0.95, "jpeg:80": 0.92, "noise:0.2": 0.92, "brightness:0.3": 0.92, "contrast:0.5": 0.92, "half:bottom": 0.90}
DAMAGES = ("none", "noise:0.02", "noise:0.3", "jpeg:80", "jpeg:50", "jpeg:30", "jpeg:10", "blur:1", "blur:3", "gaussian-blur:0.5")
DAMAGES += ("pixelate:2", "pixelate:4", "half:bottom:colour", "text:0.4", "scratches:5", "values:0.1", "values:0.5", "values:0.9")
DAMAGES += ("dropout:0.5", "brightness:0.3", "brightness:-0.4", "contrast:0.5", "gamma:2", "gamma:0.5", "grey")
LEAST = PROMISES | {"named and right": 0.90}  # this of the first row
MOST = {"never stored, named": 0.03, "bytes more": SPEC.height * SPEC.width + 150}  # twins aside; a memory, with opacity
TWIN = 0.9  # share of the cells opaque in either picture that are opaque and equal, to two levels, in both: twins by what they show
SAME_OUTLINE = 0.98  # share of the cells that are transparent in both or in neither: the same thing in other colours
TOGETHER = 32

Layers = tuple[np.ndarray, np.ndarray]  # patterns (M, H, W, C) and opacity (M, H, W)


def tiles(folder: Path) -> Layers:
    """The sprites with different patterns, and which of them are transparent."""
    layers = [to_layers(decode(read_bytes(path)), SPEC) for path in sorted(folder.rglob("*.png"))]
    opaque = np.full((SPEC.height, SPEC.width), 255, np.uint8)
    patterns = np.stack([pattern for pattern, _ in layers])
    opacity = np.stack([opaque if veil is None else veil for _, veil in layers])
    first = np.sort(np.unique(patterns.reshape(len(patterns), -1), axis=0, return_index=True)[1])
    return patterns[first], opacity[first]


def unique_and_transparent(patterns: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Rows of transparent pictures that no other one equals in opacity and premultiplied colours."""
    own = on_background(patterns, opacity, np.zeros((1, 1, SPEC.channels)), SPEC)
    seen = np.concatenate([to_pixels(own, SPEC).reshape(len(own), -1), opacity.reshape(len(own), -1)], axis=1)
    _, group, counts = np.unique(seen, axis=0, return_inverse=True, return_counts=True)
    return np.flatnonzero((counts[group] == 1) & (opacity.min(axis=(1, 2)) < 255))


def stored(patterns: np.ndarray, opacity: np.ndarray | None) -> Memory:
    """Their memory, as `uhop store` makes it."""
    count = len(patterns)
    entries = Entries.build([b"%d" % i for i in range(count)], range(count), [bytes(32)] * count, [0] * count)
    return learn_memory(Draft(SPEC, patterns, entries, opacity is not None, opacity=opacity), StoreSettings()).memory


def copies(layers: Layers, colour: tuple[int, ...], label: str, seed: int) -> np.ndarray:
    """The pictures laid on a colour and damaged, (Q, d), as files of 8 bits hold them."""
    laid = on_background(*layers, np.full((1, 1, SPEC.channels), colour) / 255, SPEC)
    rows = to_vectors(to_pixels(laid, SPEC))
    return rows if label == "none" else to_vectors(to_pixels(parse(label)(rows, SPEC, seed).patterns, SPEC))


def ask(retriever: Retriever, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest memory and the confidence of each query."""
    nearest, confidence = [], []
    for start in range(0, len(queries), TOGETHER):
        answer = retriever.retrieve(queries[start : start + TOGETHER])
        nearest += [answer.ranking(place, 1)[0] for place in range(len(answer.weights))]
        confidence.append(answer.confidence)
    return np.array(nearest), np.concatenate(confidence)


def ceiling(stored: Layers, rows: np.ndarray, colour: tuple[int, ...]) -> float:
    """What share of copies that are covered below any rule can rank first on average: 1 / how many look the same above."""
    laid = to_pixels(on_background(*stored, np.full((1, 1, SPEC.channels), colour) / 255, SPEC), SPEC)
    seen = laid.reshape(len(laid), SPEC.height, -1)[:, : SPEC.height // 2].reshape(len(laid), -1).astype(np.int16)
    return float(np.mean([1 / (np.abs(seen - seen[row]).max(axis=1) <= 1).sum() for row in rows]))


def never_stored(retriever: Retriever, strangers: Layers, colours: dict[str, tuple[int, ...]], stored: Layers) -> float:
    """Share of pictures that are not stored, laid on the colours, that are named without being twins; it and others are printed."""
    found = []
    for name, colour in colours.items():
        nearest, confidence = ask(retriever, copies(strangers, colour, "none", 0))
        named = confidence >= MIN_CONFIDENCE
        opaque = strangers[1] > 127, stored[1][nearest] > 127
        levels = np.abs(strangers[0].astype(int) - stored[0][nearest]).max(axis=3)
        equal = (levels <= 2) & opaque[0] & opaque[1]
        twins = equal.sum(axis=(1, 2)) >= TWIN * (opaque[0] | opaque[1]).sum(axis=(1, 2))
        outlines = (opaque[0] == opaque[1]).mean(axis=(1, 2)) >= SAME_OUTLINE
        found.append((named.mean(), (named & ~twins).mean(), (named & ~outlines).mean()))
        shares = "named {:.3f}, twins aside {:.3f}, of another outline {:.3f}".format(*found[-1])
        print(f"never stored    {name:<9} {shares}", flush=True)
    named, others, outlines = np.mean(found, axis=0)
    print(f"never stored, named {named:.3f}, twins aside {others:.3f} ({outlines:.3f} of another outline)")
    return float(others)


def taken_for_others(layers: Layers, colours: dict[str, tuple[int, ...]], seed: int) -> None:
    """Copies that are told to be another picture than their own, mean of the colours."""
    patterns, opacity = layers
    known, veils = to_vectors(patterns), 1 - unit_rows(opacity)
    for label in DAMAGES:
        said = [another_picture(copies(layers, colour, label, seed), known, veils, SPEC).mean() for colour in colours.values()]
        print(f"{label:<16}{np.mean(said):.3f}", flush=True)


def promise(what: str, kept: bool) -> bool:
    """Prints whether a promise is kept; true if it is not."""
    print(f"{'ok    ' if kept else 'MISSED'} {what}", flush=True)
    return not kept


def figures(options: argparse.Namespace, seed: int, tiles: Layers) -> dict[str, float]:
    """Store, lay down, ask: what is promised, of one seed."""
    patterns, opacity = tiles
    rng = np.random.default_rng(seed)
    order = rng.permutation(unique_and_transparent(patterns, opacity))
    outside, asked = np.sort(order[: options.queries]), np.sort(order[options.queries : 2 * options.queries])
    inside = np.setdiff1d(np.arange(len(patterns)), outside)
    colours = FIXED | {"#{:02x}{:02x}{:02x}".format(*drawn): tuple(drawn) for drawn in rng.integers(0, 256, (2, 3)).tolist()}
    if options.another:
        taken_for_others((patterns[asked], opacity[asked]), colours, seed)
        return {}
    started, found = time.perf_counter(), {}
    memory = stored(patterns[inside], opacity[inside])
    print(f"{len(memory)} sprites stored in {time.perf_counter() - started:.1f} s, {len(asked)} asked, seed {seed}")
    retriever, rows = Retriever(memory), np.searchsorted(inside, asked)
    print(f"{'damage':<16}{'on':<9}{'nearest right':>14}{'named right':>12}{'named wrong':>12}")
    for label in options.damages:
        of_each = []
        for name, colour in colours.items():
            nearest, confidence = ask(retriever, copies((patterns[asked], opacity[asked]), colour, label, seed))
            right, named = nearest == rows, confidence >= MIN_CONFIDENCE
            of_each.append((right.mean(), (right & named).mean(), (~right & named).mean()))
            print("{:<16}{:<9}{:>14.3f}{:>12.3f}{:>12.3f}".format(label, name, *of_each[-1]), flush=True)
        right, named, wrong = np.mean(of_each, axis=0)
        print(f"{label:<16}{'mean':<9}{right:>14.3f}{named:>12.3f}{wrong:>12.3f}")
        if label == "half:bottom":
            most = np.mean([ceiling((patterns[inside], opacity[inside]), rows, colour) for colour in colours.values()])
            print(f"{label}: at most {most:.3f} by any rule, as upper halves are shared")
        found[label] = float(right)
        if label == "none":
            found["named and right"] = float(named)
    found["never stored, named"] = never_stored(
        retriever, (patterns[outside], opacity[outside]), colours, (patterns[inside], opacity[inside])
    )
    found["bytes more"] = sum(array.nbytes for array in (memory.opacity, memory.statistics.opacity)) / len(memory)
    return found


def main() -> int:
    """Each seed, and what is promised of their mean."""
    given = os.environ.get("UHOP_DATA_DIR", "")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(given))
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2], help="of what is stored, asked, laid under it and damaged")
    parser.add_argument("--damages", nargs="+", default=list(PROMISES))
    parser.add_argument("--another", action="store_true", help="only which copies are taken for other pictures")
    options = parser.parse_args()
    if not (options.data_dir / "sprites").is_dir():
        print(f"skipped: no sprites under {options.data_dir}")
        return 0
    patterns, opacity = tiles(options.data_dir / "sprites")
    of_seeds = [figures(options, seed, (patterns, opacity)) for seed in options.seeds]
    missed = False
    for name in of_seeds[0]:
        values = [found[name] for found in of_seeds]
        mean, each = float(np.mean(values)), ", ".join(f"{value:.3f}" for value in values)
        if name in LEAST | MOST:
            kept = mean >= LEAST[name] if name in LEAST else mean <= MOST[name]
            missed |= promise(f"{name}: {mean:.3f} (seeds {each}), promised {(LEAST | MOST)[name]}", kept)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
