"""uhop: learn a kernel on images, store them as an associative memory, and get the original back from a damaged copy.

The public names are imported when they are first used, so that `import uhop_cli` and `uhop --help` load no array library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uhop_cli.errors import UhopError as UhopError

__version__ = "0.1.0"

# Public name -> the module that defines it.
_PUBLIC = {
    "UhopError": "uhop_cli.errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
