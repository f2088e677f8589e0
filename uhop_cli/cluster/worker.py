"""What runs on a worker: a shard of a memory is opened where the worker sees it, kept ready, and asked.

A worker opens the shards that it is asked for and no others. They lie beside the index or, where a worker has its own disk, in the
folder that its environment names by `UHOP_SHARDS`.
"""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass, replace
from pathlib import Path

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
        first: the row of the memory that its first one is.
        settings: how to retrieve.
        device: 'auto', 'cpu', ...: where, on the worker.
        opaque: as if all pictures were opaque.
    """

    path: str
    place: ShardPlace
    first: int
    settings: RetrievalSettings
    device: str
    opaque: bool

    @property
    def index(self) -> Index:
        """An index of this shard alone, where this worker has it."""
        folder = os.environ.get(FOLDER)
        path = Path(self.path) if folder is None else Path(folder) / Path(self.path).name
        return Index(path, (self.place,), None)


_ready: dict[Wanted, Shard] = {}


def held(path: str, places: tuple[ShardPlace, ...], threads: int) -> tuple[str, list[bool]]:
    """The version of uhop here, and which of the shards this worker can open.

    Args:
        path: of the index.
        places: the shards.
        threads: that work here may take.
    """
    share_cores(threads)
    return __version__, [_can_open(Wanted(path, place, 0, RetrievalSettings(), "cpu", False).index) for place in places]


def _can_open(index: Index) -> bool:
    try:
        with opened(index, 0):
            return True
    except MemoryFileError:
        return False


def answer(wanted: Wanted, name: str, arguments: bytes) -> bytes:
    """What the method `name` of a shard returns, pickled, as are the arguments: so what went over the wire is counted.

    Raises:
        MemoryFileError: the shard is missing or damaged by now; the message names it.
    """
    if wanted not in _ready:
        while len(_ready) >= MOST_READY:
            _ready.pop(next(iter(_ready)))
        memory = load_shard(wanted.index, 0)
        flop = 2.0 * len(memory) * memory.spec.dim * 10
        known = replace(memory, opacity=None) if wanted.opaque else memory
        _ready[wanted] = Shard(known, wanted.first, wanted.settings, resolve_device(wanted.device, flop))
    shard = _ready[wanted]
    with np.errstate(all="ignore"), shard.device.computing():
        return pickle.dumps(getattr(shard, name)(*pickle.loads(arguments)), protocol=5)
