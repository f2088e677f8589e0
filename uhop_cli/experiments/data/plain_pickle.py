"""The pickles of CIFAR-10 read without unpickling: a machine that knows numbers, text, lists and arrays and calls nothing."""

from __future__ import annotations

import pickletools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from uhop_cli.arrays.types import UInt8
from uhop_cli.errors import DatasetError
from uhop_cli.files.names import escape

_ARRAY, _NEW_ARRAY, _DTYPE, _ENCODE = "array", "new array", "dtype", "encode"
_ALLOWED = {
    ("numpy", "ndarray"): _ARRAY,
    ("numpy", "dtype"): _DTYPE,
    ("numpy.core.multiarray", "_reconstruct"): _NEW_ARRAY,
    ("numpy._core.multiarray", "_reconstruct"): _NEW_ARRAY,
    ("_codecs", "encode"): _ENCODE,
}


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
