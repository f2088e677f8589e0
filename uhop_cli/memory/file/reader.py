"""Memory files, one or in shards: save, load, verify. The format stands in `header` (what is in it) and docs/memory-file.md."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.arrays.types import UInt8
from uhop_cli.errors import MemoryFileError, UhopError
from uhop_cli.evidence.statistics import Statistics
from uhop_cli.files.lock import lock
from uhop_cli.files.names import escape
from uhop_cli.files.system import content, read_at
from uhop_cli.images.patterns import PatternSpec, to_vectors
from uhop_cli.kernel.feature_map import KernelFamily
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.file.consistency import fault
from uhop_cli.memory.file.container import open_memory_file
from uhop_cli.memory.file.header import LOCAL, Header, parse
from uhop_cli.memory.file.index import Index, is_index, located, read_index
from uhop_cli.memory.file.shards import CURE, check_alike, damaged, opened
from uhop_cli.memory.file.writer import CHUNK, Writer
from uhop_cli.memory.joining import joined
from uhop_cli.memory.local import LocalDescriptors
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.memory.near import NearPairs
from uhop_cli.progress import OnProgress, Progress

# Up to here a file is read, beyond it mapped: reading is as quick, and no other program can then change what was loaded.
MAPPED = 32 << 20
LONGEST = 300  # characters of what is wrong, in which the file may have a say
STATISTICS = ("block_sums", "block_squares", "centred_norms", "bands", "band_scales", "variances")  # those of `Statistics`
_Read = tuple[Memory, Header, UInt8]  # a memory, its file's header, and its tensors as bytes
_DTYPES = {"U8": "|u1", "I8": "|i1", "I64": "<i8", "F32": "<f4"}


def save(memory: Memory, path: str | Path) -> int:
    """Writes `memory` to `path`, whole or not at all; returns the size of the file in bytes. What is there is replaced.

    Raises:
        OutputError: `path` cannot be written, there is no space, or another writer is at it.
        MemoryFileError: the parts of the memory don't fit each other.
    """
    rows = max(1, CHUNK // memory.spec.dim)
    with lock(path), Writer(path) as writer:
        writer.begin(memory.spec)
        for begin in range(0, len(memory), rows):
            writer.append(memory.patterns[begin : begin + rows])
        return writer.finish(memory)


def load(path: str | Path) -> Memory:
    """The memory in the file at `path`, consistent; its arrays are read-only and, in a large file, read when they are used.

    Of a memory in shards `path` is the index, or the name without its suffix (`index.located`).
    It stays one whole version when the file is replaced meanwhile. Contents are not checked against the checksum (`verify`).

    Raises:
        MemoryFileError: missing, not a memory file, of a newer version, truncated or inconsistent.
    """
    place = located(path)
    if not is_index(place):
        return _load(place)[0]
    return _joined(read_index(place), lambda read, number: read[0])


def verify(path: str | Path, progress: OnProgress | None = None) -> Memory:
    """Reads all of the memory at `path`, with all its shards, and returns it.

    Checked beyond what `load` does: the checksum over every tensor and the header; that the safetensors library opens the file and
    sees the same tensors, as everybody else would read it; that norms are those of the kernel on the patterns, to a relative 1e-3;
    finite codes; distinct names; sha256 of the embedded originals; that all shards have the same kernel.

    Args:
        progress: told how far it is.

    Raises:
        MemoryFileError: what is wrong, by tensor, and in which shard.
    """
    place = located(path)
    if not is_index(place):
        return _verified(place, _load(place), progress)
    index = read_index(place)
    memory = _joined(index, lambda read, number: _verified(index.place(number), read, progress))
    for number, shard in enumerate(memory.shards):
        if not all(np.array_equal(getattr(shard.kernel, name), getattr(memory.kernel, name)) for name in ("weight", "gains")):
            raise damaged(index, number, "its kernel is not that of the first shard")
    if len(set(memory.entries.names())) < len(memory.entries):
        raise MemoryFileError(f"{escape(place)}: damaged: two shards have a file of one name", CURE)
    return memory


def _verified(path: Path, read: _Read, progress: OnProgress | None) -> Memory:
    memory, header, data = read
    wrong = _checksum_fault(header, data) or _foreign_fault(path, header) or _content_fault(memory, progress)
    if wrong:
        raise MemoryFileError(f"{escape(path)}: damaged: {wrong}", "store the images again, or take a backup")
    return memory


def load_shard(index: Index, number: int) -> Memory:
    """One shard of a memory; the others are not opened.

    Raises:
        MemoryFileError: it is missing or damaged; the message names it.
    """
    return _read_shard(index, number)[0]


def _joined(index: Index, checked: Callable[[_Read, int], Memory]) -> Memory:
    """The memory of all shards, each of which `checked` has seen."""
    shards, headers = [], []
    for number in range(len(index.shards)):
        read = _read_shard(index, number)
        headers.append(read[1])
        try:
            shards.append(checked(read, number))
        except MemoryFileError as error:
            raise damaged(index, number, error.message) from None
    check_alike(index, headers)
    near = None if index.near is None else np.array(index.near, np.int64).reshape(-1, 3)
    return joined(shards, None if near is None else NearPairs(near[:, :2], near[:, 2].astype(np.int8)))


def _read_shard(index: Index, number: int) -> _Read:
    place = index.place(number)
    with opened(index, number) as (descriptor, header):
        try:
            return _assembled(descriptor, header, place)
        except MemoryFileError as error:
            raise damaged(index, number, error.message) from None


def _load(path: Path) -> _Read:
    """What is in a memory file."""
    descriptor = open_memory_file(path)
    try:
        return _assembled(descriptor, parse(descriptor, path), path)
    finally:
        os.close(descriptor)


def _assembled(descriptor: int, header: Header, path: Path) -> _Read:
    """The memory of an open file, its header, and all tensors as bytes."""
    try:
        data = _read(descriptor, header.file_size)[header.data_start :]
    except (OSError, ValueError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or "it became shorter while it was read, or memory is short"
        raise MemoryFileError(f"{escape(path)}: cannot be read: {reason}") from None
    try:
        memory = _assemble(header, data)
        wrong = fault(memory)
    except UhopError as error:
        wrong = error.message
    if wrong:
        raise MemoryFileError(f"{escape(path)}: inconsistent: {escape(wrong)[:LONGEST]}")
    return memory, header, data


def _read(descriptor: int, size: int) -> UInt8:
    """All bytes of the file."""
    if size > MAPPED:
        return np.frombuffer(content(descriptor, size), np.uint8)
    data = read_at(descriptor, size, 0)
    if len(data) < size:
        raise ValueError("short")
    return np.frombuffer(data, np.uint8)


def _assemble(header: Header, data: UInt8) -> Memory:
    arrays = {
        name: np.frombuffer(data[info.begin : info.end], _DTYPES[info.dtype]).reshape(info.shape)
        for name, info in header.tensors.items()
    }
    return Memory(
        spec=PatternSpec.from_json(dict(header.pattern)),
        patterns=arrays["memories"],
        kernel=KernelFamily(arrays["W"], arrays["gains"], header.rhos, header.chosen, arrays.get("spectrum")),
        norms=arrays["norms"],
        entries=Entries(**{name: arrays[name] for name in ("name_bytes", "name_offsets", "name_entry", "digests", "sizes")}),
        beta=header.beta,
        record=header.record,
        statistics=_statistics(arrays),
        compact=arrays.get("compact"),
        compact_map=arrays.get("compact_map"),
        near=NearPairs(arrays["near"], arrays["near_verified"]) if "near" in arrays else None,
        shapes=arrays.get("shapes"),
        local=LocalDescriptors(*(arrays[name] for name in LOCAL)) if LOCAL[0] in arrays else None,
        opacity=arrays.get("opacity"),
        originals=Originals(arrays["originals"], arrays["original_offsets"]) if header.embedded else None,
    )


def _statistics(arrays: dict[str, Any]) -> Statistics | None:
    if not all(name in arrays for name in STATISTICS):
        return None
    optional = [arrays["opacity_sums"]] if "opacity_sums" in arrays else []
    return Statistics(*[arrays[name] for name in STATISTICS], *optional)


def _checksum_fault(header: Header, data: UInt8) -> str | None:
    info = header.tensors["checksum"]
    digest = hashlib.sha256(data[: info.begin].data)
    digest.update(header.text)
    return None if digest.digest() == data[info.begin : info.end].tobytes() else "checksum is not that of its bytes"


def _foreign_fault(path: str | Path, header: Header) -> str | None:
    """What the safetensors library makes of the file: another reader's word on its form."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            seen = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118  it is no mapping
    except (SafetensorError, OSError) as error:
        return f"the safetensors library cannot read it: {error}"
    different = [name for name, info in header.tensors.items() if seen.get(name) != info.shape]
    return f"{different[0]} is another tensor to the safetensors library" if different else None


def _content_fault(memory: Memory, progress: OnProgress | None) -> str | None:
    entries, originals = memory.entries, memory.originals
    if memory.compact is not None and not np.isfinite(memory.compact).all():
        return "compact has values that are not finite"
    if len(set(entries.names())) < len(entries):
        return "name_bytes has a name twice"
    rows = max(1, CHUNK // (4 * memory.spec.dim))
    embedded = 0 if originals is None else len(entries)
    total = len(memory) + embedded
    tolerance = 1e-3 * memory.norms.max(axis=0)
    for begin in range(0, len(memory), rows):
        with np.errstate(over="ignore", invalid="ignore"):  # of a hostile W; what isn't finite is no norm
            norms = memory.kernel.norms(to_vectors(memory.patterns[begin : begin + rows]))
        if not np.allclose(norms, memory.norms[begin : begin + rows], rtol=1e-3, atol=tolerance):
            return "norms are not those of the kernel on the memories"
        if progress:
            progress(Progress("verify", min(begin + rows, len(memory)), total))
    for index in range(embedded):
        content = originals.content(index) if originals is not None else b""
        if content and hashlib.sha256(content).digest() != entries.digest(index):
            return f"originals: the copy of {escape(entries.name(index))} is not the file that was stored"
        if progress:
            progress(Progress("verify", len(memory) + index + 1, total))
    return None
