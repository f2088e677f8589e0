"""Workers that are killed during a batch or a store, workers that come, and spoiled shards."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from cluster_setup import SHARDS, WORKERS, answers, cut, damaged, workers
from promises import promise

from uhop_cli.arrays.threads import share_cores
from uhop_cli.cluster.shards import Traffic, on_cluster
from uhop_cli.cluster.tasks import Tasks
from uhop_cli.errors import UhopError
from uhop_cli.memory.file.index import index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.retriever import Retriever
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store


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
            process = list(client.run(os.getpid).values())[int(rng.integers(WORKERS))]
            killer = threading.Timer(float(rng.uniform(0.05, 0.9)) * lasts, os.kill, (process, signal.SIGKILL))
            killer.start()
            found = answers(retriever, queries)
            killer.join()
            right += are_equal(alone, found)
            wait_for_all(client, process)
            found = answers(retriever, queries)
            used += are_equal(alone, found) and all(client.run(_ready).values())
    promise("a worker killed during a batch: finished by the other, the same answer", right, right == rounds, f"of {rounds}")
    promise("the worker that comes in its place is used", used, used == rounds, f"of {rounds}")
    spoiled(work)


def are_equal(ones: list[Answer], others: list[Answer]) -> bool:
    """Whether rows and weights are the same, bit for bit."""
    pairs = zip(ones, others, strict=True)
    return all(np.array_equal(one.rows, other.rows) and np.array_equal(one.weights, other.weights) for one, other in pairs)


def wait_for_all(client: Any, killed: int) -> None:
    """Until there are as many workers as before, and the killed process is none of them."""
    while len(found := client.run(os.getpid, on_error="ignore")) < WORKERS or killed in found.values():
        time.sleep(0.1)


def _ready() -> int:
    from uhop_cli.cluster import worker

    return len(worker._ready)


def spoiled(work: Path) -> None:
    """A shard that is missing, cut short or another one is named: where the workers are asked first, and from then on."""
    whole, folder = read_index(index_of(work / "off.safetensors")), work / "spoiled"
    ways: dict[str, Callable[[Path], object]] = {
        "missing": Path.unlink,
        "cut short": lambda place: place.write_bytes(place.read_bytes()[:-1]),
        "another one": lambda place: place.write_bytes(whole.place(1).read_bytes()),
    }
    named = 0
    for way, spoil in ways.items():
        for first in (True, False):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for number in range(SHARDS):
                shutil.copy(whole.place(number), folder)
            shutil.copy(whole.path, folder)
            index = read_index(folder / whole.path.name)
            memory, queries = load(index.path), damaged(load(index.path), 5)[0]
            with workers([index], work, own=False) as client:
                asker = on_cluster(client, index, "cpu", Traffic())
                retriever = None if first else Retriever(memory, asker=asker)
                spoil(index.place(2))
                try:
                    (retriever or Retriever(memory, asker=asker)).retrieve(queries)
                    said = "nothing"
                except UhopError as error:
                    said = error.message
            named += said.startswith(index.shards[2].file)
            print(f"  {way}, {'before' if first else 'after'} the workers have said what they see: {said}", flush=True)
    promise("a spoiled shard is named", named, named == 2 * len(ways), f"of {2 * len(ways)}")


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
            process = list(client.run(os.getpid).values())[int(rng.integers(WORKERS))]
            killer = threading.Timer(float(rng.uniform(0.05, 0.9)) * lasts, os.kill, (process, signal.SIGKILL))
            killer.start()
            right += made("there", Tasks(client)) == here
            killer.join()
            wait_for_all(client, process)
    promise("a worker killed during a store: finished by the other, the same bytes", right, right == rounds, f"of {rounds}")
