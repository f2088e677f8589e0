"""Workers that are lost, come back, have no uhop or another version, or do not answer; and a scheduler that is gone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from uhop_cli.cluster import shards as shards_module
from uhop_cli.errors import ClusterError

pytestmark = pytest.mark.usefixtures("at_once")
EVERYTHING = list(range(4))


def _rows(answers: list[Any]) -> list[Any]:
    return [answer.rows.tolist() for answer in answers]


@pytest.mark.parametrize("late", [0, 3])
@pytest.mark.parametrize("how", [TimeoutError, UnboundLocalError, OSError, RuntimeError])
@pytest.mark.parametrize("worker", ["a", "b"])
def test_what_is_lost_with_a_worker_is_done_by_the_other(
    cluster: Any, worker: str, how: type[Exception], late: int, monkeypatch: pytest.MonkeyPatch, shards_on: Any, three: np.ndarray
) -> None:
    monkeypatch.setattr(shards_module, "LOST", 60.0)
    client = cluster({"a": EVERYTHING, "b": EVERYTHING})
    shards, asked = shards_on(client), three
    whole = _rows(shards.all("propose", asked, None))
    client.loses = {worker: how}
    client.late = late if how is OSError else 0
    assert _rows(shards.all("propose", asked, None)) == whole
    assert worker not in client.processes
    client.workers_asked()
    assert _rows(shards.all("propose", asked, None)) == whole
    assert client.workers_asked() == {"a", "b"} - {worker}


def test_a_worker_that_comes_in_the_place_of_one_is_used(cluster: Any, shards_on: Any, three: np.ndarray) -> None:
    """Under the same address too, where the scheduler may have missed neither."""
    client, asked = cluster({"a": EVERYTHING, "b": EVERYTHING}), three
    shards = shards_on(client)
    whole = _rows(shards.all("propose", asked, None))
    client.come("b", EVERYTHING)
    assert _rows(shards.all("propose", asked, None)) == whole
    assert client.workers_asked() == {"a", "b"}


def test_who_comes_and_goes_again_at_once_is_not_missed(
    cluster: Any, monkeypatch: pytest.MonkeyPatch, shards_on: Any, three: np.ndarray
) -> None:
    client = cluster({"a": EVERYTHING})
    shards = shards_on(client)
    client.come("b", EVERYTHING)
    client.hangs = True

    def gone() -> dict[str, int]:
        told = dict.fromkeys(client.processes, 1)
        client.processes.pop("b", None)
        return told

    monkeypatch.setattr(client, "nthreads", gone)
    assert len(shards.all("propose", three, None)) == 4
    assert client.workers_asked() == {"a"}


def test_a_worker_that_does_not_answer_though_it_is_there_is_named(cluster: Any, shards_on: Any, three: np.ndarray) -> None:
    client = cluster({"a": EVERYTHING})
    shards = shards_on(client)
    client.loses, client.late = {"a": OSError}, 10**9
    with pytest.raises(ClusterError, match="worker a does not answer, though the scheduler has it"):
        shards.all("propose", three, None)


def test_a_worker_without_uhop_is_named(cluster: Any, shards_on: Any) -> None:
    client = cluster({"a": EVERYTHING})
    client.fails = ModuleNotFoundError("No module named 'uhop_cli'\nmore")
    with pytest.raises(ClusterError, match=r"worker a does not run this uhop: No module named 'uhop_cli'$") as caught:
        shards_on(client)
    assert "install the same version" in (caught.value.hint or "")


def test_all_workers_gone(cluster: Any, shards_on: Any, three: np.ndarray) -> None:
    client = cluster({"a": EVERYTHING})
    shards = shards_on(client)
    client.loses = {"a": OSError}
    with pytest.raises(ClusterError, match="all workers of the cluster are gone"):
        shards.all("propose", three, None)


def test_the_scheduler_gone(cluster: Any, shards_on: Any, three: np.ndarray) -> None:
    client = cluster({"a": EVERYTHING})
    shards = shards_on(client)
    client.status = "closed"
    with pytest.raises(ClusterError, match="the scheduler of the cluster is gone") as caught:
        shards.all("propose", three, None)
    assert "once more" in (caught.value.hint or "")


def test_another_version_on_a_worker_is_refused(cluster: Any, shards_on: Any) -> None:
    client = cluster({"a": EVERYTHING})
    client.version = "0.0.1"
    with pytest.raises(ClusterError, match=r"worker a has uhop 0\.0\.1"):
        shards_on(client)
