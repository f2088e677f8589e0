"""What storing and asking cost as memories grow, and whether the right one of a million is still found.

    python tests/benchmarks/make_blends.py blends.npy
    python tests/benchmarks/growth.py store blends.npy 1000 10000 100000 1000000      # writes blends.<count>.safetensors
    python tests/benchmarks/growth.py ask blends.1000000.safetensors                  # times and accuracy of one memory
    python tests/benchmarks/growth.py store two.npy 2000000 --shards 4
    python tests/benchmarks/growth.py draw                                            # docs/figures/growth.svg, and the table

Figures go to docs/figures/growth.json. Memory is anonymous resident memory (RssAnon): pages of mapped files are the system's to
take back. The query is asked as `uhop query` asks it, to a fixed point, beside the bare product over the codes in the same run.
"""

from __future__ import annotations

import argparse
import json
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks, one_blas_thread
from uhop_cli.corruption.corruption import parse
from uhop_cli.memory.file.reader import load
from uhop_cli.progress import Progress
from uhop_cli.querying.by_evidence import OPEN, ByEvidence
from uhop_cli.querying.retriever import Retriever
from uhop_cli.storing.store import store

FIGURES = Path(__file__).resolve().parents[2] / "docs" / "figures"
PROMISED = ("mask:0.5", "brightness:0.4", "noise-abs:0.5")
COSTS = {
    "store, seconds": "store_seconds",
    "store, GB of anonymous memory": "store_gigabytes",
    "file, bytes": "file_bytes",
    "one query, ms": "ms, query",
    "query, GB of anonymous memory": "query_gigabytes",
    "bare product over the codes, ms": "ms, bare product over the codes",
    "finding the shortlist, ms": "ms, shortlist",
    "examining it, ms": "ms, shortlist examined",
    "one query that was moved, by shortlist, ms": "ms, query that was moved",
}
REST = 0.3  # seconds; BLAS threads go on turning for a while after a product, in the way of whoever comes next
TOGETHER = 8  # queries in a pass over all memories: more would take gigabytes
OTHERS = ("values:0.9", "noise:1", "half:bottom", "corner:16", "scale:0.3", "blur:4", "block:0.4", "shift:2", "jpeg:10")


def anonymous() -> float:
    """Gigabytes of anonymous resident memory."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None, "this takes Linux"
    return int(found[1]) / 1e6


def watched(work: Callable[[], Any]) -> tuple[Any, float, float]:
    """What `work` returns, its seconds, and the peak of anonymous memory meanwhile."""
    peak, over = anonymous(), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.05):
            peak = max(peak, anonymous())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.perf_counter()
    result = work()
    seconds = time.perf_counter() - started
    over.set()
    watcher.join()
    return result, seconds, peak


def record(count: int, **figures: Any) -> None:
    """Adds figures of a memory of `count` pictures to the JSON file."""
    path = FIGURES / "growth.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    known[str(count)] = {**known.get(str(count), {}), **figures}
    path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    print(count, json.dumps(figures), flush=True)


def store_some(array: Path, count: int, shards: int | None) -> None:
    """Stores the first `count` pictures of an array, in one file or in shards."""
    pictures = np.load(array, mmap_mode="r")
    some = array if count == len(pictures) else array.with_suffix(f".{count}.npy")
    if some != array:
        np.save(some, pictures[:count])
    target = array.with_suffix(f".{count}.safetensors")
    stages: dict[str, float] = {}
    report, seconds, peak = watched(
        lambda: store([some], target, force=True, shards=shards, progress=lambda step: _note(stages, step, time.perf_counter()))
    )
    if some != array:
        some.unlink()
    told = {"store_seconds": round(seconds, 2), "store_gigabytes": round(peak, 3), "file_bytes": report.bytes}
    record(count, **told, shards=report.shards, stages=_spans(stages))


def _note(stages: dict[str, float], step: Progress, now: float) -> None:
    stages.setdefault("start", now)
    stages[step.stage] = now


def _spans(ends: dict[str, float]) -> dict[str, float]:
    """Seconds of each stage, from the times at which the stages were last heard of."""
    names, times = list(ends)[1:], list(ends.values())
    return {name: round(end - begin, 1) for name, begin, end in zip(names, times[:-1], times[1:], strict=True)}


def ask(path: Path, queries: int, rounds: int) -> None:
    """Times of one query, and the share of damaged copies that are found."""
    memory = load(path)
    retriever = Retriever(memory)
    evidence: Any = retriever.strategy  # by evidence, of one file or of shards
    codes = memory.compact if isinstance(evidence, ByEvidence) else None
    rng = np.random.default_rng(1)
    rows = np.sort(rng.choice(len(memory), min(queries, len(memory)), replace=False))
    truth = unit_rows(memory.patterns[rows])
    one, moved = (parse(label)(truth[:1], memory.spec, 0).patterns for label in ("mask:0.5", "shift:2"))
    _, _, peak = watched(lambda: retriever.retrieve(one))
    times: dict[str, Callable[[], Any]] = {"query": lambda: retriever.retrieve(one).ranking(0, 1)}
    if codes is not None:
        column, shortlist = np.ones(len(codes), np.float32), evidence.shortlist
        listed = shortlist.find(one)
        times |= {
            "bare product over the codes": lambda: column @ codes,
            "shortlist": lambda: _alone(lambda: shortlist(one)),
            "shortlist examined": lambda: _alone(lambda: evidence.among(one, listed.rows, named=listed.named)),
            "query that was moved": lambda: _alone(lambda: evidence.on_shortlists(moved, shortlist)),
        }
    best = dict.fromkeys(times, float("inf"))
    for _ in range(rounds):
        for name, work in times.items():
            time.sleep(REST)
            started = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - started)
    figures: dict[str, Any] = {f"ms, {name}": round(1e3 * seconds, 2) for name, seconds in best.items()}
    record(len(memory), **figures, query_gigabytes=round(peak, 3))
    for label in (*PROMISED, *OTHERS) if codes is not None else ():
        damaged = parse(label)(truth, memory.spec, 0).patterns
        record(len(memory), **{label: accuracy(evidence, damaged, rows, to_the_end=label in PROMISED)})


def _alone(work: Callable[[], Any]) -> None:
    """Does a part of a query as the whole does it, with no threads of BLAS about."""
    with one_blas_thread():
        work()


def accuracy(evidence: ByEvidence, damaged: np.ndarray, rows: np.ndarray, *, to_the_end: bool) -> dict[str, float]:
    """Shares on the shortlist, convincing by it, right by it, wrong though convincing, open after it; and right in the end.

    By the shortlist: where that leaves it open, after a look at the query in other places.

    `to_the_end` also makes the pass over all memories, for every query whose answer is open and, as a bound of what that pass alone
    could reach, for those that are wrong.
    """
    assert evidence.shortlist is not None
    lists = evidence.shortlist(damaged)
    first, _, doubtful = evidence.on_shortlists(damaged, evidence.shortlist)
    right = np.array([first.ranking(place, 1)[0] == row for place, row in enumerate(rows)])
    assert first.confidence is not None, "the memory has a self-test"
    sure, is_open = first.confidence >= OPEN[1], np.isin(np.arange(len(rows)), doubtful)
    shares: dict[str, float] = {}
    if to_the_end:
        asked = np.flatnonzero(is_open | ~right)
        exhaustive = right.copy()
        for part in chunks(len(asked), min(evidence.budget.batch, TOGETHER)):
            answer = evidence.among_all(damaged[asked[part]])
            exhaustive[asked[part]] = [answer.ranking(i, 1)[0] == rows[place] for i, place in enumerate(asked[part])]
        shares = {
            "right in the end": float(np.where(is_open, exhaustive, right).mean()),
            "exhaustive at most": float(exhaustive.mean()),
        }
    return {
        "queries": len(rows),
        "on the shortlist": float((lists == rows[:, None]).any(axis=1).mean()),
        "convincing": float(sure.mean()),
        "open": float(is_open.mean()),
        "right on the shortlist": float(right.mean()),
        "wrong though convincing": float((sure & ~right).mean()),
        **shares,
    }


def draw() -> None:
    """One plot of time and memory against the number of memories."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    known = {int(count): figures for count, figures in json.loads((FIGURES / "growth.json").read_text()).items()}
    counts = sorted(known)
    settings = {"axes.spines.right": False, "axes.spines.top": False, "font.size": 9, "legend.frameon": False}
    with plt.rc_context({**settings, "svg.fonttype": "none", "svg.hashsalt": "uhop"}):
        figure, axes = plt.subplots(figsize=(6.4, 3.6))
        for label, key, factor in (
            ("store, seconds", "store_seconds", 1.0),
            ("store, GB of memory", "store_gigabytes", 1.0),
            ("one query, milliseconds", "ms, query", 1.0),
        ):
            points = [(count, known[count][key] * factor) for count in counts if key in known[count]]
            axes.loglog(*zip(*points, strict=True), marker="o", markersize=3, label=label)
        axes.set_xlabel("memories of 3,072 values")
        axes.legend()
        figure.tight_layout()
        figure.savefig(FIGURES / "growth.svg", metadata={"Date": None})


def table() -> None:
    """Prints the costs, and what the memories with a shortlist find, as Markdown."""
    known = {int(count): figures for count, figures in json.loads((FIGURES / "growth.json").read_text()).items()}
    counts = sorted(known)
    print("| memories | " + " | ".join(f"{count:,}" for count in counts) + " |\n|---|" + "--:|" * len(counts))
    for label, key in COSTS.items():
        print(f"| {label} | " + " | ".join(f"{known[count][key]:g}" if key in known[count] else "-" for count in counts) + " |")
    kinds = ("on the shortlist", "right on the shortlist", "convincing", "right in the end", "exhaustive at most")
    for count in counts:
        rows = [(label, known[count][label]) for label in (*PROMISED, *OTHERS) if label in known[count]]
        if rows:
            print(f"\n{count:,} memories\n\n| damage | queries | " + " | ".join(kinds) + " |\n|---|--:|" + "--:|" * len(kinds))
        for label, found in rows:
            shares = " | ".join(f"{found[kind]:.3f}" if kind in found else "-" for kind in kinds)
            print(f"| {label} | {found['queries']} | {shares} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    storing = commands.add_parser("store")
    storing.add_argument("array", type=Path)
    storing.add_argument("counts", type=int, nargs="+")
    storing.add_argument("--shards", type=int)
    asking = commands.add_parser("ask")
    asking.add_argument("memory", type=Path)
    asking.add_argument("--queries", type=int, default=200)
    asking.add_argument("--rounds", type=int, default=15)
    commands.add_parser("draw")
    wanted = parser.parse_args()
    if wanted.command == "store":
        for number in wanted.counts:
            store_some(wanted.array, number, wanted.shards)
    elif wanted.command == "ask":
        ask(wanted.memory, wanted.queries, wanted.rounds)
    else:
        draw()
        table()
