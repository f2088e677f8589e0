"""What a batch costs on one worker and on two, and what a query costs beside the passes over the shards."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from cluster_setup import WORKERS, cut, damaged, workers
from promises import promise

from uhop_cli.arrays.device import CPU
from uhop_cli.arrays.threads import share_cores
from uhop_cli.cluster.shards import Traffic, on_cluster
from uhop_cli.memory.file.index import index_of, read_index
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.shard import Shard

QUERIES = 20  # that are timed one by one


def cost(path: Path, work: Path, count: int) -> None:
    """Seconds of a batch on one worker and on two, with one BLAS thread each; and of one query over the slowest shards'."""
    cut(path, work)
    off, index = load(work / "off.safetensors"), read_index(index_of(work / "off.safetensors"))
    queries, _ = damaged(off, count)
    seconds: dict[int, float] = {}
    share_cores(1)
    for number in (1, 2):
        with workers([index], work, number) as client:
            retriever = Retriever(off, asker=on_cluster(client, index, "cpu", Traffic()))
            retriever.retrieve(queries[:1])  # opens the shards
            seconds[number] = best_of(2, in_batches, retriever, queries)
            print(f"  {counted(number)}: {seconds[number]:.1f} s for {count} queries", flush=True)
            if number == WORKERS:
                one_query(client, off, retriever, queries[:1])
    ratio = seconds[2] / seconds[1]
    promise("a batch on two workers", ratio, ratio <= 0.75, f"of one worker's {seconds[1]:.1f} s for {count} queries; 0.75")


def in_batches(retriever: Retriever, queries: np.ndarray) -> None:
    """Answers the queries as many at a time as `uhop query` does."""
    for _ in retriever.batches(queries):
        pass


def counted(number: int) -> str:
    """So many workers, in words."""
    return f"{number} worker{'s' if number > 1 else ''}"


def one_query(client: Any, memory: Memory, retriever: Retriever, query: np.ndarray) -> None:
    """Seconds of a query on two workers, and what is left of them without the work on the shards.

    Workers note how long they are at their shards in each message of those very queries; who asks waits for the slower one. Beside
    it stands what the same messages take at least, on the workers, where both are at it at once, and here, alone. A worker with two
    shards does one after the other.
    """
    strategy: Any = retriever.strategy
    ask, messages, waits = strategy.shards.all, [], []

    def noted(name: str, *arguments: Any, **options: Any) -> list[Any]:
        started = time.perf_counter()
        answers = ask(name, *arguments, **options)
        waits[-1] += time.perf_counter() - started
        messages.append((name, arguments))
        return answers

    strategy.shards.all = noted
    client.run(note_seconds)
    times = []
    for _ in range(QUERIES):
        messages.clear()
        waits.append(0.0)
        times.append(best_of(1, retriever.retrieve, query))
    strategy.shards.all = ask
    spent = np.array([of.reshape(QUERIES, len(messages), -1).sum(axis=2) for of in client.run(noted_seconds).values()])
    beside = 1e3 * (np.array(times) - spent.max(axis=0).sum(axis=1))
    whole = min(times)
    between = min(map(operator.sub, times, waits))
    begins = np.cumsum([0, *map(len, memory.shards)])
    shards = [Shard(part, int(begin), RetrievalSettings(), CPU) for part, begin in zip(memory.shards, begins, strict=False)]
    alone = [seconds_of(shards[worker::WORKERS], messages) for worker in range(WORKERS)]
    both = list(client.run(at_work, messages).values())
    for words, each in (("alone", alone), ("both at work", both)):
        print(f"  the shards of a worker, {words}: {', '.join(f'{1e3 * sum(one):.0f}' for one in each)} ms", flush=True)
    busiest = [max(one) for one in zip(*both, strict=True)]
    told = ", ".join(f"{name} {1e3 * one:.1f}" for (name, _), one in zip(messages, busiest, strict=True))
    print(f"  the slower worker, both at work: {told} ms", flush=True)
    print(f"  between the messages: {1e3 * between:.1f} ms", flush=True)
    print(f"  over what the slower worker's shards take at least: {1e3 * (whole - sum(busiest)):.0f} ms", flush=True)
    over = float(np.median(beside))
    promise(
        "one query over the slower worker's shards", over, over <= 30, f"ms, the median, of {1e3 * np.median(times):.0f} ms; 30"
    )


def note_seconds() -> None:
    """Has this worker note from now on the seconds that it is at each of its shards, question by question."""
    from uhop_cli.cluster import worker

    answer: Any = worker._answer
    worker.seconds = []  # type: ignore[attr-defined]

    def timed(*arguments: Any) -> Any:
        started = time.perf_counter()
        try:
            return answer(*arguments)
        finally:
            worker.seconds.append(time.perf_counter() - started)  # type: ignore[attr-defined]

    worker._answer = timed


def noted_seconds() -> np.ndarray:
    """What `note_seconds` has this worker note."""
    from uhop_cli.cluster import worker

    return np.array(worker.seconds)  # type: ignore[attr-defined]


def at_work(messages: list[tuple[str, tuple[Any, ...]]]) -> list[float]:
    """`seconds_of` the shards that this worker has."""
    from uhop_cli.cluster import worker

    return seconds_of(list(worker._ready.values()), messages)


def seconds_of(shards: list[Shard], messages: list[tuple[str, tuple[Any, ...]]]) -> list[float]:
    """The shortest time of each message to some shards, one after the other."""
    best = [float("inf")] * len(messages)
    for _ in range(9):  # all in their order: the second question about a pass finds it kept
        for place, (name, arguments) in enumerate(messages):
            started = time.perf_counter()
            with np.errstate(all="ignore"), CPU.computing():
                for shard in shards:
                    getattr(shard, name)(*arguments)
            best[place] = min(best[place], time.perf_counter() - started)
    return best


def best_of(rounds: int, work: Callable[..., Any], *arguments: Any) -> float:
    """The shortest of some times."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work(*arguments)
        times.append(time.perf_counter() - started)
    return min(times)
