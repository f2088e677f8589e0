"""Writing a memory file: patterns are streamed as they come, the rest follows, the header is put in last.

The file appears whole or not at all (`atomic`). Equal memories give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import UInt8
from uhop_cli.errors import MemoryFileError
from uhop_cli.evidence.statistics import Statistics
from uhop_cli.files.atomic import AtomicFile, clean
from uhop_cli.files.system import content, read_at
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.file.consistency import fault
from uhop_cli.memory.file.header import LOCAL, SCHEMA, TENSORS, VERSION
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory

BLOCK = 1 << 16  # the header takes a whole number of blocks, so that the patterns begin at a page
ALIGNMENT = 64
CHUNK = 8 << 20


class Writer:
    """A memory file in the making; leaving the block before `finish` discards it and leaves what was at `path` as it was.

        with Writer(path) as writer:
            writer.begin(spec)
            for chunk in chunks:
                writer.append(chunk)
            writer.finish(memory)    # memory.patterns: writer.patterns(), or equal to what was appended

    Whether a file at `path` may be replaced is for the caller to decide.

    Raises:
        OutputError: `path` cannot be written, or there is no space.
    """

    def __init__(self, path: str | Path) -> None:
        self._file = AtomicFile(path)
        self._room = BLOCK
        self._needed: int | None = None

    def __enter__(self) -> Writer:
        clean(self._file.path.parent)
        self._file.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.__exit__(kind, error, trace)

    def begin(self, spec: PatternSpec) -> None:
        """Starts with no pattern of the shape that `spec` gives."""
        self._spec = spec
        self._count = 0
        self._size = 0  # bytes of the tensors so far
        self._hash = hashlib.sha256()

    @property
    def place(self) -> tuple[str, int]:
        """Where the patterns are while the file is in the making: the name of a temporary file beside it, and the first byte."""
        return self._file.name, self._room

    def append(self, patterns: UInt8) -> None:
        """Adds patterns, uint8 (n, H, W, C)."""
        if patterns.dtype != np.uint8 or patterns.shape[1:] != self._spec.shape:
            raise ValueError(f"patterns are {patterns.dtype} {patterns.shape}, not uint8 (n, {self._spec.shape})")
        self._write(patterns)
        self._count += patterns.shape[0]

    def patterns(self) -> UInt8:
        """All patterns so far, (M, H, W, C), read-only, in place in the file; they stay valid when the block is left."""
        if not self._count:
            return np.zeros((0, *self._spec.shape), np.uint8)
        view = content(self._file.descriptor, self._room + self._count * self._spec.dim)
        return np.frombuffer(view, np.uint8, offset=self._room).reshape(-1, *self._spec.shape)

    def finish(self, memory: Memory, *, commit: bool = True) -> int:
        """Writes the rest of `memory`, whose patterns are those appended, and puts the file in its place.

        Args:
            memory: see above.
            commit: False leaves the last step to `commit`.

        Returns:
            the size of the file in bytes.

        Raises:
            MemoryFileError: the parts of the memory don't fit each other.
        """
        wrong = fault(memory)
        if wrong is None and (memory.spec != self._spec or len(memory) != self._count):
            wrong = f"{self._count} memories were written, not {len(memory)}"
        if wrong:
            raise MemoryFileError(f"this memory cannot be saved: {wrong}")
        text, tensors, data_size = self._lay_out(memory)
        room = -(-(8 + len(text)) // BLOCK) * BLOCK
        self._needed = room + data_size
        if room > self._room:
            self._move(room)
        for array in tensors:
            self._write(array)
        self._hash.update(text)
        self._digest = self._hash.digest()
        self._write(np.frombuffer(self._digest, np.uint8))
        self._file.write((room - 8).to_bytes(8, "little") + text.ljust(room - 8), 0, self._needed)
        if commit:
            self.commit()
        return self._needed

    def commit(self) -> None:
        """Puts the finished file in its place."""
        self._file.commit()

    @property
    def checksum(self) -> str:
        """The tensor `checksum` of the finished file, in hexadecimal digits."""
        return self._digest.hex()

    def _lay_out(self, memory: Memory) -> tuple[bytes, list[NDArray[np.generic]], int]:
        """The header's text, the tensors between memories and checksum in the order of the file, and the bytes of all tensors."""
        parts = _tensors(memory)
        if self._size % ALIGNMENT:
            parts["padding"] = np.zeros(-self._size % ALIGNMENT, np.uint8)
        tensors = [(name, parts[name]) for name in TENSORS if name in parts]
        shapes = [("memories", memory.patterns.shape, self._size)]
        shapes += [(name, array.shape, array.nbytes) for name, array in tensors]
        shapes += [("checksum", (32,), 32)]
        header: dict[str, Any] = {"__metadata__": {"uhop": _json(_metadata(memory))}}
        place = 0
        for name, shape, size in shapes:
            header[name] = {"dtype": TENSORS[name][0], "shape": list(shape), "data_offsets": [place, place + size]}
            place += size
        return _json(header).encode(), [array for _, array in tensors], place

    def _write(self, array: NDArray[np.generic]) -> None:
        """Adds an array to the data, in pieces."""
        flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        needed = self._needed or self._room + self._size + flat.size
        for begin in range(0, flat.size, CHUNK):
            piece = flat[begin : begin + CHUNK].data
            self._file.write(piece, self._room + self._size, needed)
            self._hash.update(piece)
            self._size += len(piece)

    def _move(self, room: int) -> None:
        """Makes room for a header longer than was thought. In another file, as the patterns of this one may be in use."""
        old, new = self._file, AtomicFile(self._file.path)
        new.__enter__()
        self._file = new
        try:
            for begin in range(0, self._size, CHUNK):
                piece = read_at(old.descriptor, min(CHUNK, self._size - begin), self._room + begin)
                new.write(piece, room + begin, self._needed)
        finally:
            old.discard()
        self._room = room


def _tensors(memory: Memory) -> dict[str, NDArray[np.generic]]:
    """The tensors of the file but for memories, padding and checksum."""
    kernel, entries = memory.kernel, memory.entries
    optional: dict[str, NDArray[np.generic] | None] = {
        "spectrum": kernel.spectrum,
        "shapes": memory.shapes,
        **_statistics(memory.statistics),
        "opacity": memory.opacity,
        "opacity_sums": None if memory.statistics is None else memory.statistics.opacity,
        "compact": memory.compact,
        "compact_map": memory.compact_map,
        "near": None if memory.near is None else memory.near.pairs,
        "near_verified": None if memory.near is None else memory.near.verified,
        **_local(memory.local),
        "originals": None if memory.originals is None else memory.originals.data,
        "original_offsets": None if memory.originals is None else memory.originals.offsets,
    }
    return {
        "W": kernel.weight,
        "gains": kernel.gains,
        "norms": memory.norms,
        "name_bytes": entries.name_bytes,
        "name_offsets": entries.name_offsets,
        "name_entry": entries.name_entry,
        "digests": entries.digests,
        "sizes": entries.sizes,
        **{name: array for name, array in optional.items() if array is not None},
    }


def _statistics(statistics: Statistics | None) -> dict[str, NDArray[np.generic]]:
    if statistics is None:
        return {}
    return {
        "block_sums": statistics.sums,
        "block_squares": statistics.squares,
        "centred_norms": statistics.norms,
        "bands": statistics.bands,
        "band_scales": statistics.band_scales,
        "variances": statistics.variances,
    }


def _local(local: LocalDescriptors | None) -> dict[str, NDArray[np.generic]]:
    return {} if local is None else dict(zip(LOCAL, (local.codes, local.places, local.offsets, local.directions), strict=True))


def _metadata(memory: Memory) -> dict[str, Any]:
    return {
        "schema": f"{SCHEMA}{VERSION}",
        "pattern": memory.spec.to_json(),
        "kernel": {"rhos": list(memory.kernel.rhos), "chosen": memory.kernel.chosen},
        "beta": memory.beta,
        "record": dict(memory.record),
    }


def _json(value: object) -> str:
    """Compact JSON with sorted keys: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
