"""The opacity of the patterns of a memory in the making: nothing, until the first picture with transparency comes."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import IO

import numpy as np

from uhop_cli.arrays.types import UInt8

OPAQUE = 255
TOGETHER = 4096  # opaque rows that are written at a time


class OpacityRows:
    """The opacity of M patterns, in their order, in a temporary file, so that the memory taken does not grow with M.

    Args:
        height, width: of a pattern.
        folder: where the file is to lie; None: where the system puts such files.
    """

    def __init__(self, height: int, width: int, folder: str | None = None) -> None:
        self._shape, self._folder = (height, width), folder
        self._file: IO[bytes] | None = None
        self._count = 0

    def __enter__(self) -> OpacityRows:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, opacity: UInt8 | None) -> None:
        """Adds that of one pattern, (H, W); None: all of it is opaque."""
        if opacity is not None and self._file is None and opacity.min() < OPAQUE:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  closed when the block is left
            for begin in range(0, self._count, TOGETHER):
                self._file.write(self._opaque(min(TOGETHER, self._count - begin)))
        if self._file is not None:
            self._file.write(self._opaque(1) if opacity is None else opacity.tobytes())
        self._count += 1

    def close(self) -> UInt8 | None:
        """All of them, (M, H, W), mapped; they stay valid when the block is left. None where every pattern is opaque."""
        if self._file is None:
            return None
        self._file.flush()
        return np.memmap(self._file, np.uint8, "r", shape=(self._count, *self._shape))

    def _opaque(self, rows: int) -> bytes:
        height, width = self._shape
        return bytes([OPAQUE]) * (rows * height * width)
