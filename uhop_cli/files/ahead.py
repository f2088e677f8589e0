"""Files read ahead: the next ones by other threads, while something is made of those before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Ahead(Generic[Item, Result]):
    """Reads items, a few at a time, with the threads of a pool.

    On leaving its context, whether all is done or somebody pressed Ctrl-C, what has not begun to be read is not read any more: a
    disk may be slow, and a pool waits for its threads.

    Args:
        read: an item.
        pool: whose threads read.
    """

    def __init__(self, read: Callable[[Item], Result], pool: Executor) -> None:
        self._read, self._pool = read, pool
        self._begun: list[Future[list[Result]]] = []
        self._stopped = False

    def __enter__(self) -> Ahead[Item, Result]:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped = True
        for part in self._begun:
            part.cancel()

    def begin(self, items: Sequence[Item], run: int) -> None:
        """Has the pool read these items, `run` of them by a thread at a time."""
        self._begun = [self._pool.submit(self._run, items[start : start + run]) for start in range(0, len(items), run)]

    def results(self) -> list[Result]:
        """What became of the items that were begun last, in their order; waits for it."""
        return [result for part in self._begun for result in part.result()]

    def _run(self, items: Sequence[Item]) -> list[Result]:
        return [self._read(item) for item in items if not self._stopped]
