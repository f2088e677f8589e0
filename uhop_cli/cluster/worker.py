"""What runs on a worker: a shard of a memory is opened where the worker sees it, kept ready, and asked.

A worker opens the shards that it is asked for and no others. They lie beside the index or, where a worker has its own disk, in the
folder that its environment names by `UHOP_SHARDS`.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.arrays.device import resolve_device
from uhop_cli.arrays.threads import share_cores
from uhop_cli.errors import MemoryFileError
from uhop_cli.memory.file.index import Index, ShardPlace
from uhop_cli.memory.file.reader import load_shard
from uhop_cli.memory.file.shards import opened
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.shard import Shard
from uhop_cli.version import __version__

FOLDER = "UHOP_SHARDS"
MOST_READY = 64  # shards that a worker keeps ready


@dataclass(frozen=True)
class Wanted:
    """One shard, and how it is to be asked.

    Attributes:
        path: of the index, as the client sees it.
        place: the shard's entry in the index.
        number: which shard it is, from 1 on, and of how many.
        first: the row of the memory that its first one is.
        settings: how to retrieve.
        device: 'auto', 'cpu', ...: where, on the worker.
        opaque: as if all pictures were opaque.
    """

    path: str
    place: ShardPlace
    number: tuple[int, int]
    first: int
    settings: RetrievalSettings
    device: str
    opaque: bool

    @property
    def index(self) -> Index:
        """An index of this shard alone, where this worker has it."""
        folder = os.environ.get(FOLDER)
        path = Path(self.path) if folder is None else Path(folder) / Path(self.path).name
        return Index(path, (self.place,), None, alone=self.number)


@dataclass(frozen=True)
class Question:
    """What some shards of a worker are asked.

    Attributes:
        wanted: these.
        name: of a method of `Shard`.
        arguments: of it.
        again: whether the first argument is that of the last question, which is not sent a second time.
    """

    wanted: tuple[Wanted, ...]
    name: str
    arguments: tuple[Any, ...]
    again: bool


_ready: dict[Wanted, Shard] = {}


class Desk:
    """Where a worker is asked: an actor (`contact.Contact`), which does one thing after the other."""

    def __init__(self) -> None:
        self._first: Any = None  # argument of the last question

    def held(self, path: str, places: tuple[ShardPlace, ...], threads: int) -> tuple[str, list[bool]]:
        """The version of uhop here, and which of the shards this worker can open.

        Args:
            path: of the index.
            places: the shards.
            threads: that work here may take.
        """
        share_cores(threads)
        return __version__, [_can_open(Wanted(path, place, (1, 1), 0, RetrievalSettings(), "cpu", False).index) for place in places]

    def ask(self, question: bytes) -> bytes:
        """What a method of some shards returns, a list in their order, or the error that it ends with; pickled.

        Args:
            question: a `Question`, pickled as well, so that what goes over the wire is counted.
        """
        asked: Question = pickle.loads(question)
        arguments = (self._first, *asked.arguments) if asked.again else asked.arguments
        self._first = next(iter(arguments), None)
        try:
            return pickle.dumps([_answer(one, asked.name, arguments) for one in asked.wanted], protocol=5)
        except Exception as error:  # it goes to whoever asked, who would take it for the loss of this worker
            return pickle.dumps(error)


def _answer(wanted: Wanted, name: str, arguments: tuple[Any, ...]) -> Any:
    shard = _shard(wanted)
    with np.errstate(all="ignore"), shard.device.computing():
        return getattr(shard, name)(*arguments)


def _shard(wanted: Wanted) -> Shard:
    """A shard, kept ready.

    Raises:
        MemoryFileError: it is missing or damaged by now; the message names it.
    """
    if wanted not in _ready:
        while len(_ready) >= MOST_READY:
            _ready.pop(next(iter(_ready)))
        memory = load_shard(wanted.index, 0)
        flop = 2.0 * len(memory) * memory.spec.dim * 10
        known = replace(memory, opacity=None) if wanted.opaque else memory
        _ready[wanted] = Shard(known, wanted.first, wanted.settings, resolve_device(wanted.device, flop))
    return _ready[wanted]


def _can_open(index: Index) -> bool:
    try:
        with opened(index, 0):
            return True
    except MemoryFileError:
        return False
