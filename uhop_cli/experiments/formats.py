"""The formats of the published data sets: IDX files, pickled CIFAR batches, and the archive that these come in.

Files are bounded before they are read. A pickle is never unpickled: `plain_pickle` interprets the few instructions that lists,
dictionaries, strings, numbers and arrays of bytes need, and refuses every other, so that no file can name a function to call.
"""

from __future__ import annotations

import gzip
import io
import pickletools
import struct
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from uhop_cli.errors import DatasetError
from uhop_cli.images.discover import escape

UInt8 = NDArray[np.uint8]

IDX_MAGIC = 0x00000803  # unsigned bytes, three axes
LARGEST_FILE = 256 << 20  # bytes of one plain file; the largest of the published ones has 155 MB
LARGEST_ARCHIVE = 512 << 20  # bytes of an archive, unpacked; the published ones have 186 MB
LARGEST_SIDE = 1024

_ARRAY, _NEW_ARRAY, _DTYPE, _ENCODE = "array", "new array", "dtype", "encode"
_ALLOWED = {
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _DTYPE,
    ("numpy.core.multiarray", "_reconstruct"): _NEW_ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _NEW_ARRAY,
    ("_codecs", "encode"): _ENCODE,
}


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
        if not path.is_file():
            raise DatasetError(f"{escape(path)} is no regular file")
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DatasetError(f"{escape(path)} cannot be read: {error}") from None
    if len(data) > LARGEST_FILE:
        raise DatasetError(f"{escape(path)} is too large for what it should be")
    return data


def read_cifar(folder: Path, names: Sequence[str]) -> UInt8:
    """The images of the named batches in a folder, (N, 32, 32, 3) uint8."""
    return np.concatenate([cifar_batch(read_file(folder / name), str(folder / name)) for name in names])


def read_cifar_archive(path: Path, names: Sequence[str]) -> UInt8:
    """The images of the named batches inside a .tar.gz, read as a stream: nothing is unpacked to the disk.

    Raises:
        DatasetError: the archive is damaged, too large, or lacks a batch.
    """
    found: dict[str, UInt8] = {}
    try:
        with gzip.open(path) as packed, tarfile.open(fileobj=_Limited(packed, LARGEST_ARCHIVE), mode="r|") as archive:
            for member in archive:
                name = member.name.rpartition("/")[2]
                if name in names and member.isreg() and member.size <= LARGEST_FILE:
                    file = archive.extractfile(member)
                    assert file is not None
                    found[name] = cifar_batch(file.read(), f"{path}:{name}")
    except (OSError, EOFError, zlib.error, tarfile.TarError) as error:
        raise DatasetError(f"{escape(path)} is damaged: {error}", "remove it, so that it is downloaded again") from None
    missing = [name for name in names if name not in found]
    if missing:
        raise DatasetError(f"{escape(path)} lacks {', '.join(missing)}")
    return np.concatenate([found[name] for name in names])


def cifar_batch(data: bytes, shown: str) -> UInt8:
    """The images of one pickled batch: a dictionary whose entry 'data' holds rows of 3,072 bytes, one colour after the other."""
    batch = plain_pickle(data, shown)
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


@dataclass
class _DType:
    """What a pickle calls a dtype: its name."""

    name: str


class _Array:
    """What a pickle calls an array, before it is one: its shape, dtype and bytes, checked only by `rows`."""

    state: tuple[Any, ...] = ()

    def rows(self) -> UInt8 | None:
        """The array, if it is one of unsigned bytes in rows."""
        match self.state:
            case (_, tuple(shape), _DType("u1" | "|u1" | "uint8"), bool(fortran), bytes(data)) if len(shape) == 2:
                if not all(isinstance(side, int) and side >= 0 for side in shape) or shape[0] * shape[1] != len(data):
                    return None
                return np.frombuffer(data, np.uint8).reshape(shape, order="F" if fortran else "C")
        return None


class _Mark:
    """Where a collection begins on the stack."""


def plain_pickle(data: bytes, shown: str) -> Any:
    """The value of a pickle of plain data, by interpreting an allow-list of its instructions.

    Strings of Python 2 become bytes. Arrays become `_Array`, and nothing else than arrays of numbers can be constructed.

    Raises:
        DatasetError: it is no pickle, or has an instruction or a name outside the list.
    """
    machine = _Machine()
    try:
        for opcode, argument, _ in pickletools.genops(data):
            action = _ACTIONS.get(opcode.name)
            if action is None:
                raise DatasetError(f"{escape(shown)} is no plain data: {opcode.name} is not allowed in it")
            action(machine, argument)
        (value,) = machine.stack
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DatasetError(f"{escape(shown)} is no pickle of plain data: {error}") from None
    return value


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop_mark(self) -> list[Any]:
        """Everything above the topmost mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if isinstance(self.stack[place], _Mark):
                items = self.stack[place + 1 :]
                del self.stack[place:]
                return items
        raise ValueError("a collection has no beginning")

    def pack(self, count: int) -> None:
        items = self.stack[len(self.stack) - count :]
        if len(items) < count:
            raise ValueError("the stack is empty")
        del self.stack[len(self.stack) - count :]
        self.stack.append(tuple(items))

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, list):
            raise TypeError("items are added to what is no list")
        target.extend(items)

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if not isinstance(target, dict) or len(items) % 2:
            raise TypeError("entries are added to what is no dictionary")
        target.update(zip(items[::2], items[1::2], strict=True))

    def name(self, module: str, name: str) -> None:
        if (module, name) not in _ALLOWED:
            raise ValueError(f"{module}.{name} is not allowed in it")
        self.stack.append(_Name(_ALLOWED[module, name]))

    def call(self) -> None:
        """The three calls that an array of bytes is made with; none runs code from the file or from NumPy."""
        arguments, function = self.stack.pop(), self.stack.pop()
        match function, arguments:
            case _Name(what), (_Name(), tuple(), bytes()) if what == _NEW_ARRAY:
                self.stack.append(_Array())
            case _Name(what), (bytes() | str() as kind, *_) if what == _DTYPE:
                self.stack.append(_DType(kind.decode("ascii") if isinstance(kind, bytes) else kind))
            case _Name(what), (str(text), str() | bytes()) if what == _ENCODE:
                self.stack.append(text.encode("latin-1"))
            case _:
                raise ValueError("a call is not allowed in it")

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, _Array) and isinstance(state, tuple):
            target.state = state
        elif not isinstance(target, _DType):
            raise ValueError("an object is not allowed in it")


@dataclass(frozen=True)
class _Name:
    """One of the names that are allowed; not the thing itself."""

    what: str


def _text(machine: _Machine, argument: Any) -> None:
    machine.push(argument.encode("latin-1"))


def _push(machine: _Machine, argument: Any) -> None:
    machine.push(argument)


def _memoize(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else argument] = machine.stack[-1]


def _pop_name(machine: _Machine, argument: Any) -> None:
    name, module = machine.stack.pop(), machine.stack.pop()
    machine.name(str(module), str(name))


_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), lambda machine, argument: None),
    **dict.fromkeys(("BININT", "BININT1", "BININT2", "INT", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"), _push),
    **dict.fromkeys(("BINBYTES", "SHORT_BINBYTES"), _push),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING", "STRING"), _text),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _memoize),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), lambda machine, argument: machine.push(machine.memo[argument])),
    "NONE": lambda machine, argument: machine.push(None),
    "NEWTRUE": lambda machine, argument: machine.push(True),
    "NEWFALSE": lambda machine, argument: machine.push(False),
    "MARK": lambda machine, argument: machine.push(_Mark()),
    "EMPTY_DICT": lambda machine, argument: machine.push({}),
    "EMPTY_LIST": lambda machine, argument: machine.push([]),
    "EMPTY_TUPLE": lambda machine, argument: machine.push(()),
    "TUPLE": lambda machine, argument: machine.push(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine, argument: machine.pack(1),
    "TUPLE2": lambda machine, argument: machine.pack(2),
    "TUPLE3": lambda machine, argument: machine.pack(3),
    "APPEND": lambda machine, argument: machine.extend([machine.stack.pop()]),
    "APPENDS": lambda machine, argument: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, argument: machine.update([machine.stack.pop(-2), machine.stack.pop()]),
    "SETITEMS": lambda machine, argument: machine.update(machine.pop_mark()),
    "GLOBAL": lambda machine, argument: machine.name(*argument.split(" ", 1)),
    "STACK_GLOBAL": _pop_name,
    "REDUCE": lambda machine, argument: machine.call(),
    "BUILD": lambda machine, argument: machine.build(),
}
