"""Shards on workers: who is asked about what, who gets which shards, and what is said of shards that nobody sees."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays import threads
from uhop_cli.arrays.device import CPU
from uhop_cli.cluster import shards as shards_module
from uhop_cli.cluster import worker as worker_module
from uhop_cli.cluster.contact import LostError
from uhop_cli.cluster.shards import Traffic, on_cluster
from uhop_cli.errors import ClusterError, MemoryFileError
from uhop_cli.memory.file.index import Index
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.asking import InTurn
from uhop_cli.querying.shards.messages import Asked

pytestmark = pytest.mark.usefixtures("at_once")
EVERYTHING = list(range(4))


def _rows(answers: list[Any]) -> list[Any]:
    return [answer.rows.tolist() for answer in answers]


def test_workers_answer_as_the_shards_one_after_the_other(cluster: Any, memory: Memory, shards_on: Any, three: np.ndarray) -> None:
    asked, traffic = three, Traffic()
    found = shards_on(cluster({"a": EVERYTHING, "b": EVERYTHING}), traffic).all("propose", asked, None)
    for one, other in zip(found, InTurn(memory, RetrievalSettings(), CPU).all("propose", asked, None), strict=True):
        assert pickle.dumps(one) == pickle.dumps(other)
    assert traffic.sent > 2 * asked.nbytes
    assert traffic.received > 0


def test_a_retriever_asks_them(cluster: Any, index: Index, memory: Memory, three: np.ndarray) -> None:
    client, traffic = cluster({"a": EVERYTHING, "b": EVERYTHING}), Traffic()
    asked = three
    found = Retriever(memory, asker=on_cluster(client, index, "cpu", traffic)).retrieve(asked)
    alone = Retriever(memory).retrieve(asked)
    np.testing.assert_array_equal(found.weights, alone.weights)
    np.testing.assert_array_equal(found.rows, alone.rows)
    assert client.workers_asked() == {"a", "b"}


def test_every_worker_is_asked_about_its_own_shards_only(cluster: Any, index: Index, shards_on: Any, three: np.ndarray) -> None:
    client = cluster({"a": [0, 3], "b": [1, 2]})
    shards_on(client).all("propose", three, None)
    names = [place.file for place in index.shards]
    assert sorted(client.asked) == [("a", names[0]), ("a", names[3]), ("b", names[1]), ("b", names[2])]


def test_a_worker_is_asked_about_all_of_its_shards_at_once(cluster: Any, shards_on: Any, three: np.ndarray) -> None:
    asked, once, twice = np.repeat(three, 20, axis=0), Traffic(), Traffic()
    shards_on(cluster({"a": EVERYTHING}), once).all("propose", asked, None)
    shards_on(cluster({"a": EVERYTHING, "b": EVERYTHING}), twice).all("propose", asked, None)
    assert asked.nbytes < once.sent < 2 * asked.nbytes < twice.sent


def test_pixels_and_statistics_of_proposals_are_counted(cluster: Any, memory: Memory, shards_on: Any, three: np.ndarray) -> None:
    traffic = Traffic()
    shards = shards_on(cluster({"a": EVERYTHING}), traffic)
    parts = shards.all("propose", three, None)
    assert traffic.proposals == 0
    least, before = memory.patterns[:].nbytes, traffic.received
    shards.all("pool", np.arange(len(memory)))
    assert least < traffic.proposals < traffic.received - before
    before = traffic.proposals
    assert shards.all("propose", three, None, True)[0].rows.tolist() == parts[0].rows.tolist()
    assert traffic.proposals == 2 * before  # of so few memories all are proposed


def test_what_a_worker_was_told_with_the_last_question_is_not_sent_again(
    cluster: Any, memory: Memory, shards_on: Any, three: np.ndarray
) -> None:
    client, traffic = cluster({"a": EVERYTHING, "b": EVERYTHING}), Traffic()
    shards, alone = shards_on(client, traffic), InTurn(memory, RetrievalSettings(), CPU)
    asked, same = (Asked(kind="identity", queries=np.repeat(three, 50, axis=0)) for _ in range(2))
    least, sent = np.full(150, -np.inf), []

    def ask(name: str, *arguments: Any) -> None:
        before = traffic.sent
        found = shards.all(name, *arguments)
        sent.append(traffic.sent - before > asked.queries.nbytes)
        for one, other in zip(found, alone.all(name, *arguments), strict=True):
            assert pickle.dumps(one) == pickle.dumps(other)

    ask("attend", asked)
    ask("gather", asked, least)
    ask("attend", asked)
    ask("attend", same)  # as large, and another one
    ask("gather", asked, least)
    ask("propose", three, None)
    ask("gather", asked, least)
    assert sent == [True, False, False, True, True, False, True]


def test_what_a_worker_has_may_be_newer_than_its_last_answer(
    cluster: Any, shards_on: Any, three: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    shards, least = shards_on(cluster({"a": EVERYTHING})), np.full(3, -np.inf)
    asked, other = Asked(kind="identity", queries=three), Asked(kind="identity", queries=three[::-1].copy())
    shards.all("attend", asked)
    whole = [part.picture for part in shards.all("gather", asked, least)]
    contact = shards._contacts["a"]

    def lost() -> bytes:
        contact._call.result(0.0)  # the question has arrived
        raise LostError

    with monkeypatch.context() as patch:
        patch.setattr(contact, "answer", lost)
        with pytest.raises(ClusterError, match="does not answer"):
            shards.all("attend", other)
    for one, same in zip(shards.all("gather", asked, least), whole, strict=True):
        np.testing.assert_array_equal(one.picture, same)


def test_who_takes_over_is_told_everything(cluster: Any, memory: Memory, shards_on: Any, three: np.ndarray) -> None:
    client = cluster({"a": EVERYTHING, "b": EVERYTHING})
    shards, asked = shards_on(client), Asked(kind="identity", queries=three)
    shards.all("attend", asked)
    client.come("c", EVERYTHING)
    client.loses = {"a": OSError}
    found = shards.all("gather", asked, np.full(3, -np.inf))
    alone = InTurn(memory, RetrievalSettings(), CPU).all("gather", asked, np.full(3, -np.inf))
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one.picture, other.picture)
    client.workers_asked()
    shards.all("gather", asked, np.full(3, -np.inf))
    assert client.workers_asked() == {"b", "c"}


def test_a_worker_that_comes_is_used_as_soon_as_it_is_seen(cluster: Any, index: Index, shards_on: Any, three: np.ndarray) -> None:
    """It is looked for while the others are at work on a question."""
    client, asked = cluster({"a": EVERYTHING}), three
    shards = shards_on(client)
    whole = _rows(shards.all("propose", asked, None))
    client.come("b", [3])
    shards.all("propose", asked, None)
    client.asked.clear()
    assert _rows(shards.all("propose", asked, None)) == whole
    assert {file for worker, file in client.asked if worker == "b"} == {index.shards[3].file}
    client.come("c", EVERYTHING)
    shards.all("propose", asked, None)
    client.asked.clear()
    assert _rows(shards.all("propose", asked, None)) == whole
    assert sorted(worker for worker, _ in client.asked) == ["a", "a", "b", "c"]


def test_it_is_not_looked_for_with_every_short_question(
    cluster: Any, shards_on: Any, three: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = cluster({"a": EVERYTHING})
    shards, looks = shards_on(client), []
    there = client.nthreads
    monkeypatch.setattr(client, "nthreads", lambda: looks.append(1) or there())
    monkeypatch.setattr(shards_module, "OFTEN", 1e9)
    shards.all("propose", three, None)
    assert not looks
    monkeypatch.setattr(shards_module, "OFTEN", 0.0)
    shards.all("propose", three, None)
    assert len(looks) == 1


def test_a_shard_whose_worker_is_lost_waits_for_one_to_come(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, shards_on: Any, three: np.ndarray
) -> None:
    monkeypatch.setattr(shards_module, "LOST", 60.0)
    client, asked = cluster({"a": [0, 1], "b": [2, 3]}), three
    shards = shards_on(client)
    whole = _rows(shards.all("propose", asked, None))
    client.loses = {"b": OSError}
    monkeypatch.setattr(shards_module.time, "sleep", lambda _: client.come("c", [2, 3]))
    assert _rows(shards.all("propose", asked, None)) == whole
    assert set(client.processes) == {"a", "c"}


def test_who_asks_does_something_meanwhile_once(
    cluster: Any, shards_on: Any, three: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After all workers were asked; not again where one is asked in the place of another."""
    client = cluster({"a": EVERYTHING, "b": EVERYTHING})
    shards, done = shards_on(client), []
    ask = shards._ask
    monkeypatch.setattr(shards, "_ask", lambda worker, *rest: done.append(worker) or ask(worker, *rest))
    client.loses = {"b": OSError}
    shards.all("propose", three, None, meanwhile=lambda: done.append("meanwhile"))
    assert done == ["a", "b", "meanwhile", "a"]


def test_an_error_of_the_work_is_no_loss(cluster: Any, shards_on: Any) -> None:
    shards = shards_on(cluster({"a": EVERYTHING}))
    with pytest.raises(AttributeError, match="no_such_method"):
        shards.all("no_such_method")


def test_a_shard_that_goes_missing_meanwhile_is_named(cluster: Any, index: Index, shards_on: Any, three: np.ndarray) -> None:
    shards = shards_on(cluster({"a": EVERYTHING}))
    index.place(2).unlink()
    with pytest.raises(
        MemoryFileError, match=rf"{index.shards[2].file}: shard 3 of 4 of m\.safetensors\.index\.json: no such shard"
    ):
        shards.all("propose", three, None)


def test_a_shard_that_no_worker_sees_is_named(cluster: Any, index: Index, shards_on: Any) -> None:
    with pytest.raises(ClusterError, match=rf"{index.shards[2].file}: shard 3 of 4 .*: no worker can open it"):
        shards_on(cluster({"a": [0, 1], "b": [3]}))


def test_a_worker_with_a_disk_of_its_own(index: Index, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, three: np.ndarray) -> None:
    (tmp_path / "own").mkdir()
    index.place(1).rename(tmp_path / "own" / index.shards[1].file)
    monkeypatch.setenv(worker_module.FOLDER, str(tmp_path / "own"))
    desk = worker_module.Desk()
    assert desk.held(str(index.path), index.shards, 1)[1] == [False, True, False, False]
    wanted = worker_module.Wanted(str(index.path), index.shards[1], (2, 4), 2, RetrievalSettings(), "cpu", True)
    (found,) = pickle.loads(desk.ask(pickle.dumps(worker_module.Question((wanted,), "propose", (three, None), False))))
    assert set(found.rows.ravel()) == {2, 3}


def test_a_worker_takes_its_share_of_the_cores(index: Index) -> None:
    worker_module.Desk().held(str(index.path), index.shards, 3)
    assert threads.cores() == 3


def test_few_shards_are_kept_ready(
    cluster: Any, index: Index, monkeypatch: pytest.MonkeyPatch, shards_on: Any, three: np.ndarray
) -> None:
    monkeypatch.setattr(worker_module, "MOST_READY", 2)
    shards_on(cluster({"a": EVERYTHING})).all("propose", three, None)
    assert [wanted.place.file for wanted in worker_module._ready] == [place.file for place in index.shards[2:]]
