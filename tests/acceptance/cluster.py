"""What a memory in shards promises: the answers of one file, workers that see their own shards only, faults, bytes, time.

    python tests/benchmarks/make_blends.py blends.npy --count 200000
    uhop store blends.npy -m one.safetensors
    python tests/acceptance/cluster.py equal one.safetensors      # one file, shards in turn, shards on two workers
    python tests/acceptance/cluster.py faults one.safetensors     # kill -9 of a worker during a batch, 20 times
    python tests/acceptance/cluster.py cost one.safetensors       # one worker and two, one BLAS thread each; a batch, one query
    python tests/acceptance/cluster.py stored one.safetensors     # its patterns as files, stored with workers: bytes, kills

The memory is cut into four shards in `--work`. Each of the two workers has a folder of its own with two of them, and can open no
other. Figures are printed beside what is promised.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from promises import missed, promise

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks, share_cores
from uhop_cli.cluster.shards import Traffic, on_cluster
from uhop_cli.cluster.tasks import Tasks
from uhop_cli.cluster.worker import FOLDER
from uhop_cli.corruption.corruption import parse
from uhop_cli.images.decode import Image
from uhop_cli.memory.file.index import Index, index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.shard_writer import write_shards
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import QuerySettings, RetrievalSettings
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store

DAMAGES = ("mask:0.5", "brightness:0.4", "noise-abs:0.5", "half:bottom", "blur:2")
FRAMES = ("mirror", "turn")
SHARDS, WORKERS = 4, 2
TOGETHER = 16  # queries in a pass over all memories: more would take gigabytes


def without_codes(memory: Memory) -> Memory:
    """The same without shortlists: all memories are examined for every query."""
    shards = tuple(replace(shard, compact=None, compact_map=None) for shard in memory.shards)
    return replace(memory, compact=None, compact_map=None, shards=shards)


def cut(path: Path, work: Path) -> Path:
    """The memory in shards, without codes and with them, in `work`; their files."""
    work.mkdir(parents=True, exist_ok=True)
    for name, memory in (("off", without_codes(load(path))), ("on", load(path))):
        if not index_of(work / f"{name}.safetensors").exists():
            write_shards(memory, work / f"{name}.safetensors", SHARDS)
    return work


@contextmanager
def workers(indices: list[Index], work: Path, count: int = WORKERS, *, own: bool = True) -> Iterator[Any]:
    """A client of workers with one thread each; with `own`, each sees its own shards only, those of number k, k + count, ..."""
    import dask
    from distributed import Client, Nanny, Scheduler, SpecCluster

    dask.config.set({"distributed.deploy.lost-worker-timeout": "10 minutes"})  # what is killed here comes again, however busy it is
    specs: dict[int, Any] = {}
    for worker in range(count):
        folder = work / f"disk{worker}-of-{count}"
        folder.mkdir(exist_ok=True)
        for index in indices if own else []:
            for number in range(worker, len(index.shards), count):
                target = folder / index.shards[number].file
                if not target.exists():
                    os.link(index.place(number), target)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        options = {
            "nthreads": 1,
            "memory_limit": None,
            "silence_logs": 50,
            "env": {**threads, **({FOLDER: str(folder)} if own else {})},
        }
        specs[worker] = {"cls": Nanny, "options": options}
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "port": 0}}
    with (
        SpecCluster(workers=specs, scheduler=scheduler, silence_logs=50) as cluster,
        Client(cluster, direct_to_workers=True, set_as_default=False) as client,
    ):
        client.wait_for_workers(count, timeout=120)
        yield client


def anonymous() -> int:
    """Bytes of anonymous resident memory of this process."""
    found = re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text(encoding="ascii"))
    return 1024 * int(found[1]) if found else 0


def damaged(memory: Memory, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` damaged copies and the rows of their memories."""
    rows = np.sort(np.random.default_rng(1).choice(len(memory), count, replace=False))
    parts = np.array_split(rows, len(DAMAGES))
    copies = [
        parse(label)(unit_rows(memory.patterns[part]), memory.spec, 0).patterns for label, part in zip(DAMAGES, parts, strict=True)
    ]
    return np.concatenate(copies), rows


def answers(retriever: Retriever, queries: np.ndarray, visible: np.ndarray | None = None) -> list[Answer]:
    """The answers, some at a time."""
    return [
        retriever.retrieve(queries[part], None if visible is None else visible[part]) for part in chunks(len(queries), TOGETHER)
    ]


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
                before = traffic.sent, traffic.received
                others = answers(Retriever(off, settings, asker=asker(off, indices[0])), queries[some], mask)
                compare(f"{name}, {place}", ones, others)
                if place == "two workers":
                    sent, received = (now - then for now, then in zip((traffic.sent, traffic.received), before, strict=True))
                    asked = len(queries[some])
                    print(
                        f"  {name}: {sent / asked / 1e3:.0f} kB a query sent, {received / asked / 1e3:.0f} kB received", flush=True
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


def faults(path: Path, work: Path, rounds: int) -> None:
    """A worker that is killed during a batch: the other finishes it, the same answer; the one that comes in its place is used."""
    cut(path, work)
    off, index = load(work / "off.safetensors"), read_index(index_of(work / "off.safetensors"))
    queries, _ = damaged(off, 10)
    alone = answers(Retriever(off), queries)
    rng = np.random.default_rng(0)
    right = used = 0
    with workers([index], work, own=False) as client:
        retriever = Retriever(off, asker=on_cluster(client, index, "cpu", Traffic()))
        started = time.perf_counter()
        answers(retriever, queries)
        lasts = time.perf_counter() - started
        for _ in range(rounds):
            client.wait_for_workers(WORKERS, timeout=120)
            process = list(client.run(os.getpid).values())[int(rng.integers(WORKERS))]
            killer = threading.Timer(float(rng.uniform(0.05, 0.9)) * lasts, os.kill, (process, signal.SIGKILL))
            killer.start()
            found = answers(retriever, queries)
            killer.join()
            right += all(
                np.array_equal(a.rows, b.rows) and np.array_equal(a.weights, b.weights) for a, b in zip(alone, found, strict=True)
            )
            client.wait_for_workers(WORKERS, timeout=120)
            answers(retriever, queries)
            held = client.run(_ready)
            used += len(held) == WORKERS and all(held.values())
    promise("a worker killed during a batch: finished by the other, the same answer", right, right == rounds, f"of {rounds}")
    promise("the worker that comes in its place is used", used, used == rounds, f"of {rounds}")


def _ready() -> int:
    from uhop_cli.cluster import worker

    return len(worker._ready)


def cost(path: Path, work: Path, count: int) -> None:
    """Seconds of a batch on one worker and on two, with one BLAS thread each; and of one query over the slowest shard."""
    cut(path, work)
    off, index = load(work / "off.safetensors"), read_index(index_of(work / "off.safetensors"))
    queries, _ = damaged(off, count)
    seconds: dict[int, float] = {}
    share_cores(1)
    for number in (1, 2):
        with workers([index], work, number) as client:
            retriever = Retriever(off, asker=on_cluster(client, index, "cpu", Traffic()))
            retriever.retrieve(queries[:1])  # opens the shards
            seconds[number] = best_of(2, answers, retriever, queries)
            if number == WORKERS:
                strategy: Any = retriever.strategy
                query = best_of(9, retriever.retrieve, queries[:1])
                first = best_of(9, strategy.shards.all, "propose", queries[:1], None)
    ratio = seconds[2] / seconds[1]
    promise("a batch on two workers", ratio, ratio <= 0.75, f"of one worker's {seconds[1]:.1f} s for {count} queries; 0.75")
    over = 1e3 * (query - first)
    promise("one query over its first pass", over, over <= 30, f"ms, of {1e3 * query:.0f} ms; 30")


def stored(path: Path, work: Path, count: int) -> None:
    """Pictures stored on two workers: the bytes of a store without, also where a worker is killed meanwhile."""
    memory, folder, rounds = load(path), work / "pictures", 20
    folder.mkdir(parents=True, exist_ok=True)
    for row in range(min(count, len(memory))):
        if not (folder / f"{row}.png").exists():
            PIL.Image.fromarray(memory.patterns[row]).save(folder / f"{row}.png")
    settings = StoreSettings(size=16, local="off", self_test="off")

    def made(name: str, crew: Any = None) -> dict[str, bytes]:
        (work / name).mkdir(exist_ok=True)
        store([folder], work / name / "m.safetensors", settings, shards=SHARDS, crew=crew, force=True)
        found = {file.name.replace("m.2-", "m-"): file.read_bytes() for file in (work / name).glob("m*-of-*")}
        return found

    here, rng = made("here"), np.random.default_rng(0)
    share_cores(1)
    with workers([], work, own=False) as client:
        started = time.perf_counter()
        there = made("there", Tasks(client))
        lasts = time.perf_counter() - started
        equal = sum(there[name] == data for name, data in here.items())
        promise("shards with the bytes of a store without a cluster", equal, equal == SHARDS, f"of {SHARDS}")
        right = 0
        for _ in range(rounds):
            client.wait_for_workers(WORKERS, timeout=600)
            process = list(client.run(os.getpid).values())[int(rng.integers(WORKERS))]
            killer = threading.Timer(float(rng.uniform(0.05, 0.9)) * lasts, os.kill, (process, signal.SIGKILL))
            killer.start()
            right += made("there", Tasks(client)) == here
            killer.join()
    promise("a worker killed during a store: finished by the other, the same bytes", right, right == rounds, f"of {rounds}")


def best_of(rounds: int, work: Callable[..., Any], *arguments: Any) -> float:
    """The shortest of some times."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work(*arguments)
        times.append(time.perf_counter() - started)
    return min(times)


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
