"""Who asks the shards: here one after the other in this process; `uhop_cli.cluster` has workers do it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from uhop_cli.arrays.device import Device
from uhop_cli.arrays.resources import available_memory
from uhop_cli.memory.joining import begins_of
from uhop_cli.memory.memory import Memory
from uhop_cli.querying.settings import RetrievalSettings
from uhop_cli.querying.shards.shard import Shard

PREPARED = 512  # bytes of a memory, about, that an engine keeps beside the file


class Shards(Protocol):
    """All shards of one memory."""

    def all(self, name: str, *arguments: Any, meanwhile: Callable[[], object] | None = None) -> list[Any]:
        """What the method `name` of every shard returns, in the order of the shards; `meanwhile` is called once they are at it."""
        ...


Asker = Callable[[Memory, RetrievalSettings, Device], Shards]  # makes them for a memory


class InTurn:
    """The shards of a memory, one after the other; what one has prepared is let go before the next where there is no room for all.

    Args:
        memory: in shards.
        settings: how to retrieve.
        device: where.
    """

    def __init__(self, memory: Memory, settings: RetrievalSettings, device: Device) -> None:
        self._memory, self._settings, self._device = memory, settings, device
        self._begins = begins_of(memory.shards)
        self._keeps = PREPARED * len(memory) <= available_memory() // 4
        self._ready: dict[int, Shard] = {}

    def all(self, name: str, *arguments: Any, meanwhile: Callable[[], object] | None = None) -> list[Any]:
        """See `Shards.all`."""
        if meanwhile is not None:
            meanwhile()
        return [self._answer(number, name, arguments) for number in range(len(self._begins))]

    def _answer(self, number: int, name: str, arguments: tuple[Any, ...]) -> Any:
        if number not in self._ready:
            self._ready[number] = Shard(self._memory.shards[number], self._begins[number], self._settings, self._device)
        shard = self._ready[number]
        found = getattr(shard, name)(*arguments)
        if not self._keeps:
            shard.let_go()
        return found
