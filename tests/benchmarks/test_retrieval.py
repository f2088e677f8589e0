"""One query and a batch against 50,000 memories of 3,072 values, beside NumPy's bare product and faiss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.threads import chunks
from uhop_cli.corruption.corruption import parse
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.retriever import Retriever
from uhop_cli.querying.settings import RetrievalSettings

faiss = pytest.importorskip("faiss")
BATCH = 1000
FEW = 5000
ANEW, INDEX = "faiss: IndexFlatIP made of the pixels, and search", "faiss: search alone"
FIRST, LATER = "uhop: fixed kernel, first batch", "uhop: fixed kernel, later batches"


def answering(memory: Memory, queries: np.ndarray, **settings: Any) -> Callable[[], list[int]]:
    """Everything from the query to the names and the pictures of the best memories."""
    retriever = Retriever(memory, RetrievalSettings(steps=1, **settings), features_expected=len(queries))

    def work() -> list[int]:
        best: list[int] = []
        for part in chunks(len(queries), retriever.batch):
            answer = retriever.retrieve(queries[part])
            best += [answer.ranking(place, 1)[0] for place in range(len(answer.weights))]
        return best

    return work


def test_one_query(race: Any, memory: Memory) -> None:
    raw = unit_rows(memory.patterns)
    rows = np.array([4321])
    query = parse("values:0.5")(raw[rows], memory.spec, 0).patterns
    vector, index = query[0].copy(), faiss.IndexFlatIP(memory.spec.dim)
    index.add(raw)
    contestants = {
        "NumPy: bare float32 matrix-vector product": lambda: raw @ vector,
        "uhop: fixed kernel": answering(memory, query, similarity="kernel"),
        "uhop: fixed kernel, all memories read out": answering(memory, query, similarity="kernel", beta=1.0),
        "uhop: chosen by evidence": answering(memory, query),
        "faiss: IndexFlatIP on raw pixels": lambda: index.search(query, 1),
    }
    assert contestants["uhop: chosen by evidence"]() == [4321]
    limits = {"uhop: fixed kernel": 2, "uhop: fixed kernel, all memories read out": 4, "uhop: chosen by evidence": 4}
    race("One query, 50,000 memories of 3,072 values", contestants, limits)


def test_batch(race: Any, memory: Memory) -> None:
    raw = unit_rows(memory.patterns)
    rows = np.arange(0, len(raw), len(raw) // BATCH)[:BATCH]
    queries = parse("values:0.5")(raw[rows], memory.spec, 0).patterns
    index = faiss.IndexFlatIP(memory.spec.dim)
    index.add(raw)

    def anew() -> None:
        made = faiss.IndexFlatIP(memory.spec.dim)
        made.add(unit_rows(memory.patterns))
        made.search(queries, 1)

    contestants = {
        "NumPy: bare float32 matrix product": lambda: queries @ raw.T,
        ANEW: anew,
        INDEX: lambda: index.search(queries, 1),
        FIRST: lambda: answering(memory, queries, similarity="kernel")(),
        LATER: answering(memory, queries, similarity="kernel"),
        "uhop: chosen by evidence, first batch": lambda: answering(memory, queries)(),
        "uhop: chosen by evidence, later batches": answering(memory, queries),
    }
    contestants[LATER]()  # after 1,024 queries the features of all memories are worth their while, as an index is
    limits = {FIRST: 2, "uhop: chosen by evidence, first batch": 3.5, "uhop: chosen by evidence, later batches": 3}
    times = race(f"{BATCH} queries, 50,000 memories of 3,072 values", contestants, limits, rounds=4)
    for what, ours, theirs in (("first", FIRST, ANEW), ("first", FIRST, INDEX), ("later", LATER, INDEX)):
        print(f"  the {what} {BATCH} take {times[ours] / times[theirs]:.2f} times '{theirs}'")


def test_batch_on_few_memories(race: Any, memory: Memory) -> None:
    few = replace(memory.keep(np.arange(len(memory)) < FEW), compact=None, compact_map=None)  # as few as that have no codes
    raw = unit_rows(few.patterns)
    queries = parse("values:0.5")(raw[:BATCH], few.spec, 0).patterns
    contestants = {
        "NumPy: bare float32 matrix product": lambda: queries @ raw.T,
        "uhop: chosen by evidence": answering(few, queries),
    }
    race(f"{BATCH} queries, {FEW:,} memories of 3,072 values", contestants, {"uhop: chosen by evidence": 18}, rounds=4)
