"""What a batch costs on one worker and on two, and what a query costs beside the passes over the shards."""

from __future__ import annotations

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
                one_query(off, retriever, queries[:1])
    ratio = seconds[2] / seconds[1]
    promise("a batch on two workers", ratio, ratio <= 0.75, f"of one worker's {seconds[1]:.1f} s for {count} queries; 0.75")


def in_batches(retriever: Retriever, queries: np.ndarray) -> None:
    """Answers the queries as many at a time as `uhop query` does."""
    for _ in retriever.batches(queries):
        pass


def counted(number: int) -> str:
    """So many workers, in words."""
    return f"{number} worker{'s' if number > 1 else ''}"


def one_query(memory: Memory, retriever: Retriever, query: np.ndarray) -> None:
    """Seconds of a query on two workers, and of what the busier of the two does for it in the same messages, measured here.

    A worker with two shards does one after the other; who asks waits for the slower worker of each message.
    """
    strategy: Any = retriever.strategy
    messages: list[tuple[str, tuple[Any, ...]]] = []
    ask = strategy.shards.all

    def noted(name: str, *arguments: Any) -> list[Any]:
        messages.append((name, arguments))
        return ask(name, *arguments)

    strategy.shards.all = noted
    retriever.retrieve(query)
    strategy.shards.all = ask
    begins = np.cumsum([0, *map(len, memory.shards)])
    shards = [Shard(part, int(begin), RetrievalSettings(), CPU) for part, begin in zip(memory.shards, begins, strict=False)]
    passes, whole, busiest = [], best_of(20, retriever.retrieve, query), 0.0
    for name, arguments in messages:
        each = [best_of(9, getattr(shard, name), *arguments) for shard in shards]
        busiest += max(sum(each[worker::WORKERS]) for worker in range(WORKERS))
        passes.append(f"{name} {', '.join(f'{1e3 * one:.1f}' for one in each)}")
    print(f"  ms a shard: {'; '.join(passes)}", flush=True)
    over = 1e3 * (whole - busiest)
    promise("one query over the slower worker's shards", over, over <= 30, f"ms, of {1e3 * whole:.0f} ms; 30")


def best_of(rounds: int, work: Callable[..., Any], *arguments: Any) -> float:
    """The shortest of some times."""
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work(*arguments)
        times.append(time.perf_counter() - started)
    return min(times)
