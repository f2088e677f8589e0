"""A forecast memory as a safetensors file: written whole or not at all, read as hostile, nothing executed.

The metadata have one key, `uhop`: JSON with the schema `uhop.forecast-memory/1`, the settings, and the sha256 of the tensors.
Tensors:

    past      F32 (C, M, L)    the stored windows, series by series
    future    F32 (C, M, H)    what followed them
    residual  F32 (C, M, H)    what the model got wrong; may be missing
    starts    I64 (M)          the row at which each window began

Equal memories give equal bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from uhop_cli.errors import MemoryFileError, UhopError
from uhop_cli.files.atomic import AtomicFile
from uhop_cli.files.lock import lock
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular
from uhop_cli.forecasting.memory import ForecastMemory, MemorySettings
from uhop_cli.memory.file.container import FaultError, check_layout, read_json, read_tensors, read_text

SCHEMA = "uhop.forecast-memory/1"
TENSORS = {"past": ("F32", 3), "future": ("F32", 3), "residual": ("F32", 3), "starts": ("I64", 1)}
OPTIONAL = "residual"
_DTYPES = {"F32": "<f4", "I64": "<i8"}


def save(memory: ForecastMemory, path: str | Path) -> int:
    """Writes the memory to `path` and returns the bytes of the file; what is there is replaced.

    Raises:
        OutputError: `path` cannot be written.
        MemoryFileError: the memory is empty.
    """
    if not len(memory):
        raise MemoryFileError("this memory is empty", "store windows first")
    arrays = {name: getattr(memory, name) for name in TENSORS if getattr(memory, name) is not None}
    data = b"".join(np.ascontiguousarray(array, _DTYPES[TENSORS[name][0]]).tobytes() for name, array in arrays.items())
    content = {"schema": SCHEMA, "settings": asdict(memory.settings), "sha256": hashlib.sha256(data).hexdigest()}
    header: dict[str, Any] = {"__metadata__": {"uhop": json.dumps(content, sort_keys=True, allow_nan=False)}}
    place = 0
    for name, array in arrays.items():
        header[name] = {"dtype": TENSORS[name][0], "shape": list(array.shape), "data_offsets": [place, place + array.nbytes]}
        place += array.nbytes
    text = json.dumps(header, allow_nan=False).encode()
    text = text.ljust(-(-len(text) // 8) * 8)  # the tensors begin at a multiple of 8 bytes
    whole = len(text).to_bytes(8, "little") + text + data
    with lock(path), AtomicFile(path) as file:
        file.write(whole, 0)
        file.commit()
    return len(whole)


def load(path: str | Path) -> ForecastMemory:
    """The memory in the file at `path`, checked.

    Raises:
        MemoryFileError: missing, no forecast memory, of another version, truncated, damaged or inconsistent.
    """
    descriptor = open_regular(path, MemoryFileError, "forecast memory", "save() writes one")
    try:
        return _read(descriptor)
    except FaultError as fault:
        raise MemoryFileError(f"{escape(path)}: {fault}", fault.hint) from None
    except UhopError as error:
        raise MemoryFileError(f"{escape(path)}: inconsistent: {error.message}") from None
    except OSError as error:
        raise MemoryFileError(f"{escape(path)}: cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)


def _read(descriptor: int) -> ForecastMemory:
    text = read_text(descriptor)
    document = read_json(text)
    strings = document.get("__metadata__")
    content = read_json(strings["uhop"]) if isinstance(strings, dict) and isinstance(strings.get("uhop"), str) else {}
    if content.get("schema") != SCHEMA:
        raise FaultError(f"not a forecast memory of this version of uhop ({SCHEMA})")
    tensors = read_tensors(document)
    size = os.fstat(descriptor).st_size - 8 - len(text)
    check_layout(tensors, size)
    for name, (dtype, axes) in TENSORS.items():
        info = tensors.get(name)
        if info is None and name != OPTIONAL:
            raise FaultError(f"inconsistent: tensor {name} is missing")
        if info is not None and (info.dtype != dtype or len(info.shape) != axes):
            raise FaultError(f"inconsistent: tensor {name} is not {dtype} with {axes} axes")
    data = os.pread(descriptor, size, 8 + len(text))
    if hashlib.sha256(data).hexdigest() != content.get("sha256"):
        raise FaultError("damaged: its tensors are not those that were written", "take a backup, or store the windows again")
    arrays = {
        name: np.frombuffer(data[info.begin : info.end], _DTYPES[info.dtype]).reshape(info.shape)
        for name, info in tensors.items()
        if name in TENSORS
    }
    try:
        settings = MemorySettings(**content["settings"])
    except (KeyError, TypeError):
        raise FaultError("inconsistent: bad settings in the metadata") from None
    return ForecastMemory(settings, **arrays)
