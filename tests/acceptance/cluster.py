"""What a memory in shards promises: the answers of one file, workers that see their own shards only, faults, bytes, time.

    python tests/benchmarks/make_blends.py blends.npy --count 200000
    uhop store blends.npy -m one.safetensors
    python tests/acceptance/cluster.py equal one.safetensors      # one file, shards in turn, shards on two workers
    python tests/acceptance/cluster.py faults one.safetensors     # kill -9 of a worker during a batch, 20 times; spoiled shards
    python tests/acceptance/cluster.py cost one.safetensors       # one worker and two, one BLAS thread each; a batch, one query
    python tests/acceptance/cluster.py stored one.safetensors     # its patterns as files, stored with workers: bytes, kills

The memory is cut into four shards in `--work`. Each of the two workers has a folder of its own with two of them, and can open no
other. Figures are printed beside what is promised.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cluster_cost import cost
from cluster_faults import faults, stored
from cluster_setup import answers, cut, damaged, without_codes, workers
from promises import missed, promise

from uhop_cli.cluster.shards import Traffic, on_cluster
from uhop_cli.corruption.corruption import parse
from uhop_cli.images.decode import Image
from uhop_cli.memory.file.index import Index, index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import QuerySettings, RetrievalSettings

FRAMES = ("mirror", "turn")


def compare(name: str, ones: list[Answer], others: list[Answer]) -> None:
    """Prints best memories, weights and confidence of two ways to the same answers."""
    total = same = 0
    weights = confidence = 0.0
    for one, other in zip(ones, others, strict=True):
        for query in range(len(one.weights)):
            best, twin = one.best(query, 5), other.best(query, 5)
            total, same = total + 1, same + (best[0][0] == twin[0][0])
            weights = max(weights, *(abs(weight - other.of(query, row)[1]) for row, weight, _ in best))
        if one.confidence is not None and other.confidence is not None:
            confidence = max(confidence, float(np.abs(one.confidence - other.confidence).max()))
    promise(f"{name}: same best memory", same, same == total, f"of {total}")
    promise(f"{name}: weights", weights, weights <= 1e-5, "largest difference; 1e-5")
    promise(f"{name}: confidence", confidence, confidence <= 1e-3, "largest difference; 1e-3")


def equal(path: Path, work: Path, count: int) -> None:
    """One file, shards in turn and shards on two workers: the same answers."""
    cut(path, work)
    one, off, on = without_codes(load(path)), load(work / "off.safetensors"), load(work / "on.safetensors")
    indices = [read_index(index_of(work / f"{name}.safetensors")) for name in ("off", "on")]
    queries, _ = damaged(one, count)
    visible = np.repeat(
        np.random.default_rng(2).random((count, one.spec.dim // one.spec.channels)) < 0.1, one.spec.channels, axis=1
    )
    few = slice(0, count, 4)
    traffic = Traffic()
    with workers(indices, work) as client:
        places = {
            "in turn": lambda memory, index: None,
            "two workers": lambda memory, index: on_cluster(client, index, "cpu", traffic),
        }
        plain = {
            "evidence": (RetrievalSettings(), None, slice(None)),
            "plain kernel": (RetrievalSettings(similarity="kernel"), None, few),
            "sparsemax": (RetrievalSettings(similarity="kernel", separation="sparsemax"), None, few),
            "known masks": (RetrievalSettings(), visible, few),
        }
        whole = None
        for name, (settings, seen, some) in plain.items():
            mask = None if seen is None else seen[some]
            ones = answers(Retriever(one, settings), queries[some], mask)
            whole = ones if whole is None else whole
            for place, asker in places.items():
                before = replace(traffic)
                others = answers(Retriever(off, settings, asker=asker(off, indices[0])), queries[some], mask)
                compare(f"{name}, {place}", ones, others)
                if place == "two workers":
                    sent, received, proposals = (
                        (getattr(traffic, part) - getattr(before, part)) / len(queries[some]) / 1e3
                        for part in ("sent", "received", "proposals")
                    )
                    beside = sent + received - proposals
                    promise(
                        f"{name}: kB a query beside the proposals", beside, beside < 200, f"sent {sent:.0f}, back {received:.0f}"
                    )
        best = [row for answer in whole or [] for query in range(len(answer.weights)) for row in answer.ranking(query, 1)]
        for place, asker in places.items():
            staged = answers(Retriever(on, asker=asker(on, indices[1])), queries)
            found = [row for answer in staged for query in range(len(answer.weights)) for row in answer.ranking(query, 1)]
            same = sum(map(int.__eq__, best, found))
            promise(f"two stages, {place}: same best memory as all examined", same, same >= 0.99 * count, f"of {count}; 99%")
        taken = client.run(anonymous)
        for worker, size in taken.items():
            print(f"  worker {worker}: {size / 1e6:.0f} MB of anonymous memory", flush=True)
        framed(one, off, client, indices[0])


def framed(one: Memory, off: Memory, client: Any, index: Index) -> None:
    """Pictures in other frames, asked as `uhop query` asks them."""
    rows = np.random.default_rng(3).choice(len(one), 10, replace=False)
    stored = [Image(one.patterns[row], None) for row in rows.tolist()]
    pictures = [frame.reframed(picture).pixels for frame in map(parse, FRAMES) for picture in stored]
    settings = QuerySettings(verify="never")
    ways = {"one file": Restorer(one, settings, expected=9), "in turn": Restorer(off, settings, expected=9)}
    ways["two workers"] = Restorer(off, settings, expected=9, asker=on_cluster(client, index, "cpu", Traffic()))
    told = {name: [_told(result) for result in restorer.restore(pictures)] for name, restorer in ways.items()}
    for name in ("in turn", "two workers"):
        same = sum(a == b for a, b in zip(told["one file"], told[name], strict=True))
        promise(f"frames, {name}: same match and frame", same, same == len(pictures), f"of {len(pictures)}")


def _told(result: Any) -> Any:
    best = result.answer.matches[0]
    return best.row, None if best.frame is None else (best.frame.turn, best.frame.mirrored)


def anonymous() -> int:
    """Bytes of anonymous resident memory of this process."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return 1024 * int(found[1]) if found else 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("equal", "faults", "cost", "stored"))
    parser.add_argument("memory", type=Path)
    parser.add_argument("--work", type=Path, default=Path("cluster-work"))
    parser.add_argument("--queries", type=int, default=0)
    wanted = parser.parse_args()
    parts = {"equal": (equal, 500), "faults": (faults, 20), "cost": (cost, 1000), "stored": (stored, 1000)}
    run, usual = parts[wanted.part]
    run(wanted.memory, wanted.work, wanted.queries or usual)
    sys.exit(bool(missed))
