"""Shards on workers: who is asked, and what happens when workers are lost, come, see nothing, or the scheduler goes.

The cluster here is a stand-in that runs every task at once, in this process; its workers are lost and come when a test says so.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays import threads
from uhop_cli.arrays.device import CPU
from uhop_cli.cluster import contact
from uhop_cli.cluster import shards as shards_module
from uhop_cli.cluster import worker as worker_module
from uhop_cli.cluster.shards import ShardsOnWorkers, Traffic, on_cluster
from uhop_cli.errors import ClusterError, MemoryFileError
from uhop_cli.memory.file.index import Index, index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.shard_writer import write_shards
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.asking import InTurn


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
        cluster.asked += [(self.worker, wanted.place.file) for wanted in pickle.loads(question)[0]]
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


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "_shared", [])
    for module in (shards_module, contact):
        monkeypatch.setattr(module, "LOOK", 0.0)
    monkeypatch.setattr(shards_module, "BRIEFLY", 0.0)
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


def _asked(client: Any, index: Index, memory: Memory, traffic: Traffic | None = None) -> ShardsOnWorkers:
    return ShardsOnWorkers(client, index, memory, RetrievalSettings(), "cpu", traffic or Traffic())


def _queries(memory: Memory) -> np.ndarray:
    return np.random.default_rng(0).random((3, memory.spec.dim), np.float32)


def _rows(answers: list[Any]) -> list[Any]:
    return [answer.rows.tolist() for answer in answers]


EVERYTHING = list(range(4))


def test_workers_answer_as_the_shards_one_after_the_other(index: Index, memory: Memory) -> None:
    asked, traffic = _queries(memory), Traffic()
    found = _asked(Cluster({"a": EVERYTHING, "b": EVERYTHING}), index, memory, traffic).all("propose", asked, None)
    for one, other in zip(found, InTurn(memory, RetrievalSettings(), CPU).all("propose", asked, None), strict=True):
        assert pickle.dumps(one) == pickle.dumps(other)
    assert traffic.sent > 4 * asked.nbytes
    assert traffic.received > 0


def test_a_retriever_asks_them(index: Index, memory: Memory) -> None:
    client, traffic = Cluster({"a": EVERYTHING, "b": EVERYTHING}), Traffic()
    asked = _queries(memory)
    found = Retriever(memory, asker=on_cluster(client, index, "cpu", traffic)).retrieve(asked)
    alone = Retriever(memory).retrieve(asked)
    np.testing.assert_array_equal(found.weights, alone.weights)
    np.testing.assert_array_equal(found.rows, alone.rows)
    assert client.workers_asked() == {"a", "b"}


def test_every_worker_is_asked_about_its_own_shards_only(index: Index, memory: Memory) -> None:
    client = Cluster({"a": [0, 3], "b": [1, 2]})
    _asked(client, index, memory).all("propose", _queries(memory), None)
    names = [place.file for place in index.shards]
    assert sorted(client.asked) == [("a", names[0]), ("a", names[3]), ("b", names[1]), ("b", names[2])]


def test_a_worker_is_asked_about_all_of_its_shards_at_once(index: Index, memory: Memory) -> None:
    asked, once, twice = np.repeat(_queries(memory), 20, axis=0), Traffic(), Traffic()
    _asked(Cluster({"a": EVERYTHING}), index, memory, once).all("propose", asked, None)
    _asked(Cluster({"a": EVERYTHING, "b": EVERYTHING}), index, memory, twice).all("propose", asked, None)
    assert asked.nbytes < once.sent < 2 * asked.nbytes < twice.sent


def test_pixels_and_statistics_of_proposals_are_counted(index: Index, memory: Memory) -> None:
    traffic = Traffic()
    shards = _asked(Cluster({"a": EVERYTHING}), index, memory, traffic)
    shards.all("propose", _queries(memory), None)
    assert traffic.proposals == 0
    before = traffic.received
    shards.all("pool", np.arange(len(memory)))
    assert traffic.proposals == traffic.received - before > memory.patterns[:].nbytes


@pytest.mark.parametrize("late", [0, 3])
@pytest.mark.parametrize("how", [TimeoutError, UnboundLocalError, OSError, RuntimeError])
@pytest.mark.parametrize("worker", ["a", "b"])
def test_what_is_lost_with_a_worker_is_done_by_the_other(
    index: Index, memory: Memory, worker: str, how: type[Exception], late: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards_module, "LOST", 60.0)
    client = Cluster({"a": EVERYTHING, "b": EVERYTHING})
    shards, asked = _asked(client, index, memory), _queries(memory)
    whole = _rows(shards.all("propose", asked, None))
    client.loses = {worker: how}
    client.late = late if how is OSError else 0
    assert _rows(shards.all("propose", asked, None)) == whole
    assert worker not in client.processes
    client.workers_asked()
    assert _rows(shards.all("propose", asked, None)) == whole
    assert client.workers_asked() == {"a", "b"} - {worker}


def test_a_worker_that_comes_is_used_with_the_next_question(index: Index, memory: Memory) -> None:
    client, asked = Cluster({"a": EVERYTHING}), _queries(memory)
    shards = _asked(client, index, memory)
    whole = _rows(shards.all("propose", asked, None))
    client.come("b", [3])
    client.asked.clear()
    assert _rows(shards.all("propose", asked, None)) == whole
    assert {file for worker, file in client.asked if worker == "b"} == {index.shards[3].file}
    client.come("c", EVERYTHING)
    client.asked.clear()
    assert _rows(shards.all("propose", asked, None)) == whole
    assert sorted(worker for worker, _ in client.asked) == ["a", "a", "b", "c"]


def test_a_worker_that_comes_in_the_place_of_one_is_used(index: Index, memory: Memory) -> None:
    """Under the same address too, where the scheduler may have missed neither."""
    client, asked = Cluster({"a": EVERYTHING, "b": EVERYTHING}), _queries(memory)
    shards = _asked(client, index, memory)
    whole = _rows(shards.all("propose", asked, None))
    client.come("b", EVERYTHING)
    assert _rows(shards.all("propose", asked, None)) == whole
    assert client.workers_asked() == {"a", "b"}


def test_who_comes_and_goes_again_at_once_is_not_missed(index: Index, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Cluster({"a": EVERYTHING})
    shards = _asked(client, index, memory)
    client.come("b", EVERYTHING)
    client.hangs = True

    def gone() -> dict[str, int]:
        told = dict.fromkeys(client.processes, 1)
        client.processes.pop("b", None)
        return told

    monkeypatch.setattr(client, "nthreads", gone)
    assert len(shards.all("propose", _queries(memory), None)) == 4
    assert client.workers_asked() == {"a"}


def test_a_shard_whose_worker_is_lost_waits_for_one_to_come(index: Index, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards_module, "LOST", 60.0)
    client, asked = Cluster({"a": [0, 1], "b": [2, 3]}), _queries(memory)
    shards = _asked(client, index, memory)
    whole = _rows(shards.all("propose", asked, None))
    client.loses = {"b": OSError}
    monkeypatch.setattr(shards_module.time, "sleep", lambda _: client.come("c", [2, 3]))
    assert _rows(shards.all("propose", asked, None)) == whole
    assert set(client.processes) == {"a", "c"}


def test_a_worker_that_does_not_answer_though_it_is_there_is_named(index: Index, memory: Memory) -> None:
    client = Cluster({"a": EVERYTHING})
    shards = _asked(client, index, memory)
    client.loses, client.late = {"a": OSError}, 10**9
    with pytest.raises(ClusterError, match="worker a does not answer, though the scheduler has it"):
        shards.all("propose", _queries(memory), None)


def test_a_worker_without_uhop_is_named(index: Index, memory: Memory) -> None:
    client = Cluster({"a": EVERYTHING})
    client.fails = ModuleNotFoundError("No module named 'uhop_cli'\nmore")
    with pytest.raises(ClusterError, match=r"worker a does not run this uhop: No module named 'uhop_cli'$") as caught:
        _asked(client, index, memory)
    assert "install the same version" in (caught.value.hint or "")


def test_an_error_of_the_work_is_no_loss(index: Index, memory: Memory) -> None:
    shards = _asked(Cluster({"a": EVERYTHING}), index, memory)
    with pytest.raises(AttributeError, match="no_such_method"):
        shards.all("no_such_method")


def test_a_shard_that_goes_missing_meanwhile_is_named(index: Index, memory: Memory) -> None:
    shards = _asked(Cluster({"a": EVERYTHING}), index, memory)
    index.place(2).unlink()
    with pytest.raises(
        MemoryFileError, match=rf"{index.shards[2].file}: shard 3 of 4 of m\.safetensors\.index\.json: no such shard"
    ):
        shards.all("propose", _queries(memory), None)


def test_a_shard_that_no_worker_sees_is_named(index: Index, memory: Memory) -> None:
    with pytest.raises(ClusterError, match=rf"{index.shards[2].file}: shard 3 of 4 .*: no worker can open it"):
        _asked(Cluster({"a": [0, 1], "b": [3]}), index, memory)


def test_all_workers_gone(index: Index, memory: Memory) -> None:
    client = Cluster({"a": EVERYTHING})
    shards = _asked(client, index, memory)
    client.loses = {"a": OSError}
    with pytest.raises(ClusterError, match="all workers of the cluster are gone"):
        shards.all("propose", _queries(memory), None)


def test_the_scheduler_gone(index: Index, memory: Memory) -> None:
    client = Cluster({"a": EVERYTHING})
    shards = _asked(client, index, memory)
    client.status = "closed"
    with pytest.raises(ClusterError, match="the scheduler of the cluster is gone") as caught:
        shards.all("propose", _queries(memory), None)
    assert "once more" in (caught.value.hint or "")


def test_another_version_on_a_worker_is_refused(index: Index, memory: Memory) -> None:
    client = Cluster({"a": EVERYTHING})
    client.version = "0.0.1"
    with pytest.raises(ClusterError, match=r"worker a has uhop 0\.0\.1"):
        _asked(client, index, memory)


def test_a_worker_with_a_disk_of_its_own(index: Index, memory: Memory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own").mkdir()
    index.place(1).rename(tmp_path / "own" / index.shards[1].file)
    monkeypatch.setenv(worker_module.FOLDER, str(tmp_path / "own"))
    desk = worker_module.Desk()
    assert desk.held(str(index.path), index.shards, 1)[1] == [False, True, False, False]
    wanted = worker_module.Wanted(str(index.path), index.shards[1], (2, 4), 2, RetrievalSettings(), "cpu", True)
    (found,) = pickle.loads(desk.ask(pickle.dumps(([wanted], "propose", (_queries(memory), None)))))
    assert set(found.rows.ravel()) == {2, 3}


def test_a_worker_takes_its_share_of_the_cores(index: Index) -> None:
    worker_module.Desk().held(str(index.path), index.shards, 3)
    assert threads.cores() == 3


def test_few_shards_are_kept_ready(index: Index, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MOST_READY", 2)
    _asked(Cluster({"a": EVERYTHING}), index, memory).all("propose", _queries(memory), None)
    assert [wanted.place.file for wanted in worker_module._ready] == [place.file for place in index.shards[2:]]
