"""What the header of a memory file tells, and how files that are none are refused."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from uhop_cli.errors import MemoryFileError
from uhop_cli.memory.file.container import MAX_HEADER
from uhop_cli.memory.file.header import read_header
from uhop_cli.memory.file.reader import load, save

Edit = Callable[[dict[str, Any], dict[str, Any]], object]


def edited(path: Path, edit: Edit) -> None:
    """Rewrites the file with `edit` applied to the header and to our metadata; the tensors stay as they are."""
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    metadata = json.loads(header["__metadata__"]["uhop"])
    edit(header, metadata)
    if "uhop" in header.get("__metadata__", {}):
        header["__metadata__"]["uhop"] = json.dumps(metadata)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data[8 + length :])


def raw(path: Path, text: bytes, data: bytes = b"") -> None:
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


@pytest.fixture
def path(tmp_path: Path, make_memory: Any) -> Path:
    path = tmp_path / "m.safetensors"
    save(make_memory(patterns=5, files=7, features=4, embed=True, described=True), path)
    return path


def test_the_header_tells_what_is_in_the_file(path: Path) -> None:
    header = read_header(path)
    assert (header.patterns, header.files, header.shape, header.feature_dim) == (5, 7, (3, 4, 3), 4)
    assert (header.rhos, header.chosen, header.beta, header.embedded) == ((1.0, 0.1, 0.01), 2, 1.5, True)
    assert header.described == 8
    assert header.record["self_test"] == [{"level": 0.5}]
    assert header.file_size == path.stat().st_size


def test_no_array_library_is_loaded_for_it(path: Path) -> None:
    code = (
        "import sys; from uhop_cli.memory.file.header import read_header; "
        "print(read_header(sys.argv[1]).patterns, {'numpy', 'torch', 'PIL', 'rich'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "5 set()"


def place(name: str, begin: int, end: int) -> Edit:
    return lambda header, metadata: header[name].update(data_offsets=[begin, end])


def renamed(name: str) -> Edit:
    return lambda header, metadata: header.update(other=header.pop(name))


def emptied(header: dict[str, Any], metadata: dict[str, Any]) -> None:
    header["other"] = {**header["memories"], "shape": [180]}
    header["memories"].update(shape=[0, 3, 4, 3], data_offsets=[0, 0])


EDITS: dict[str, list[Edit]] = {
    "not a memory file of uhop": [
        lambda h, m: h.pop("__metadata__"),
        lambda h, m: h.update(__metadata__={"format": "pt"}),
        lambda h, m: m.update(schema="other/1"),
        lambda h, m: m.pop("schema"),
    ],
    "version 3": [lambda h, m: m.update(schema="uhop.memory/3", pattern=None)],
    "version": [lambda h, m: m.update(schema="uhop.memory/x"), lambda h, m: m.update(schema="uhop.memory/0")],
    "tensor W is missing": [renamed("W")],
    "tensor checksum is missing": [renamed("checksum")],
    "overlaps another or leaves a hole": [
        place("W", 64, 640),
        place("padding", 0, 12),
        place("memories", 1, 180),
        lambda h, m: h.update(more={"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}),
    ],
    "bad shape or place": [
        place("W", 640, 64),
        lambda h, m: h["W"].update(shape=[-4, -36]),
        lambda h, m: h["W"].update(shape=[4.0, 36]),
        lambda h, m: h["W"].update(shape=[1] * 100),
        lambda h, m: h["W"].update(shape="4,36"),
        lambda h, m: h["W"].update(shape=[1 << 70, 0]),
        lambda h, m: h["W"].update(data_offsets=[1, 2, 3]),
        lambda h, m: h["W"].update(data_offsets=[False, True]),
    ],
    "has no type": [lambda h, m: h.update(W=7), lambda h, m: h["W"].pop("dtype"), lambda h, m: h.update({"\x1b[31m": []})],
    "not that of its shape": [lambda h, m: h["W"].update(shape=[4, 35]), lambda h, m: h["W"].update(dtype="F64")],
    "not F32 with 2": [lambda h, m: h["W"].update(dtype="I32"), lambda h, m: h["W"].update(shape=[4, 36, 1])],
    "go together": [
        *(renamed(name) for name in ("original_offsets", "originals", "local", "local_places", "local_offsets", "local_map"))
    ],
    "holds no memories": [emptied],
    "pattern is not that": [
        lambda h, m: m.update(pattern={"width": 3, "height": 4, "channels": 3}),
        lambda h, m: m.update(pattern=[]),
        lambda h, m: m.pop("pattern"),
    ],
    "bad kernel": [
        lambda h, m: m.update(kernel=None),
        lambda h, m: m["kernel"].update(chosen=True),
        lambda h, m: m["kernel"].update(chosen=0.0),
        lambda h, m: m["kernel"].update(rhos="abc"),
        lambda h, m: m["kernel"].update(rhos=["1", 2, 3]),
    ],
    "out of range": [lambda h, m: m.update(beta=10**400)],
    "bad beta": [lambda h, m: m.update(beta="1"), lambda h, m: m.update(beta=None), lambda h, m: m.update(record=[])],
    "beta": [lambda h, m: m.update(beta=-1)],
    "rho": [lambda h, m: m["kernel"].update(rhos=[1.0])],
    "chosen": [lambda h, m: m["kernel"].update(chosen=9)],
    "background": [lambda h, m: m["pattern"].update(background=[1, 2, 999])],
    "incomplete": [lambda h, m: m["pattern"].pop("background")],
    "bad header": [
        lambda h, m: m.update(record={"x": float("nan")}),
        lambda h, m: m.update(record={"x": "\ud800"}),
    ],
}


@pytest.mark.parametrize(("message", "edit"), [(message, edit) for message, edits in EDITS.items() for edit in edits])
def test_an_edited_header_is_refused_by_name_of_what_is_wrong(path: Path, message: str, edit: Edit) -> None:
    edited(path, edit)
    with pytest.raises(MemoryFileError) as caught:
        load(path)
    assert message in caught.value.message
    assert caught.value.message.isprintable()


def test_what_a_reader_does_not_know_is_passed_over(path: Path, make_memory: Any, assert_same: Any) -> None:
    size = read_header(path).tensors["checksum"].end
    edited(path, lambda h, m: h.update(later={"dtype": "F9", "shape": [3], "data_offsets": [size, size + 5]}))
    edited(path, lambda h, m: m.update(later=1))
    path.write_bytes(path.read_bytes() + bytes(5))
    assert_same(load(path), make_memory(patterns=5, files=7, features=4, embed=True, described=True))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"{", "bad header"),
        (b"{}", "not a memory file of uhop"),
        (b'{"a":1,"a":2}', "a key stands twice"),
        (b'{"a":' + b"[" * 200_000 + b"]" * 200_000 + b"}", "nested too deeply"),
        (b'{"a":1e999}', "out of range"),
        (b'{"a":Infinity}', "not a JSON number"),
        (b'{"a":' + b"9" * 5000 + b"}", "bad header"),
        (b'{"a":"\xff"}', "bad header"),
        (b'{"a":"\\ud800"}', "bad header"),
        (b'{"\x1b[31m', "bad header"),
    ],
)
def test_bad_json_is_refused(tmp_path: Path, text: bytes, message: str) -> None:
    raw(tmp_path / "m", text)
    with pytest.raises(MemoryFileError, match=message) as caught:
        read_header(tmp_path / "m")
    assert caught.value.message.isprintable()


def test_foreign_files_are_none_of_ours(tmp_path: Path) -> None:
    save_file({"W": np.zeros((2, 2), np.float32)}, tmp_path / "foreign", {"format": "pt"})
    (tmp_path / "text").write_text("not a memory file at all")
    (tmp_path / "empty").touch()
    (tmp_path / "huge").write_bytes(struct.pack("<Q", MAX_HEADER + 1) + b"{" * 100)
    (tmp_path / "huger").write_bytes(b"\xff" * 8 + b"{")
    for name, message in [("foreign", "not a memory file of uhop"), ("text", "not a safetensors"), ("empty", "not a safetensors")]:
        with pytest.raises(MemoryFileError, match=message):
            load(tmp_path / name)
    for name in ("huge", "huger"):
        with pytest.raises(MemoryFileError, match="a header of"):
            load(tmp_path / name)


def test_a_newer_version_is_said_to_be_one(path: Path) -> None:
    edited(path, lambda h, m: m.update(schema="uhop.memory/7"))
    with pytest.raises(MemoryFileError, match="version 7"):
        read_header(path)


def test_other_things_than_files_are_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere")
    cases = [
        (tmp_path, "a folder, not a memory file"),
        (tmp_path / "pipe", "not a memory file"),
        (Path("/dev/zero"), "not a memory file"),
        (tmp_path / "loop", "cannot be read"),
        (tmp_path / "dangling", "no such memory file"),
        (tmp_path / "none\x1b[31m", "no such memory file"),
        (tmp_path / ("x" * 300), "cannot be read"),
        (Path("a\0b"), "cannot be read"),
    ]
    for place, message in cases:
        with pytest.raises(MemoryFileError, match=message) as caught:
            load(place)
        assert caught.value.message.isprintable()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(path: Path) -> None:
    path.chmod(0)
    with pytest.raises(MemoryFileError, match="cannot be read: Permission denied"):
        load(path)
