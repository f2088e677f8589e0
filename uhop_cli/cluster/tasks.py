"""Pieces of work that need nothing of each other, done by the workers of a cluster; Dask gives what a lost one had to another."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from uhop_cli.arrays.threads import share_cores
from uhop_cli.cluster.connection import workers_of
from uhop_cli.errors import ClusterError, UhopError

Item = TypeVar("Item")
Result = TypeVar("Result")

LOOK = 1.0  # seconds after which it is looked whether there is anybody who could answer
FETCHED = 30.0  # seconds for a result that is there to come over the wire
NOT_YET = (TimeoutError, UnboundLocalError)  # the second is what distributed makes of a wait that ends just as the result comes
AHEAD = 4  # pieces in flight for each thread of a worker: enough to keep all busy
LOST = 60  # seconds in which a worker has to come where there is none


class Tasks:
    """The workers of a cluster as a crew (`storing.passes.Crew`).

    Args:
        client: of the cluster.
    """

    def __init__(self, client: Any) -> None:
        self._client = client

    def map(self, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        """See `in_order`."""
        return in_order(self._client, function, items)


def in_order(client: Any, function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What `function` makes of each item, in their order; some are in flight at a time, and no more are made before their turn.

    Raises:
        ClusterError: the scheduler or all workers are gone, or a piece of work ends whoever takes it.
    """
    threads = list(workers_of(client).values())
    fewest, ahead = min(threads, default=1), AHEAD * max(1, sum(threads))
    waiting: deque[Any] = deque()
    try:
        for item in items:
            future = client.submit(_done, function, item, fewest, pure=False)
            waiting.append((future, done(future)))
            if len(waiting) > ahead:
                yield _result(client, *waiting[0])
                waiting.popleft()
        while waiting:
            yield _result(client, *waiting[0])
            waiting.popleft()
    finally:
        for future, _ in waiting:
            future.cancel()


def done(future: Any) -> threading.Event:
    """What is set when a future is done. To give up waiting for it leaves no traces on the terminal, as giving up a result does."""
    event = threading.Event()
    future.add_done_callback(lambda _: event.set())
    return event


def _done(function: Callable[[Item], Result], item: Item, threads: int) -> Result:
    share_cores(threads)
    return function(item)


def _result(client: Any, future: Any, is_done: threading.Event) -> Any:
    alone = None
    while True:
        try:
            if not is_done.wait(LOOK):
                raise TimeoutError
            return future.result(timeout=FETCHED)
        except NOT_YET:
            if client.status == "running" and workers_of(client):
                alone = None
                continue
            alone = alone or time.monotonic()
            if client.status == "running" and time.monotonic() - alone < LOST:
                continue
            who = "the scheduler of the cluster is" if client.status != "running" else "all workers of the cluster are"
            raise ClusterError(f"{who} gone", "start it again; --resume goes on with what is in --out") from None
        except UhopError:
            raise
        except Exception as error:
            if type(error).__name__ == "KilledWorker":
                raise ClusterError("a piece of work has ended every worker that took it", "give workers more memory") from None
            raise
