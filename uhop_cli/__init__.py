"""uhop: learn a kernel on images, store them as an associative memory, and get the original back from a damaged copy.

The public names are imported when they are first used, so that `import uhop_cli` and `uhop --help` load no array library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uhop_cli.api import learn as learn
    from uhop_cli.api import retrieve as retrieve
    from uhop_cli.errors import UhopError as UhopError
    from uhop_cli.memory.build import remove as remove
    from uhop_cli.memory.build import store as store
    from uhop_cli.memory.file import load as load
    from uhop_cli.memory.file import save as save
    from uhop_cli.memory.memory import Memory as Memory
    from uhop_cli.memory.restoration import QuerySettings as QuerySettings
    from uhop_cli.memory.restore import Restorer as Restorer
    from uhop_cli.memory.retriever import RetrievalSettings as RetrievalSettings
    from uhop_cli.memory.settings import StoreSettings as StoreSettings

__version__ = "0.1.0"

# Public name -> the module that defines it.
_PUBLIC = {
    "learn": "uhop_cli.api",
    "retrieve": "uhop_cli.api",
    "store": "uhop_cli.memory.build",
    "remove": "uhop_cli.memory.build",
    "load": "uhop_cli.memory.file",
    "save": "uhop_cli.memory.file",
    "Memory": "uhop_cli.memory.memory",
    "Restorer": "uhop_cli.memory.restore",
    "StoreSettings": "uhop_cli.memory.settings",
    "QuerySettings": "uhop_cli.memory.restoration",
    "RetrievalSettings": "uhop_cli.memory.retriever",
    "UhopError": "uhop_cli.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
