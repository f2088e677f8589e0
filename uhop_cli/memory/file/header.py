"""The header of a memory file: what is in it, read and checked without loading a tensor and without NumPy.

The safetensors metadata have one key, `uhop`: JSON with the schema and its version, the pattern, the kernel family, beta, and the
record of how the memory came about.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from uhop_cli.errors import MemoryFileError
from uhop_cli.files.names import escape
from uhop_cli.memory.file.container import (
    FaultError,
    TensorInfo,
    check_layout,
    open_memory_file,
    read_json,
    read_tensors,
    read_text,
)

VERSION = 2
SCHEMA = "uhop.memory/"

# The tensors in the order of the file: type, number of axes, and whether the file may lack it.
TENSORS: dict[str, tuple[str, int, bool]] = {
    "memories": ("U8", 4, False),  # (M, height, width, channels): the patterns
    "padding": ("U8", 1, True),  # makes what follows lie at a multiple of 64 bytes
    "name_offsets": ("I64", 1, False),  # (N+1,)
    "name_entry": ("I64", 1, False),  # (N,)
    "sizes": ("I64", 1, False),  # (N,)
    "near": ("I64", 2, True),  # (P, 2): rows of pairs of nearly equal patterns
    "shapes": ("I64", 2, True),  # (M, 2): width and height of each original
    "original_offsets": ("I64", 1, True),  # (N+1,)
    "local_offsets": ("I64", 1, True),  # (M+1,), with the next three: `LocalDescriptors`
    "W": ("F32", 2, False),  # (D, d)
    "gains": ("F32", 2, False),  # (R, D)
    "spectrum": ("F32", 1, True),  # (D,)
    "norms": ("F32", 2, False),  # (M, R)
    "block_sums": ("F32", 2, True),  # (M, B), with the next four and bands: `Statistics`
    "block_squares": ("F32", 2, True),  # (M, B)
    "centred_norms": ("F32", 2, True),  # (M, R')
    "band_scales": ("F32", 2, True),  # (M, W)
    "variances": ("F32", 1, True),  # (d - C,)
    "opacity_sums": ("F32", 3, True),  # (M, 2 + 2C, B')
    "compact": ("F32", 2, True),  # (k, M)
    "compact_map": ("F32", 2, True),  # (k - B, d)
    "local_map": ("F32", 2, True),  # (K+1, 128)
    "local": ("I8", 2, True),  # (L, K)
    "local_places": ("U8", 2, True),  # (L, 4)
    "near_verified": ("I8", 1, True),  # (P,)
    "bands": ("I8", 2, True),  # (M, K)
    "opacity": ("U8", 3, True),  # (M, height, width)
    "digests": ("U8", 2, False),  # (N, 32)
    "name_bytes": ("U8", 1, False),
    "originals": ("U8", 1, True),
    "checksum": ("U8", 1, False),  # (32,): sha256 of the tensors before it and of the header
}

LOCAL = ("local", "local_places", "local_offsets", "local_map")  # those of `LocalDescriptors`


@dataclass(frozen=True)
class Header:
    """What a memory file says about itself.

    Attributes:
        tensors: name -> place, those of this version only.
        data_start: where the tensors begin, in bytes from the start of the file.
        file_size: bytes of the whole file.
        text: the header's JSON as it stands in the file, without the spaces that fill it up.
        pattern: width, height, channels and background of the patterns, as `PatternSpec.to_json` wrote them.
        rhos: the regularisations of the kernel family; empty for an explicit W.
        chosen: the member that W is the map of.
        beta: inverse temperature.
        record: settings, history of Stage I, self-test and calibration, seed, versions, as JSON values. Nothing about it is
            checked but that it is JSON with finite numbers and encodable text.
    """

    tensors: Mapping[str, TensorInfo]
    data_start: int
    file_size: int
    text: bytes
    pattern: Mapping[str, Any]
    rhos: tuple[float, ...]
    chosen: int
    beta: float
    record: Mapping[str, Any]

    @property
    def patterns(self) -> int:
        """M, the number of stored patterns."""
        return self.tensors["memories"].shape[0]

    @property
    def files(self) -> int:
        """N, the number of stored files: at least M, as duplicates share a pattern."""
        return self.tensors["name_entry"].shape[0]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of a pattern."""
        _, height, width, channels = self.tensors["memories"].shape
        return height, width, channels

    @property
    def described(self) -> int:
        """L, the number of local descriptors."""
        return self.tensors["local"].shape[0] if "local" in self.tensors else 0

    @property
    def feature_dim(self) -> int:
        """D, the number of features."""
        return self.tensors["W"].shape[0]

    @property
    def embedded(self) -> bool:
        """Whether the file holds the bytes of the original images."""
        return "originals" in self.tensors


def read_header(path: str | Path) -> Header:
    """The checked header of the memory file at `path`. Loads no tensor and no NumPy.

    Raises:
        MemoryFileError: missing, not a regular file, not a memory file, of a newer version, truncated or inconsistent.
    """
    descriptor = open_memory_file(path)
    try:
        return parse(descriptor, path)
    finally:
        os.close(descriptor)


def parse(descriptor: int, path: str | Path) -> Header:
    """The checked header of the open file; `path` is for the messages."""
    try:
        text = read_text(descriptor)
        document = read_json(text)
        metadata = _read_metadata(document)
        _read_version(metadata)
        tensors = read_tensors(document)
        size = os.fstat(descriptor).st_size
        check_layout(tensors, size - 8 - len(text))
        _check_tensors(tensors)
        pattern, rhos, chosen, beta, record = _read_fields(metadata, tensors["memories"].shape)
    except FaultError as fault:
        raise MemoryFileError(f"{escape(path)}: {fault}", fault.hint) from None
    except OSError as error:
        raise MemoryFileError(f"{escape(path)}: cannot be read: {error.strerror}") from None
    known = {name: tensors[name] for name in TENSORS if name in tensors}
    return Header(known, 8 + len(text), size, text.rstrip(b" "), pattern, rhos, chosen, beta, record)


def _read_metadata(document: Mapping[str, Any]) -> dict[str, Any]:
    strings = document.get("__metadata__")
    if not isinstance(strings, dict) or not isinstance(strings.get("uhop"), str):
        raise FaultError("a safetensors file, but not a memory file of uhop")
    metadata = read_json(strings["uhop"])
    if not str(metadata.get("schema")).startswith(SCHEMA):
        raise FaultError("a safetensors file, but not a memory file of uhop")
    return metadata


def _read_version(metadata: Mapping[str, Any]) -> None:
    digits = str(metadata["schema"]).removeprefix(SCHEMA)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise FaultError("inconsistent: its version is no number")
    if int(digits) > VERSION:
        found = f"a memory file of version {int(digits)}; this uhop reads up to version {VERSION}"
        raise FaultError(found, "a newer uhop reads it")
    if int(digits) < 1:
        raise FaultError(f"inconsistent: there is no version {int(digits)}")


def _check_tensors(tensors: Mapping[str, TensorInfo]) -> None:
    for name, (dtype, axes, optional) in TENSORS.items():
        info = tensors.get(name)
        if info is None:
            if not optional:
                raise FaultError(f"inconsistent: tensor {name} is missing")
        elif info.dtype != dtype or len(info.shape) != axes:
            found = f"{ascii(info.dtype)[:20]} with {len(info.shape)} axes"
            raise FaultError(f"inconsistent: tensor {name} is {found}, not {dtype} with {axes}")
    for first, *others in (("originals", "original_offsets"), ("near", "near_verified"), LOCAL):
        for other in others:
            if (first in tensors) != (other in tensors):
                raise FaultError(f"inconsistent: {first} and {other} go together")
    if 0 in tensors["memories"].shape:
        raise FaultError("inconsistent: it holds no memories")
    if tensors["checksum"].shape != (32,):
        raise FaultError("inconsistent: tensor checksum is not 32 bytes")


def _read_fields(
    metadata: Mapping[str, Any], memories: tuple[int, ...]
) -> tuple[dict[str, Any], tuple[float, ...], int, float, dict[str, Any]]:
    pattern, kernel, record = metadata.get("pattern"), metadata.get("kernel"), metadata.get("record")
    beta: Any = metadata.get("beta")
    if not isinstance(pattern, dict) or [pattern.get(key) for key in ("height", "width", "channels")] != list(memories[1:]):
        raise FaultError("inconsistent: the metadata's pattern is not that of tensor memories")
    if not isinstance(kernel, dict) or type(kernel.get("chosen")) is not int or not isinstance(kernel.get("rhos"), list):
        raise FaultError("inconsistent: bad kernel in the metadata")
    if not all(type(rho) in (int, float) for rho in kernel["rhos"]):
        raise FaultError("inconsistent: bad kernel in the metadata")
    if not 0 <= kernel["chosen"] < max(1, len(kernel["rhos"])):
        raise FaultError("inconsistent: the chosen kernel is none of the grid of rho")
    if type(beta) not in (int, float) or not isinstance(record, dict):
        raise FaultError("inconsistent: bad beta or record in the metadata")
    try:
        return pattern, tuple(float(rho) for rho in kernel["rhos"]), kernel["chosen"], float(beta), record
    except OverflowError:
        raise FaultError("inconsistent: a number in the metadata is out of range") from None
