"""Shards on workers: who is asked, and what happens when workers are lost, come, see nothing, or the scheduler goes.

The cluster here is a stand-in that runs every task at once, in this process; its workers are lost and come when a test says so.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from uhop_cli.arrays import threads
from uhop_cli.arrays.device import CPU
from uhop_cli.cluster import shards as shards_module
from uhop_cli.cluster import worker as worker_module
from uhop_cli.cluster.shards import ShardsOnWorkers, Traffic, dealt, on_cluster
from uhop_cli.errors import ClusterError, MemoryFileError
from uhop_cli.memory.file.index import Index, index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.shard_writer import write_shards
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.asking import InTurn


class KilledWorker(Exception):
    """What Dask says when a worker is lost too often."""


class Future:
    """A task that has run, or was lost with its worker."""

    def __init__(self, run: Callable[[], bytes], lost: type[Exception] | None) -> None:
        self.run, self.lost = run, lost

    def result(self, timeout: float) -> bytes:
        if self.lost is not None:
            raise self.lost
        return self.run()

    def add_done_callback(self, told: Callable[[Any], None]) -> None:
        if self.lost is not TimeoutError:
            told(self)

    def cancel(self) -> None:
        assert self.lost is not None


class Cluster:
    """Workers by name, the shards that each sees, and what was asked of whom."""

    def __init__(self, sees: dict[str, list[int]]) -> None:
        self.sees, self.status = sees, "running"
        self.asked: list[tuple[str, str]] = []
        self.loses: dict[str, type[Exception]] = {}  # workers that are lost with the next question, and how that is told
        self.version = worker_module.__version__

    def scheduler_info(self) -> dict[str, Any]:
        return {"workers": {name: {"nthreads": 1} for name in self.sees}}

    def run(self, function: Any, path: str, places: Any, count: int, *, workers: list[str], on_error: str) -> dict[str, Any]:
        assert function is worker_module.held
        _, seen = function(path, places, count)
        return {name: (self.version, [there and n in self.sees[name] for n, there in enumerate(seen)]) for name in workers}

    def submit(self, function: Any, *arguments: Any, workers: list[str], pure: bool) -> Future:
        (worker,) = workers
        self.asked.append((worker, arguments[0].place.file))
        lost = self.loses.pop(worker, None)
        if lost is not None:
            self.sees.pop(worker)
        assert not pure
        return Future(lambda: function(*pickle.loads(pickle.dumps(arguments))), lost)

    def workers_asked(self) -> set[str]:
        asked = {worker for worker, _ in self.asked}
        self.asked.clear()
        return asked


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "_shared", [])
    monkeypatch.setattr(shards_module, "LOOK", 0.0)
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


@pytest.mark.parametrize("how", [TimeoutError, UnboundLocalError, KilledWorker])
@pytest.mark.parametrize("worker", ["a", "b"])
def test_what_is_lost_with_a_worker_is_done_by_the_other(index: Index, memory: Memory, worker: str, how: type[Exception]) -> None:
    client = Cluster({"a": EVERYTHING, "b": EVERYTHING})
    shards, asked = _asked(client, index, memory), _queries(memory)
    whole = _rows(shards.all("propose", asked, None))
    client.loses = {worker: how}
    assert _rows(shards.all("propose", asked, None)) == whole
    assert worker not in client.sees
    client.workers_asked()
    assert _rows(shards.all("propose", asked, None)) == whole
    assert client.workers_asked() == {"a", "b"} - {worker}


def test_a_worker_that_comes_is_used(index: Index, memory: Memory) -> None:
    client = Cluster({"a": EVERYTHING})
    shards = _asked(client, index, memory)
    shards.all("propose", _queries(memory), None)
    assert client.workers_asked() == {"a"}
    client.sees["b"] = [3]
    shards.all("propose", _queries(memory), None)
    assert {file for worker, file in client.asked if worker == "b"} == {index.shards[3].file}


def test_an_error_of_the_work_is_no_loss(index: Index, memory: Memory) -> None:
    shards = _asked(Cluster({"a": EVERYTHING}), index, memory)
    with pytest.raises(AttributeError, match="no_such_method"):
        shards.all("no_such_method")


def test_a_shard_that_goes_missing_meanwhile_is_named(index: Index, memory: Memory) -> None:
    shards = _asked(Cluster({"a": EVERYTHING}), index, memory)
    index.place(2).unlink()
    with pytest.raises(MemoryFileError, match=rf"{index.shards[2].file}: shard 1 of 1|{index.shards[2].file}: shard 3 of 4"):
        shards.all("propose", _queries(memory), None)


def test_a_shard_that_no_worker_sees_is_named(index: Index, memory: Memory) -> None:
    with pytest.raises(ClusterError, match=rf"{index.shards[2].file}: shard 3 of 4 .*: no worker can open it"):
        _asked(Cluster({"a": [0, 1], "b": [3]}), index, memory)


def test_all_workers_gone(index: Index, memory: Memory) -> None:
    client = Cluster({"a": EVERYTHING})
    shards = _asked(client, index, memory)
    client.loses = {"a": TimeoutError}
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
    assert worker_module.held(str(index.path), index.shards, 1)[1] == [False, True, False, False]
    wanted = worker_module.Wanted(str(index.path), index.shards[1], 2, RetrievalSettings(), "cpu", True)
    found = pickle.loads(worker_module.answer(wanted, "propose", pickle.dumps((_queries(memory), None))))
    assert set(found.rows.ravel()) == {2, 3}


def test_a_worker_takes_its_share_of_the_cores(index: Index) -> None:
    worker_module.held(str(index.path), index.shards, 3)
    assert threads.cores() == 3


def test_few_shards_are_kept_ready(index: Index, memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "MOST_READY", 2)
    _asked(Cluster({"a": EVERYTHING}), index, memory).all("propose", _queries(memory), None)
    assert [wanted.place.file for wanted in worker_module._ready] == [place.file for place in index.shards[2:]]


@given(st.data())
def test_dealing(data: st.DataObject) -> None:
    """Each shard has a worker that sees it; where all see all, none has more than its share, and few move."""
    count, people = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 5))
    workers = [f"w{number}" for number in range(people)]
    marks = st.lists(st.lists(st.booleans(), min_size=count, max_size=count), min_size=people, max_size=people)
    sees = data.draw(marks)
    for number in range(count):
        sees[number % people][number] = True
    before: list[str | None] = data.draw(st.lists(st.sampled_from([None, "gone", *workers]), min_size=count, max_size=count))
    for number, worker in enumerate(dealt(sees, workers, before)):
        assert sees[workers.index(str(worker))][number]
    after = dealt([[True] * count] * people, workers, before)
    load = [after.count(worker) for worker in workers]
    assert max(load) <= -(-count // people)
    assert dealt([[True] * count] * people, workers, after) == after
