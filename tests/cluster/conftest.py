"""A stand-in for a cluster, which does in this process and at once what its workers are asked for; a memory in four shards."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays import threads
from uhop_cli.cluster import contact
from uhop_cli.cluster import shards as shards_module
from uhop_cli.cluster import worker as worker_module
from uhop_cli.cluster.shards import ShardsOnWorkers, Traffic
from uhop_cli.memory.file.index import Index, index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.shard_writer import write_shards
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.settings import RetrievalSettings


class Call:
    """What a method of an actor returns, or how it is told that its worker is lost."""

    def __init__(self, run: Callable[[], Any], lost: type[Exception] | None = None) -> None:
        self.run, self.lost = run, lost

    def result(self, timeout: float) -> Any:
        if self.lost is not None:
            raise self.lost
        return self.run()


class Actor:
    """An actor on a worker, and its future: finished, as Dask says, as long as the scheduler takes its process for alive."""

    def __init__(self, cluster: Cluster, worker: str) -> None:
        self.cluster, self.worker, self.desk = cluster, worker, worker_module.Desk()
        self.process = cluster.processes.get(worker)

    @property
    def status(self) -> str:
        return "finished" if self.cluster.processes.get(self.worker) is self.process else "error"

    def add_done_callback(self, told: Callable[[Any], None]) -> None:
        if not self.cluster.hangs:
            told(self)

    def exception(self) -> Exception | None:
        return self.cluster.fails

    def result(self) -> Actor:
        return self

    def held(self, *arguments: Any) -> Call:
        version, seen = self.desk.held(*arguments)
        told = self.cluster.version or version, [there and n in self.cluster.sees[self.worker] for n, there in enumerate(seen)]
        return Call(lambda: told)

    def ask(self, question: bytes) -> Call:
        cluster = self.cluster
        assert cluster.is_current, "an actor finds its client by that"
        if self.status != "finished":
            raise RuntimeError("Worker holding Actor was lost")
        cluster.asked += [(self.worker, wanted.place.file) for wanted in pickle.loads(question).wanted]
        how = cluster.loses.pop(self.worker, None)
        if how is not None:
            cluster.lose(self.worker)
        elif self.worker in cluster.silent:
            how = OSError
            cluster.silent[self.worker] -= 1
            if not cluster.silent[self.worker]:
                del cluster.processes[self.worker]
        return Call(lambda: self.desk.ask(question), how)


class Cluster:
    """Workers by name, the shards that each sees, and what was asked of whom."""

    def __init__(self, sees: dict[str, list[int]]) -> None:
        self.sees, self.status, self.is_current = sees, "running", False
        self.processes = {worker: object() for worker in sees}  # as the scheduler knows them
        self.asked: list[tuple[str, str]] = []
        self.loses: dict[str, type[Exception]] = {}  # workers that are lost with the next question, and how that is told
        self.late = 0  # questions that a lost worker does not answer before the scheduler misses it
        self.silent: dict[str, int] = {}  # how many there are left
        self.hangs = False  # whether no actor is ever made
        self.fails: Exception | None = None  # what making one ends with
        self.version = ""  # of uhop, where it is another one

    def come(self, worker: str, sees: list[int]) -> None:
        self.sees[worker], self.processes[worker] = sees, object()

    def lose(self, worker: str) -> None:
        if self.late:
            self.silent[worker] = self.late
        else:
            del self.processes[worker]

    def nthreads(self) -> dict[str, int]:
        return dict.fromkeys(self.processes, 1)

    @contextmanager
    def as_current(self) -> Iterator[None]:
        self.is_current = True
        yield
        self.is_current = False

    def submit(self, function: Any, *, workers: list[str], actor: bool, pure: bool) -> Actor:
        assert (function, actor, pure) == (worker_module.Desk, True, False)
        return Actor(self, *workers)

    def workers_asked(self) -> set[str]:
        asked = {worker for worker, _ in self.asked}
        self.asked.clear()
        return asked


@pytest.fixture
def cluster() -> type[Cluster]:
    """The stand-in; its workers are lost and come when a test says so."""
    return Cluster


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nobody waits, and workers have nothing ready."""
    monkeypatch.setattr(threads, "_shared", [])
    for module in (shards_module, contact):
        monkeypatch.setattr(module, "LOOK", 0.0)
    for name in ("BRIEFLY", "OFTEN"):
        monkeypatch.setattr(shards_module, name, 0.0)
    monkeypatch.setattr(shards_module, "LOST", 0.0)
    worker_module._ready.clear()
    yield
    worker_module._ready.clear()


@pytest.fixture
def index(tmp_path: Path, make_memory: Any) -> Index:
    write_shards(make_memory(patterns=9, files=9, features=3), tmp_path / "m.safetensors", 4)
    return read_index(index_of(tmp_path / "m.safetensors"))


@pytest.fixture
def memory(index: Index) -> Memory:
    return load(index.path)


@pytest.fixture
def shards_on(index: Index, memory: Memory) -> Callable[..., ShardsOnWorkers]:
    """Those of the memory, on the workers of a client."""

    def made(client: Any, traffic: Traffic | None = None) -> ShardsOnWorkers:
        return ShardsOnWorkers(client, index, memory, RetrievalSettings(), "cpu", traffic or Traffic())

    return made


@pytest.fixture
def three(memory: Memory) -> np.ndarray:
    """Queries."""
    return np.random.default_rng(0).random((3, memory.spec.dim), np.float32)
