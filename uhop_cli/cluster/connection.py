"""A Dask cluster: `local:N` starts N workers on this machine, anything else is the address of a scheduler.

Dask is imported here and in nothing that any other command imports. Its own settings are honoured, TLS among them
(https://distributed.dask.org/en/stable/tls.html): a scheduler at tls://HOST:PORT is spoken to with the certificates that they name.
Whoever can submit to a cluster runs code on it: a cluster is trusted, as the account that it runs under is.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from uhop_cli.errors import ClusterError, SettingsError
from uhop_cli.files.names import escape

CONNECTING = 30  # seconds for a scheduler to answer
STARTING = 60  # seconds for the first worker to come
MOST_LOCAL = 64
# Of the processes that are started here: nobody looks at what they would find out about themselves a hundred times a second, each
# time holding up the interpreter that is to answer.
QUIET = {"distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "500 ms"}
_LOCAL = re.compile(r"local:([0-9]{1,4})")
_ADDRESS = re.compile(r"((tcp|tls|ws|wss|ucx)://)?[^\s/:]+:[0-9]{1,5}|[^\s/:]+")


def check(address: str) -> None:
    """Refuses what is no address of a cluster, before anything is imported.

    Raises:
        SettingsError: so it is.
    """
    local = _LOCAL.fullmatch(address)
    if local and not 1 <= int(local[1]) <= MOST_LOCAL:
        raise SettingsError(f"no cluster of {int(local[1])} workers is started here", f"give local:1 to local:{MOST_LOCAL}")
    if not local and (address.startswith("local:") or not _ADDRESS.fullmatch(address)):
        raise SettingsError(f"{escape(address)}: not the address of a cluster", "give HOST:PORT, tls://HOST:PORT, or local:N")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A client of the cluster at `address`, with at least one worker; workers that were started for it end with the block.

    Raises:
        SettingsError: it is no address.
        ClusterError: Dask isn't installed, no scheduler answers there, or it has no workers.
    """
    check(address)
    try:
        import dask
        from distributed import Client, LocalCluster
    except ImportError:
        raise ClusterError("--cluster needs Dask, which is not installed", "pip install 'uhop-cli[cluster]'") from None
    for name in ("distributed", *(known for known in logging.root.manager.loggerDict if known.startswith("distributed."))):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)  # what goes wrong is said here, in one line
    local = _LOCAL.fullmatch(address)
    cluster: Any = None
    try:
        if local:
            count = int(local[1])
            threads = max(1, (os.cpu_count() or 1) // count)
            with dask.config.set(QUIET):
                cluster = LocalCluster(
                    n_workers=count, threads_per_worker=threads, processes=True, memory_limit=None,
                    dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL + 1,
                )  # fmt: skip
        client = Client(cluster or address, timeout=CONNECTING, direct_to_workers=True, set_as_default=False)
    except (OSError, ValueError, RuntimeError) as error:
        if cluster is not None:
            cluster.close()
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ClusterError(f"{escape(address)}: no cluster answers there: {escape(said)}") from None
    try:
        try:
            client.wait_for_workers(1, timeout=STARTING)
        except Exception:
            raise ClusterError(f"{escape(address)}: the cluster has no workers", "start some: dask worker ADDRESS") from None
        yield client
    finally:
        client.close()
        if cluster is not None:
            cluster.close()


def workers_of(client: Any) -> dict[str, int]:
    """Address and threads of all workers that there are.

    Raises:
        ClusterError: the scheduler is gone.
    """
    if client.status == "running":
        with suppress(OSError, RuntimeError):
            known: dict[str, int] = dict(client.nthreads())
            return known
    raise ClusterError("the scheduler of the cluster is gone", "start it again, and run the same command once more")
