"""A worker that is asked by direct messages: a Dask actor on it (https://distributed.dask.org/en/stable/actors.html).

A task goes over the scheduler four times, each time with some milliseconds in which messages are collected; what is sent to an
actor goes to its worker and back. What the scheduler still does is to know who is there.
"""

from __future__ import annotations

from typing import Any

from uhop_cli.cluster.connection import workers_of
from uhop_cli.cluster.tasks import LOOK, NOT_YET, done
from uhop_cli.cluster.worker import Desk
from uhop_cli.errors import ClusterError
from uhop_cli.files.names import escape
from uhop_cli.version import __version__


class LostError(Exception):
    """A worker is gone, or there is no way to it."""


class Contact:
    """One worker, which is asked one thing at a time.

    Args:
        client: of the cluster.
        address: of the worker.

    Attributes:
        knows: the first argument of the last question that was answered, which the desk has still; None where that is not known.
    """

    def __init__(self, client: Any, address: str) -> None:
        self.address, self.knows = address, None
        self._client = client
        self._future = client.submit(Desk, workers=[address], actor=True, pure=False)
        self._made = done(self._future)
        self._desk: Any = None
        self._call: Any = None

    @property
    def is_there(self) -> bool:
        """Whether the scheduler takes the worker for alive."""
        return bool(self._future.status == "finished")

    def sees(self, *arguments: Any) -> list[bool]:
        """What `Desk.held` says of the shards; to be called before anything is asked.

        Raises:
            LostError: the worker is gone.
            ClusterError: it has no uhop, or another version of it; or the scheduler is gone.
        """
        while not self._made.wait(LOOK):
            if self.address not in workers_of(self._client):
                raise LostError
        error = self._future.exception()
        if error is not None:
            if self.address not in workers_of(self._client):
                raise LostError
            self._refuse(f"does not run this uhop: {str(error).partition(chr(10))[0]}")
        self._desk = self._future.result()
        self.ask("held", *arguments)
        version, seen = self.answer()
        if version != __version__:
            self._refuse(f"has uhop {version}, and this is {__version__}")
        known: list[bool] = seen
        return known

    def ask(self, name: str, *arguments: Any) -> None:
        """Has the method `name` of the desk called, and doesn't wait for it."""
        try:
            with self._client.as_current():
                self._call = getattr(self._desk, name)(*arguments)
        except RuntimeError:  # the scheduler has said that the worker is lost
            self._call = None

    def answer(self) -> Any:
        """What the method returns that was asked for last.

        Raises:
            LostError: the worker is gone, or there is no way to it.
            ClusterError: the scheduler is gone.
        """
        while self._call is not None:
            try:
                return self._call.result(timeout=LOOK)
            except NOT_YET:
                workers_of(self._client)
                if not self.is_there:
                    break
            except Exception:  # of several kinds; the errors of the work itself are answers (`Desk.ask`)
                break
        raise LostError

    def _refuse(self, why: str) -> None:
        raise ClusterError(f"worker {escape(self.address)} {escape(why)}", "install the same version on all of them")
