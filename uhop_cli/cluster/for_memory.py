"""The workers of a cluster for one memory, as a command uses them. Dask is imported only when there are some to be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from uhop_cli.cluster.connection import check, connected, workers_of
from uhop_cli.errors import SettingsError
from uhop_cli.files.names import escape
from uhop_cli.memory.file.index import is_index, located, read_index

if TYPE_CHECKING:
    from uhop_cli.cluster.shards import Traffic
    from uhop_cli.querying.shards.asking import Asker


@dataclass(frozen=True)
class Workers:
    """The workers that the shards of a memory are asked on.

    Attributes:
        asker: asks them.
        traffic: what went there and came back.
        count: how many there were at first; `shards`: of the memory.
    """

    asker: Asker
    traffic: Traffic
    count: int
    shards: int


def check_use(address: str, memory: Path) -> None:
    """Refuses what is no address, and a memory that is one file, before anything heavy is loaded.

    Raises:
        SettingsError: so it is.
    """
    check(address)
    if not is_index(located(memory)):
        raise SettingsError(
            f"{escape(memory)} is one file, and workers share the shards of a memory", "make shards with uhop store --shards N"
        )


@contextmanager
def workers_for(memory: Path, address: str, device: str) -> Iterator[Workers]:
    """Those of the cluster at `address`.

    Args:
        memory: an index, or the name without its suffix.
        address: as `connection.connected` takes it.
        device: where they compute: 'auto', 'cpu', ...

    Raises:
        ClusterError: it cannot be used.
    """
    with connected(address) as client:
        from uhop_cli.cluster.shards import Traffic, on_cluster

        index, traffic = read_index(located(memory)), Traffic()
        count = len(workers_of(client))
        yield Workers(on_cluster(client, index, device, traffic), traffic, count, len(index.shards))
