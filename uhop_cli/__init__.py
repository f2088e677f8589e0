"""uhop: learn a kernel on images, store them as an associative memory, and get the original back from a damaged copy.

The public names are imported when they are first used, so that `import uhop_cli` and `uhop --help` load no array library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from uhop_cli.version import __version__

if TYPE_CHECKING:
    from uhop_cli.api import learn as learn
    from uhop_cli.api import retrieve as retrieve
    from uhop_cli.errors import UhopError as UhopError
    from uhop_cli.memory.file.reader import load as load
    from uhop_cli.memory.file.reader import save as save
    from uhop_cli.memory.memory import Memory as Memory
    from uhop_cli.querying.restorer import Restorer as Restorer
    from uhop_cli.querying.settings import QuerySettings as QuerySettings
    from uhop_cli.querying.settings import RetrievalSettings as RetrievalSettings
    from uhop_cli.storing.settings import StoreSettings as StoreSettings
    from uhop_cli.storing.store import remove as remove
    from uhop_cli.storing.store import store as store

# Public name -> the module that defines it.
_PUBLIC = {
    "learn": "uhop_cli.api",
    "retrieve": "uhop_cli.api",
    "store": "uhop_cli.storing.store",
    "remove": "uhop_cli.storing.store",
    "load": "uhop_cli.memory.file.reader",
    "save": "uhop_cli.memory.file.reader",
    "Memory": "uhop_cli.memory.memory",
    "Restorer": "uhop_cli.querying.restorer",
    "StoreSettings": "uhop_cli.storing.settings",
    "QuerySettings": "uhop_cli.querying.settings",
    "RetrievalSettings": "uhop_cli.querying.settings",
    "UhopError": "uhop_cli.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
