"""What can go wrong, in one line each.

Every error that a user can cause or cure is a `UhopError`: a message of one line and, where there is one, a hint that says how to
cure it; `cure` of its class is what to try where there is none. The command line prints the two lines and exits with status 1;
everything else is a bug and shows its traceback.
"""

from __future__ import annotations

from typing import ClassVar


class UhopError(Exception):
    """Root of all errors that uhop raises on purpose.

    Args:
        message: one line that says what is wrong and names the file or the value.
        hint: one line that says how to cure it, or None.
    """

    cure: ClassVar[str] = "--help lists what there is"

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(UhopError):
    """A setting has a value that makes no sense."""


class ImageError(UhopError):
    """An image cannot be found, read or used."""

    cure = "give another file; PNG, JPEG, WebP, GIF, BMP, TIFF, PPM, AVIF, HEIF, JPEG 2000, ICO, TGA and PCX are read"


class MemoryFileError(UhopError):
    """A memory file is missing, foreign, damaged or of a newer version."""

    cure = "`uhop store FOLDER` makes one; or name another file"


class OutputError(UhopError):
    """A result cannot be written, or would overwrite something that uhop did not write."""

    cure = "name another place, or allow writing there"


class ResourceError(UhopError):
    """The work would take more memory than there is."""

    cure = "choose a smaller --size, or close other programs"


class DeviceError(UhopError):
    """The device that was asked for is not there."""

    cure = "use --device auto or --device cpu"


class ClusterError(UhopError):
    """A cluster cannot be used: it isn't there, it has lost what was needed, or Dask isn't installed."""

    cure = "check the address, or leave out --cluster"


class DatasetError(UhopError):
    """A benchmark data set cannot be found, downloaded or read."""

    cure = "give another --dataset; uhop bench --list names those that are known"
