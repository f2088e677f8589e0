"""The shards of a memory, asked on the workers that see them.

Every shard has a worker that keeps it ready, and a worker is asked about all of its shards at once. While workers are at a question
it is looked who is there: where some have come or gone the shards are dealt anew before the next one. What is lost with its worker
is asked of another one, and as the answer depends on nothing but shard and question, it is the same.
"""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from uhop_cli.arrays.device import Device
from uhop_cli.cluster.connection import workers_of
from uhop_cli.cluster.contact import Contact, LostError
from uhop_cli.cluster.dealing import dealt
from uhop_cli.cluster.tasks import LOOK
from uhop_cli.cluster.worker import Question, Wanted
from uhop_cli.errors import ClusterError
from uhop_cli.files.names import escape
from uhop_cli.memory.file.index import Index
from uhop_cli.memory.file.shards import CURE
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.messages import Pool, Proposals

LOST = 60  # seconds in which a worker has to come for a shard that none sees any more, or to answer again
OFTEN = 0.25  # seconds after which it is looked again who is there: to ask the scheduler takes as long as a short question
BRIEFLY = 0.05  # seconds after which a worker that did not answer is asked again: the scheduler may not have missed it yet


@dataclass
class Traffic:
    """Bytes that went to the workers and came back; of these the pixels and statistics of memories that were proposed."""

    sent: int = 0
    received: int = 0
    proposals: int = 0


class ShardsOnWorkers:
    """All shards of one memory on a cluster.

    Args:
        client: of the cluster.
        index: of the memory.
        memory: the same, opened here.
        settings: how to retrieve.
        device: where, on each worker: 'auto', 'cpu', ...
        traffic: is counted.

    Raises:
        ClusterError: no worker sees one of the shards, or a worker has another version of uhop.
    """

    def __init__(
        self, client: Any, index: Index, memory: Memory, settings: RetrievalSettings, device: str, traffic: Traffic
    ) -> None:
        self._client, self._index, self._traffic = client, index, traffic
        path, opaque, first = str(index.path.absolute()), memory.opacity is None, 0
        self._wanted: list[Wanted] = []
        for number, place in enumerate(index.shards, 1):
            self._wanted.append(Wanted(path, place, (number, len(index.shards)), first, settings, device, opaque))
            first += place.memories
        self._sees: dict[str, list[bool]] = {}  # of each worker that is asked, which shards
        self._contacts: dict[str, Contact] = {}
        self._worker: list[str | None] = [None] * len(index.shards)
        self._known: dict[str, int] | None = None  # who was there when they were dealt
        self._looked = time.monotonic()
        self._deal()

    def all(self, name: str, *arguments: Any, meanwhile: Callable[[], object] | None = None) -> list[Any]:
        """See `Shards.all`."""
        results: dict[int, Any] = {}
        silent: dict[str, float] = {}  # workers that do not answer, and since when
        while len(results) < len(self._wanted):
            self._deal()
            asked: dict[str, list[int]] = {}
            for number, worker in enumerate(self._worker):
                if number not in results:
                    asked.setdefault(str(worker), []).append(number)
            for worker, numbers in asked.items():
                self._ask(worker, numbers, name, arguments)
            if meanwhile is not None:
                meanwhile()
                meanwhile = None
            self._look()
            for worker, numbers in asked.items():
                try:
                    results.update(zip(numbers, self._answer(worker, name, arguments), strict=True))
                except LostError:
                    self._miss(worker, silent)
        return [results[number] for number in range(len(self._wanted))]

    def _ask(self, worker: str, numbers: list[int], name: str, arguments: tuple[Any, ...]) -> None:
        contact, wanted = self._contacts[worker], tuple(self._wanted[number] for number in numbers)
        again = bool(arguments) and arguments[0] is contact.knows
        question = pickle.dumps(Question(wanted, name, arguments[1:] if again else arguments, again), protocol=5)
        contact.knows = None  # until it has answered
        self._traffic.sent += len(question)
        contact.ask("ask", question)

    def _answer(self, worker: str, name: str, arguments: tuple[Any, ...]) -> list[Any]:
        contact = self._contacts[worker]
        data = contact.answer()
        contact.knows = arguments[0] if arguments else None
        self._traffic.received += len(data)
        found = pickle.loads(data)
        if isinstance(found, Exception):
            raise found
        results: list[Any] = found
        pools = (result.pool if isinstance(result, Proposals) else result for result in results)
        self._traffic.proposals += sum(pool.nbytes for pool in pools if isinstance(pool, Pool))
        return results

    def _miss(self, worker: str, silent: dict[str, float]) -> None:
        """Has the shards of a worker dealt anew, if it is gone; waits a little if the scheduler has it still.

        Raises:
            ClusterError: that is so for a long time.
        """
        if not self._contacts[worker].is_there:
            del self._contacts[worker], self._sees[worker]
            self._known = None
        elif time.monotonic() - silent.setdefault(worker, time.monotonic()) > LOST:
            raise ClusterError(
                f"worker {escape(worker)} does not answer, though the scheduler has it",
                "run this where the addresses of workers can be reached",
            )
        else:
            time.sleep(BRIEFLY)

    def _look(self) -> None:
        """Has the shards dealt anew before the next question, if a worker has come or gone; while workers work it costs no time."""
        if time.monotonic() - self._looked < OFTEN:
            return
        if workers_of(self._client) != self._known:
            self._known = None
        self._looked = time.monotonic()

    def _deal(self) -> None:
        """Gives every shard a worker that sees it, where that has to be done."""
        deadline = time.monotonic() + LOST
        while self._known is None:
            self._meet(there := workers_of(self._client))
            without = [number for number in range(len(self._worker)) if not any(seen[number] for seen in self._sees.values())]
            if not without:
                self._worker[:] = dealt(self._sees, self._worker)
                self._known = there
            elif time.monotonic() > deadline or (there and self._worker[without[0]] is None):
                self._refuse(without[0], there)
            else:
                time.sleep(LOOK)

    def _meet(self, there: dict[str, int]) -> None:
        """Knows the workers that are there, and no others."""
        for gone in self._contacts.keys() - there.keys():
            del self._contacts[gone], self._sees[gone]
        new = {worker: Contact(self._client, worker) for worker in there if worker not in self._contacts}
        for worker, contact in new.items():
            try:
                self._sees[worker] = contact.sees(self._wanted[0].path, self._index.shards, there[worker])
                self._contacts[worker] = contact
            except LostError:
                continue

    def _refuse(self, number: int, workers: Iterable[str]) -> None:
        if not workers:
            raise ClusterError("all workers of the cluster are gone", "start some: dask worker ADDRESS")
        raise ClusterError(f"{self._index.named(number)}: no worker can open it, or what is there is damaged", CURE)


def on_cluster(
    client: Any, index: Index, device: str, traffic: Traffic
) -> Callable[[Memory, RetrievalSettings, Device], ShardsOnWorkers]:
    """What a `Retriever` asks the shards of a memory with (`querying.shards.asking.Asker`)."""

    def asker(memory: Memory, settings: RetrievalSettings, _: Device) -> ShardsOnWorkers:
        return ShardsOnWorkers(client, index, memory, settings, device, traffic)

    return asker
