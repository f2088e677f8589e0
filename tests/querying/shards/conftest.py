"""A memory in one file and the same in shards, and queries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest

from uhop_cli.api import learn
from uhop_cli.arrays.operations import unit_rows
from uhop_cli.arrays.types import Float32
from uhop_cli.corruption.corruption import parse
from uhop_cli.evidence.shortlist import codes as compact
from uhop_cli.memory.file.reader import load
from uhop_cli.memory.file.shard_writer import write_shards
from uhop_cli.memory.memory import Memory

DAMAGES = ("mask:0.5", "noise:0.3", "half:bottom", "blur:2", "brightness:0.3")


class Pair(NamedTuple):
    """The same memory in one piece and in shards."""

    whole: Memory
    shards: Memory


def _pictures(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 200, (count, 4, 4, 3)).repeat(3, axis=1).repeat(3, axis=2)
    return (blocks + np.linspace(0, 55, 12)[:, None]).astype(np.uint8)


MakePair = Callable[..., Pair]


@pytest.fixture(scope="session")
def make_pair(tmp_path_factory: pytest.TempPathFactory) -> MakePair:
    """Cuts a memory of 60 pictures into shards; with codes if `listed`."""
    learned = learn(_pictures(60))

    def make(shards: int = 4, *, listed: bool = False) -> Pair:
        whole = learned
        if listed:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(compact, "WORTH", 1)
                codes, directions = compact.compact_codes(learned.spec, learned.patterns, 0) or (None, None)
            whole = replace(learned, compact=codes, compact_map=directions)
        file = tmp_path_factory.mktemp("shards") / "m.safetensors"
        write_shards(whole, file, shards)
        return Pair(whole, load(file))

    return make


@pytest.fixture(scope="session")
def pair(make_pair: MakePair) -> Pair:
    """60 memories in 4 shards of 15: more than the models of a shard propose."""
    return make_pair()


def _queries(memory: Memory, each: int = 8) -> Float32:
    rows = np.random.default_rng(1).choice(len(memory), each, replace=False)
    truth = unit_rows(memory.patterns[np.sort(rows)])
    copies = [parse(label)(truth, memory.spec, 0).patterns for label in DAMAGES]
    return np.concatenate([*copies, unit_rows(_pictures(each, seed=9)), np.random.default_rng(2).random(truth.shape, np.float32)])


@pytest.fixture(scope="session")
def queries() -> Callable[..., Float32]:
    """Damaged copies of some memories, and pictures that were never stored."""
    return _queries
