"""Mutated memory files: each is refused in one line, or loads consistent, answers a query, and can be told about and verified.

    python tests/stress/memory_files.py --count 20000 [--seed N] [--keep DIR]    (from the root of the repository)

A failing case is named by its number: `--first N --count 1` runs it alone.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import hashlib
import io
import json
import pickle
import random
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from safetensors.numpy import save as save_safetensors
from watch import Watch, check_line

from uhop_cli.cli.app import run
from uhop_cli.errors import MemoryFileError, UhopError
from uhop_cli.images.decode import Image as Picture
from uhop_cli.memory.file.consistency import fault
from uhop_cli.memory.file.container import ITEM_SIZE
from uhop_cli.memory.file.reader import load, verify
from uhop_cli.querying.restorer import Restorer
from uhop_cli.querying.settings import QuerySettings, RetrievalSettings
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store

QUERIES = [
    QuerySettings(), QuerySettings(alpha="blend"), QuerySettings(retrieval=RetrievalSettings(similarity="kernel")),
    QuerySettings(retrieval=RetrievalSettings(similarity="l2", separation="sparsemax")), QuerySettings(trace=True, top=3),
]  # fmt: skip
HOSTILE: list[Any] = [
    None, True, False, 0, 1, -1, 2, 10**30, 10**400, -(2**63), 1.5, -0.0, 1e308, -1e308, 1e-320, "", "auto", "paper",
    "\x1b[2J", "x\ny",
    "\u202e", "a" * 5000, [], {}, [[]], [1e308] * 3, {"a": {"b": []}}, ["\x1b]0;t\x07"], {"\x1b[31m": "\x1b[31m"}, [None, 1, "x"],
]  # fmt: skip
NUMPY = {"U8": "<u1", "I64": "<i8", "F32": "<f4"}


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Header and tensors of a memory file."""
    size = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:size]), data[size:]


def joined(header: dict[str, Any], tensors: bytes, sealed: bool = False) -> bytes:
    """A memory file of a header and tensors; `sealed`: with the checksum that belongs to them."""
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    if sealed:
        with contextlib.suppress(KeyError, TypeError, ValueError, IndexError):
            begin, end = header["checksum"]["data_offsets"]
            tensors = tensors[:begin] + hashlib.sha256(tensors[:begin] + text).digest() + tensors[end:]
    room = -(-(8 + len(text)) // 4096) * 4096
    return (room - 8).to_bytes(8, "little") + text.ljust(room - 8) + tensors


def edited_bytes(rng: random.Random, data: bytes) -> bytes:
    """Edits of bytes: in the header's text, in the tensors, or anywhere."""
    changed = bytearray(data)
    text = len(data[: 8 + int.from_bytes(data[:8], "little")].rstrip(b" "))
    low, high = rng.choice([(8, text), (8, text), (text, len(data)), (0, len(data)), (0, 9)])
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = min(rng.randrange(low, high), max(0, len(changed) - 1))
        other, size = rng.randrange(low, high), rng.randrange(1, 64)
        match rng.randrange(7):
            case 0 if changed:
                changed[place] ^= 1 << rng.randrange(8)
            case 1:
                changed[place : place + 1] = bytes([rng.choice(b'-+.eE"\\{}[],:nN\x00\xff 0123456789')])
            case 2:
                changed[place : place + size] = changed[other : other + size]
            case 3:
                del changed[place : place + size]
            case 4:
                del changed[place + 1 :]
            case 5:
                digits = [index for index in range(place, min(place + 200, len(changed))) if 48 <= changed[index] < 58]
                if digits:
                    changed[digits[0]] = rng.choice(b"0123456789")
            case 6:
                changed += bytes(size)
    return bytes(changed)


def edited_json(rng: random.Random, data: bytes) -> bytes:
    """A value of the metadata, or several, replaced by one of another kind, removed, or doubled in depth."""
    header, tensors = split(data)
    metadata = json.loads(header["__metadata__"]["uhop"])
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        node: Any = metadata
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = rng.choice(keys)
            if isinstance(node[key], dict | list) and node[key] and rng.random() < 0.8:
                node = node[key]
                continue
            if rng.random() < 0.15:
                del node[key]
            else:
                node[key] = copy.deepcopy(rng.choice(HOSTILE))
            break
    header["__metadata__"]["uhop"] = json.dumps(metadata)
    return joined(header, tensors, sealed=rng.random() < 0.5)


def edited_layout(rng: random.Random, data: bytes) -> bytes:
    """Types, shapes and places of tensors changed, tensors renamed, removed or exchanged."""
    header, tensors = split(data)
    names = [name for name in header if name != "__metadata__"]
    name, other = rng.choice(names), rng.choice(names)
    entry = header[name]
    match rng.randrange(7):
        case 0:
            entry["dtype"] = rng.choice([*ITEM_SIZE, "F8", "", 7, None, "\x1b[2J"])
        case 1:
            axis = rng.randrange(len(entry["shape"]) + 1)
            entry["shape"][axis : axis + 1] = rng.choice([[], [0], [1], [1, 1], [2**40], [2**63], [-1], [1.5], ["x"], [True]])
        case 2:
            entry["data_offsets"][rng.randrange(2)] = rng.choice(
                [0, 1, len(tensors), len(tensors) + 1, 2**60, 2**64, -1, None, "1"]
            )
        case 3:
            header[name], header[other] = header[other], header[name]
        case 4:
            del header[name]
        case 5:
            header[rng.choice(["extra", "\x1b[2J", "__metadata__x", "W2"])] = dict(entry)
        case 6:
            entry["shape"] = rng.choice([[entry["shape"][0], 1], list(reversed(entry["shape"])), [int(np.prod(entry["shape"]))]])
    return joined(header, tensors, sealed=rng.random() < 0.5)


def edited_tensor(rng: random.Random, data: bytes) -> bytes:
    """Values of one tensor changed to extreme ones; nothing else about the file is wrong."""
    header, tensors = split(data)
    changed = bytearray(tensors)
    for _ in range(rng.choice([1, 1, 2])):
        name = rng.choice([name for name in header if name != "__metadata__"])
        info = header[name]
        begin, end = info["data_offsets"]
        values = np.frombuffer(changed, NUMPY[info["dtype"]], count=(end - begin) // ITEM_SIZE[info["dtype"]], offset=begin)
        if not values.size:
            continue
        where = slice(None) if rng.random() < 0.3 else rng.sample(range(values.size), min(values.size, rng.choice([1, 1, 3, 20])))
        if info["dtype"] == "F32":
            values[where] = rng.choice([0, -0.0, 1, -1, 1e-38, 1e-45, 1e6, 1e18, 3e38, -3e38, np.nan, np.inf, -np.inf])
        elif info["dtype"] == "I64":
            values[where] = rng.choice([0, 1, -1, 5, 2**31, 2**62, -(2**63), 2**63 - 1])
        else:
            values[where] = rng.choice([0, 1, 0x1B, 47, 46, 127, 255])
    return joined(header, bytes(changed), sealed=rng.random() < 0.7)


def foreign(rng: random.Random, data: bytes) -> bytes:
    """Files of other kinds, and of other versions."""
    header, tensors = split(data)
    match rng.randrange(6):
        case 0:
            return save_safetensors(
                {"W": np.zeros((2, 2), np.float32)}, {"uhop": rng.choice(["", "{}", '{"schema":"uhop.memory/1"}'])}
            )
        case 1:
            return pickle.dumps({"a": [1, 2, data[:99]]})
        case 2:
            return rng.choice(
                [b"", b"\x00" * 8, b"{", b"\xff" * 99, b"PK\x03\x04" + bytes(99), (2**62).to_bytes(8, "little") + b"{}"]
            )
        case 3:
            deep = b'{"a":' * 50_000
            return len(deep).to_bytes(8, "little") + deep
        case 4:
            version = rng.choice(["3", "99999999999", "0", "-1", "x", "1\x1b[2J", ""])
            header["__metadata__"]["uhop"] = header["__metadata__"]["uhop"].replace("uhop.memory/2", f"uhop.memory/{version}")
            return joined(header, tensors)
        case _:
            return rng.randbytes(rng.randrange(200))


MUTATIONS = [edited_bytes, edited_bytes, edited_json, edited_json, edited_layout, edited_tensor, edited_tensor, foreign]


def refused(error: UhopError) -> None:
    check_line(error.message)
    if error.hint:
        check_line(error.hint)


def told(arguments: list[str]) -> int:
    """Runs a command line inside this process: its exit code, after a look at all that it prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(arguments)
    assert code in (0, 1, 2), f"exit code {code}"
    assert "unexpected" not in err.getvalue(), err.getvalue()
    assert "Traceback" not in err.getvalue(), err.getvalue()
    lines = err.getvalue().splitlines()
    assert len([line for line in lines if line.startswith("error: ")]) == (code != 0), lines
    for line in out.getvalue().splitlines() + lines:
        assert line.isprintable(), f"not printable: {line!a}"
    return code


def examine(path: Path, picture: Picture, rng: random.Random) -> str:
    """Everything that is done with a memory file; returns what came of it."""
    code = told(["info", str(path), *rng.choice([[], ["--json"], ["--list"], ["-q"]])]) if rng.random() < 0.3 else None
    try:
        memory = load(path)
    except MemoryFileError as error:
        refused(error)
        return "refused"
    assert fault(memory) is None
    assert code in (0, None)
    outcome = "loaded and answered"
    try:
        restorer = Restorer(path, rng.choice(QUERIES))
        result = restorer.restore(picture)
        assert result.answer.matches
        json.dumps(result.to_json())
        assert 0 <= result.answer.matches[0].row < len(memory)
    except UhopError as error:
        refused(error)
        outcome = "loaded, query refused"
    if rng.random() < 0.3:
        try:
            verify(path)
            outcome += ", verified"
        except MemoryFileError as error:
            refused(error)
            outcome += ", found damaged"
    if rng.random() < 0.03:
        told(["info", str(path), "--guarantees"])
    if rng.random() < 0.03:
        told(["store", str(path.parent / "more"), "--add", "-m", str(path), *rng.choice([[], ["--keep-kernel"]])])
        outcome = "loaded, added to"
    return outcome


def originals(folder: Path) -> list[bytes]:
    """Good memory files of several kinds."""
    for place, numbers in (("images", range(6)), ("more", range(6, 8))):
        (folder / place).mkdir()
        for index in numbers:
            pixels = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((12, 12), Image.Resampling.BICUBIC).save(folder / place / f"{index}.png")
    files = []
    for settings in (
        StoreSettings(), StoreSettings(embed=True, color="gray"), StoreSettings(solver="gradient", iterations=5),
        StoreSettings(protocol="paper", iterations=3, size=4),
    ):  # fmt: skip
        store([folder / "images"], folder / "m.safetensors", settings, force=True)
        files.append((folder / "m.safetensors").read_bytes())
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20_000, help="mutated memory files")
    parser.add_argument("--first", type=int, default=0, help="number of the first one")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that fail")
    parser.add_argument("--hang", type=float, default=10.0, help="seconds that one file may take")
    options = parser.parse_args()
    if options.keep:
        options.keep.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("error")  # a user would see them
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = originals(folder)
        path = folder / "m.safetensors"
        picture = Picture(np.random.default_rng(1).integers(0, 256, (12, 12, 3), dtype=np.uint8), None)
        watch = Watch("memory files", options.keep, options.hang)
        with watch.silence():
            for number, data in enumerate(files):
                path.write_bytes(data)
                with watch.case(f"unchanged {number}", data):
                    outcome = examine(path, picture, random.Random(0))
                    watch.counts[f"unchanged: {outcome}"] += 1
                    assert outcome != "refused"
            for number in range(options.first, options.first + options.count):
                rng = random.Random(f"{options.seed}/{number}")
                mutation = rng.choice(MUTATIONS)
                data = mutation(rng, rng.choice(files))
                path.write_bytes(data)
                with watch.case(f"{number} {mutation.__name__}", data):
                    watch.counts[f"mutated: {examine(path, picture, rng)}"] += 1
                watch.progress(number + 1 - options.first, options.count)
    return watch.finish()


if __name__ == "__main__":
    sys.exit(main())
