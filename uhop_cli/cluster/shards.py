"""The shards of a memory, asked on the workers that see them.

Every shard has a worker that keeps it ready; a shard goes to another worker that sees it only when workers come or go. A question
that is lost with its worker goes to another one, and as the answer depends on nothing but shard and question, it is the same.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from uhop_cli.arrays.device import Device
from uhop_cli.cluster.tasks import FETCHED, LOOK, NOT_YET, done
from uhop_cli.cluster.worker import Wanted, answer, held
from uhop_cli.errors import ClusterError, UhopError
from uhop_cli.files.names import escape
from uhop_cli.memory.file.index import Index
from uhop_cli.memory.file.shards import CURE
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.version import __version__

LOST = 60  # seconds in which a worker has to come for a shard that none sees


@dataclass
class Traffic:
    """Bytes that went to the workers and came back."""

    sent: int = 0
    received: int = 0


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
        ClusterError: no worker sees one of the shards, or the workers have another version of uhop.
    """

    def __init__(
        self, client: Any, index: Index, memory: Memory, settings: RetrievalSettings, device: str, traffic: Traffic
    ) -> None:
        self._client, self._index, self._traffic = client, index, traffic
        path, opaque, first = str(index.path.absolute()), memory.opacity is None, 0
        self._wanted: list[Wanted] = []
        for place in index.shards:
            self._wanted.append(Wanted(path, place, first, settings, device, opaque))
            first += place.memories
        self._sees: dict[str, list[bool]] = {}  # of each worker, which shards
        self._worker: list[str | None] = [None] * len(index.shards)
        self._looked = -LOOK  # when it was last asked who is there
        self._deal()

    def all(self, name: str, *arguments: Any) -> list[Any]:
        """See `querying.shards.asking.Shards.all`."""
        payload = pickle.dumps(arguments, protocol=5)
        if time.monotonic() - self._looked > LOOK:  # workers that have come; those that are lost are missed when they don't answer
            self._deal()
        asked = {number: self._ask(number, name, payload) for number in range(len(self._wanted))}
        results: list[Any] = [None] * len(asked)
        while asked:
            number = min(asked)
            future, is_done, worker = asked[number]
            try:
                if not is_done.wait(LOOK):
                    raise TimeoutError
                data = future.result(timeout=FETCHED)
            except NOT_YET:
                if worker in self._workers():
                    continue
                data = None
            except UhopError:
                raise
            except Exception as error:
                if not _is_loss(error):
                    raise
                data = None
            if data is None:  # its worker is gone
                future.cancel()
                self._deal()
                asked[number] = self._ask(number, name, payload)
                continue
            self._traffic.received += len(data)
            results[number] = pickle.loads(data)
            del asked[number]
        return results

    def _ask(self, number: int, name: str, payload: bytes) -> tuple[Any, threading.Event, str]:
        worker = self._worker[number]
        assert worker is not None
        self._traffic.sent += len(payload)
        future = self._client.submit(answer, self._wanted[number], name, payload, workers=[worker], pure=False)
        return future, done(future), worker

    def _workers(self) -> dict[str, int]:
        """Address and threads of the workers that there are.

        Raises:
            ClusterError: the scheduler is gone.
        """
        known = None
        if self._client.status == "running":
            with suppress(OSError, RuntimeError, KeyError):
                known = self._client.scheduler_info()["workers"]
        if known is None:
            raise ClusterError("the scheduler of the cluster is gone", "start it again, and run the same command once more")
        return {address: int(worker["nthreads"]) for address, worker in known.items()}

    def _deal(self) -> None:
        """Gives every shard a worker that sees it, the least busy one; who has one keeps it unless another has none at all."""
        deadline = time.monotonic() + LOST
        while True:
            workers = self._workers()
            self._ask_who_sees(workers)
            self._sees = {address: seen for address, seen in self._sees.items() if address in workers}
            self._looked = time.monotonic()
            if self._is_dealt(workers):
                return
            without = [number for number in range(len(self._worker)) if not any(seen[number] for seen in self._sees.values())]
            if not without:
                self._worker = dealt(list(self._sees.values()), list(self._sees), self._worker)
                return
            if workers or time.monotonic() > deadline:
                self._refuse(without[0], workers)
            time.sleep(LOOK)

    def _is_dealt(self, workers: dict[str, int]) -> bool:
        """Whether all shards have workers, and no worker that could have some is without."""
        idle = [address for address in workers if address not in self._worker and any(self._sees.get(address, ()))]
        spare = len(set(self._worker)) < len(self._worker)  # somebody has two
        return all(worker in workers for worker in self._worker) and not (idle and spare)

    def _ask_who_sees(self, workers: dict[str, int]) -> None:
        new = [address for address in workers if address not in self._sees]
        if not new:
            return
        path = self._wanted[0].path
        for address in new:
            said = self._client.run(held, path, self._index.shards, workers[address], workers=[address], on_error="ignore")
            for version, seen in said.values():
                if version != __version__:
                    raise ClusterError(
                        f"worker {escape(address)} has uhop {escape(version)}, and this is {__version__}",
                        "install the same version on all of them",
                    )
                self._sees[address] = seen

    def _refuse(self, number: int, workers: dict[str, int]) -> None:
        if not workers:
            raise ClusterError("all workers of the cluster are gone", "start some: dask worker ADDRESS")
        raise ClusterError(f"{self._index.named(number)}: no worker can open it, or what is there is damaged", CURE)


def dealt(sees: list[list[bool]], workers: list[str], before: list[str | None]) -> list[str | None]:
    """A worker for every shard: as many shards for each as for the others, if what they see allows it; who has one keeps it.

    Args:
        sees: of each worker, which shards it sees; every shard is seen by one at least.
        workers: their addresses.
        before: who had each shard.
    """
    most = -(-len(before) // len(workers))
    load = dict.fromkeys(workers, 0)
    after: list[str | None] = [None] * len(before)
    for number, worker in enumerate(before):
        if worker in load and sees[workers.index(worker)][number] and load[worker] < most:
            after[number] = worker
            load[worker] += 1
    # Those that few see choose first.
    rest = [number for number, worker in enumerate(after) if worker is None]
    for number in sorted(rest, key=lambda number: sum(seen[number] for seen in sees)):
        able = [worker for worker, seen in zip(workers, sees, strict=True) if seen[number]]
        after[number] = min(able, key=lambda worker: load[worker])
        load[str(after[number])] += 1
    return after


def _is_loss(error: Exception) -> bool:
    """Whether an error says that a worker was lost, and not that its work failed."""
    return type(error).__name__ in ("KilledWorker", "CommClosedError", "CancelledError", "FutureCancelledError", "LostWorkerError")


def on_cluster(
    client: Any, index: Index, device: str, traffic: Traffic
) -> Callable[[Memory, RetrievalSettings, Device], ShardsOnWorkers]:
    """What a `Retriever` asks the shards of a memory with (`querying.shards.asking.Asker`)."""

    def asker(memory: Memory, settings: RetrievalSettings, _: Device) -> ShardsOnWorkers:
        return ShardsOnWorkers(client, index, memory, settings, device, traffic)

    return asker
