"""What can go wrong, in one line each.

Every error that a user can cause or cure is a `UhopError`: a message of one line and, where there is one, a hint that says how to
cure it. The command line prints the two lines and exits with status 1; everything else is a bug and shows its traceback.
"""

from __future__ import annotations


class UhopError(Exception):
    """Root of all errors that uhop raises on purpose.

    Args:
        message: one line that says what is wrong and names the file or the value.
        hint: one line that says how to cure it, or None.
    """

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class SettingsError(UhopError):
    """A setting has a value that makes no sense."""


class ImageError(UhopError):
    """An image cannot be found, read or used."""


class MemoryFileError(UhopError):
    """A memory file is missing, foreign, damaged or of a newer version."""


class OutputError(UhopError):
    """A result cannot be written, or would overwrite something that uhop did not write."""


class ResourceError(UhopError):
    """The work would take more memory than there is."""


class DeviceError(UhopError):
    """The device that was asked for is not there."""


class DatasetError(UhopError):
    """A benchmark data set cannot be found, downloaded or read."""
