"""What the acceptance of a memory in shards is made with: the shards, workers that see their own only, damaged copies."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.cluster.connection import QUIET
from uhop_cli.cluster.worker import FOLDER
from uhop_cli.corruption.corruption import parse
from uhop_cli.memory.file.index import Index, index_of
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.shard_writer import write_shards
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.answer import Answer
from uhop_cli.querying.retriever import Retriever

DAMAGES = ("mask:0.5", "brightness:0.4", "noise-abs:0.5", "half:bottom", "blur:2")
SHARDS, WORKERS = 4, 2
TOGETHER = 16  # queries in a pass over all memories: more would take gigabytes


def without_codes(memory: Memory) -> Memory:
    """The same without shortlists: all memories are examined for every query."""
    shards = tuple(replace(shard, compact=None, compact_map=None) for shard in memory.shards)
    return replace(memory, compact=None, compact_map=None, shards=shards)


def cut(path: Path, work: Path) -> Path:
    """The memory in shards, without codes and with them, in `work`; their files."""
    work.mkdir(parents=True, exist_ok=True)
    for name, memory in (("off", without_codes(load(path))), ("on", load(path))):
        if not index_of(work / f"{name}.safetensors").exists():
            write_shards(memory, work / f"{name}.safetensors", SHARDS)
    return work


@contextmanager
def workers(indices: list[Index], work: Path, count: int = WORKERS, *, own: bool = True) -> Iterator[Any]:
    """A client of workers with one thread each; with `own`, each sees its own shards only, those of number k, k + count, ..."""
    import dask
    from distributed import Client, Nanny, Scheduler, SpecCluster

    settings = {**QUIET, "distributed.deploy.lost-worker-timeout": "10 minutes"}
    dask.config.set(settings)  # as `local:N` has it; and what is killed here comes again, however busy it is
    specs: dict[int, Any] = {}
    for worker in range(count):
        folder = work / f"disk{worker}-of-{count}"
        folder.mkdir(exist_ok=True)
        for index in indices if own else []:
            for number in range(worker, len(index.shards), count):
                target = folder / index.shards[number].file
                if not target.exists():
                    os.link(index.place(number), target)
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        options = {
            "nthreads": 1,
            "memory_limit": None,
            "silence_logs": 50,
            "env": {**threads, **({FOLDER: str(folder)} if own else {})},
        }
        specs[worker] = {"cls": Nanny, "options": options}
    scheduler = {"cls": Scheduler, "options": {"dashboard": False, "port": 0}}
    with (
        SpecCluster(workers=specs, scheduler=scheduler, silence_logs=50) as cluster,
        Client(cluster, direct_to_workers=True, set_as_default=False) as client,
    ):
        client.wait_for_workers(count, timeout=120)
        yield client


def damaged(memory: Memory, count: int) -> tuple[np.ndarray, np.ndarray]:
    """`count` damaged copies and the rows of their memories."""
    rows = np.sort(np.random.default_rng(1).choice(len(memory), count, replace=False))
    parts = np.array_split(rows, len(DAMAGES))
    copies = [
        parse(label)(unit_rows(memory.patterns[part]), memory.spec, 0).patterns for label, part in zip(DAMAGES, parts, strict=True)
    ]
    return np.concatenate(copies), rows


def answers(retriever: Retriever, queries: np.ndarray, visible: np.ndarray | None = None) -> list[Answer]:
    """The answers, some at a time."""
    return [
        retriever.retrieve(queries[part], None if visible is None else visible[part]) for part in chunks(len(queries), TOGETHER)
    ]
