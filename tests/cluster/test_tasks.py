"""Pieces of work on a cluster, of which a stand-in runs every one at once: order, errors, and when nobody is there any more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from uhop_cli.arrays import threads
from uhop_cli.cluster import tasks
from uhop_cli.cluster.tasks import in_order
from uhop_cli.errors import ClusterError, DatasetError


class KilledWorker(Exception):
    """What Dask says of a task that has ended several workers."""


class Future:
    def __init__(self, client: Client, work: Any) -> None:
        self.client, self.work, self.cancelled = client, work, False

    def add_done_callback(self, told: Any) -> None:
        told(self)

    def result(self, timeout: float) -> Any:
        if self.client.waits:
            self.client.waits -= 1
            raise TimeoutError
        if isinstance(self.work, Exception):
            raise self.work
        return self.work()

    def cancel(self) -> None:
        self.cancelled = True


class Client:
    """Two workers; `waits`: how often a result is not there yet; `raises`: what a task ends with."""

    def __init__(self, waits: int = 0, raises: Exception | None = None) -> None:
        self.waits, self.raises, self.status = waits, raises, "running"
        self.workers = {"a": 3, "b": 2}
        self.futures: list[Future] = []

    def nthreads(self) -> dict[str, int]:
        return self.workers

    def submit(self, function: Any, *arguments: Any, pure: bool) -> Future:
        assert not pure
        self.futures.append(Future(self, self.raises or (lambda: function(*arguments))))
        return self.futures[-1]


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(threads, "_shared", [])
    monkeypatch.setattr(tasks, "LOST", 0.0)
    return


def _square(number: int) -> int:
    assert threads.cores() == 2  # the share of the worker that has fewest
    return number * number


def test_results_come_in_order_however_long_they_take() -> None:
    client = Client(waits=5)
    assert list(in_order(client, _square, [3, 1, 2])) == [9, 1, 4]


@pytest.mark.parametrize("error", [DatasetError("not there", "put it there"), ZeroDivisionError("1 / 0")])
def test_an_error_of_the_work_is_passed_on(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        list(in_order(Client(raises=error), _square, [1]))


def test_work_that_ends_every_worker_is_told() -> None:
    with pytest.raises(ClusterError, match="has ended every worker"):
        list(in_order(Client(raises=KilledWorker()), _square, [1]))


@pytest.mark.parametrize(("status", "workers", "said"), [("closed", True, "scheduler"), ("running", False, "all workers")])
def test_nobody_there(status: str, workers: bool, said: str) -> None:
    client = Client(waits=1)
    results = in_order(client, _square, [1, 2])
    assert next(results) == 1
    client.waits, client.status = 1, status
    client.workers = client.workers if workers else {}
    with pytest.raises(ClusterError, match=said) as caught:
        next(results)
    assert "--resume" in (caught.value.hint or "")
