"""The formats of the published data sets: IDX files, pickled CIFAR batches, and the archive that these come in.

Files are bounded before they are read. A pickle is never unpickled: `plain_pickle` interprets the few instructions that lists,
dictionaries, strings, numbers and arrays of bytes need, and refuses every other, so that no file can name a function to call.
"""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np

from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data.plain_pickle import _Array, plain_pickle
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular

IDX_MAGIC = 0x00000803  # unsigned bytes, three axes
LARGEST_FILE = 256 << 20  # bytes of one plain file; the largest of the published ones has 155 MB
LARGEST_ARCHIVE = 512 << 20  # bytes of an archive, unpacked; the published ones have 186 MB
LARGEST_SIDE = 1024
MOST_CLASSES = 1000

Batch = TypeVar("Batch")


def read_idx(path: Path) -> UInt8:
    """The images of an IDX file, plain or compressed: (N, H, W, 1) uint8.

    Raises:
        DatasetError: it is not one, or is cut short.
    """
    data = read_file(path)
    magic, count, height, width = struct.unpack(">IIII", data[:16].ljust(16, b"\0"))
    if magic != IDX_MAGIC:
        raise DatasetError(f"{escape(path)} is no IDX file of images")
    if not (0 < height <= LARGEST_SIDE and 0 < width <= LARGEST_SIDE) or len(data) != 16 + count * height * width:
        raise DatasetError(f"{escape(path)} is damaged: {count} images of {height} x {width} do not fit its size")
    return np.frombuffer(data, np.uint8, offset=16).reshape(count, height, width, 1)


def read_file(path: Path) -> bytes:
    """The contents of a regular file, unpacked where its name ends in .gz, of at most `LARGEST_FILE` bytes.

    Raises:
        DatasetError: it cannot be read, or is larger.
    """
    try:
        with open(open_regular(path, DatasetError), "rb") as file:
            data = (gzip.GzipFile(fileobj=file) if path.suffix == ".gz" else file).read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{escape(path)} cannot be read: {error}") from None
    if len(data) > LARGEST_FILE:
        raise DatasetError(f"{escape(path)} is too large for what it should be")
    return data


def read_cifar(folder: Path, names: Sequence[str], parse: Callable[[bytes, str], Batch]) -> list[Batch]:
    """The named batches in a folder, each as `parse` reads it: `cifar_batch` or `labelled_cifar_batch`."""
    return [parse(read_file(folder / name), str(folder / name)) for name in names]


def read_cifar_archive(path: Path, names: Sequence[str], parse: Callable[[bytes, str], Batch]) -> list[Batch]:
    """The named batches inside a .tar.gz, read as a stream: nothing is unpacked to the disk.

    Raises:
        DatasetError: the archive is damaged, too large, or lacks a batch.
    """
    found: dict[str, Batch] = {}
    try:
        with gzip.open(path) as packed, tarfile.open(fileobj=_Limited(packed, LARGEST_ARCHIVE), mode="r|") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in names and member.isreg() and member.size <= LARGEST_FILE:
                    file = archive.extractfile(member)
                    assert file is not None
                    found[name] = parse(file.read(), f"{path}:{name}")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DatasetError(f"{escape(path)} is damaged: {error}", "remove it, so that it is downloaded again") from None
    missing = [name for name in names if name not in found]
    if missing:
        raise DatasetError(f"{escape(path)} lacks {', '.join(missing)}")
    return [found[name] for name in names]


def cifar_batch(data: bytes, shown: str) -> UInt8:
    """The images of one pickled batch: a dictionary whose entry 'data' holds rows of 3,072 bytes, one colour after the other."""
    return _images(plain_pickle(data, shown), shown)


def labelled_cifar_batch(data: bytes, shown: str) -> tuple[UInt8, Int64]:
    """Images and classes of one pickled batch, the classes a list 'labels' or, of CIFAR-100, 'fine_labels'.

    Raises:
        DatasetError: it has no such list, or not one number from 0 to 999 for each image.
    """
    batch = plain_pickle(data, shown)
    images = _images(batch, shown)
    names = ("labels", "fine_labels")
    found = next((batch[name] for text in names for name in (text, text.encode()) if name in batch), None)
    valid = isinstance(found, list) and len(found) == len(images)
    if not valid or not all(type(label) is int and 0 <= label < MOST_CLASSES for label in found or ()):
        raise DatasetError(f"{escape(shown)} does not say the class of each image")
    return images, np.array(found, np.int64)


def _images(batch: Any, shown: str) -> UInt8:
    images = batch.get("data", batch.get(b"data")) if isinstance(batch, dict) else None
    rows = images.rows() if isinstance(images, _Array) else None
    if rows is None or rows.ndim != 2 or rows.shape[1] != 3 * 32 * 32 or not len(rows):
        raise DatasetError(f"{escape(shown)} is no batch of CIFAR images")
    return np.ascontiguousarray(rows.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))


class _Limited(io.RawIOBase):
    """A stream that ends in an error after `limit` bytes."""

    def __init__(self, source: BinaryIO | gzip.GzipFile, limit: int) -> None:
        self._source, self._left = source, limit

    def read(self, size: int = -1) -> bytes:
        data: bytes = self._source.read(size if 0 <= size <= self._left else self._left + 1)
        self._left -= len(data)
        if self._left < 0:
            raise OSError("it unpacks to more than it should")
        return data
