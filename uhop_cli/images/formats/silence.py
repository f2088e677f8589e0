"""Keeps the decoders from writing to the terminal: what matters to the pixels arrives as an exception.

Set once and for the whole process, since changing any of this around each call is not safe under threads. It concerns Pillow and
its own copy of libtiff alone.
"""

from __future__ import annotations

import logging
import warnings
from functools import cache
from importlib import import_module


def quiet_pillow() -> None:
    """No warnings about odd metadata, and no log lines where the program has set up no logging."""
    warnings.filterwarnings("ignore", module=r"PIL(\.|$)")
    logging.getLogger("PIL").addHandler(logging.NullHandler())


@cache
def quiet_libtiff() -> None:
    """No lines on the standard error stream from libtiff, whose default handlers print what they find in damaged files.

    Where the library is linked in such a way that its functions cannot be reached, they go on printing.
    """
    import ctypes  # takes time to import and only TIFF files need it

    try:
        # loading Pillow's core by name looks through the libraries that it is linked with as well
        library = ctypes.CDLL(import_module("PIL._imaging").__file__)
        for setter in ("TIFFSetErrorHandler", "TIFFSetWarningHandler"):
            function = getattr(library, setter)
            function.argtypes, function.restype = [ctypes.c_void_p], ctypes.c_void_p
            function(None)
    except (OSError, AttributeError):
        return
