"""`--cluster`: the workers of a Dask cluster, for the commands that use them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from uhop_cli.cli.output import bytes_in_words, counted
from uhop_cli.errors import SettingsError
from uhop_cli.files.names import escape
from uhop_cli.memory.file.index import is_index, located, read_index

if TYPE_CHECKING:
    from uhop_cli.cluster.shards import Traffic
    from uhop_cli.querying.shards.asking import Asker


@dataclass(frozen=True)
class Workers:
    """The workers that a memory's shards are asked on.

    Attributes:
        asker: asks them.
        traffic: what went there and came back.
        count: how many there were at first; `shards`: of the memory.
    """

    asker: Asker
    traffic: Traffic
    count: int
    shards: int

    def said(self, queries: int) -> str:
        """What `-v` says of them."""
        each = max(1, queries)
        sent, received = (bytes_in_words(part // each) for part in (self.traffic.sent, self.traffic.received))
        who = f"{counted(self.count, 'worker')}, {counted(self.shards, 'shard')}"
        return f"cluster: {who}; {sent} a query to them, {received} back"


def check_cluster(address: str, memory: Path) -> None:
    """Refuses what is no address, and a memory that is one file, before anything heavy is loaded.

    Raises:
        SettingsError: so it is.
    """
    from uhop_cli.cluster.connection import check

    check(address)
    if not is_index(located(memory)):
        raise SettingsError(
            f"{escape(memory)} is one file, and workers share the shards of a memory", "make shards with uhop store --shards N"
        )


def on_workers(context: typer.Context, address: str, memory: Path, device: str) -> Workers:
    """Connects to the cluster for as long as the command runs.

    Raises:
        ClusterError: it cannot be used.
    """
    from uhop_cli.cluster.connection import connected
    from uhop_cli.cluster.shards import Traffic, on_cluster

    client, index, traffic = context.with_resource(connected(address)), read_index(located(memory)), Traffic()
    workers = len(client.scheduler_info()["workers"])
    return Workers(on_cluster(client, index, device, traffic), traffic, workers, len(index.shards))
