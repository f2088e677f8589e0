"""Which bytes are given out as the original: only those that were stored."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.memory import originals
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.memory.originals import open_original

CONTENT = b"the stored bytes"


@pytest.fixture
def stored(make_memory: Any) -> Callable[..., Memory]:
    """A memory of one file with that content, by its name."""

    def build(name: bytes, embed: bool = False) -> Memory:
        entries = Entries.build([name], [0], [hashlib.sha256(CONTENT).digest()], [len(CONTENT)])
        memory: Memory = replace(make_memory(patterns=1, files=1), entries=entries)
        return replace(memory, originals=Originals.build([CONTENT])) if embed else memory

    return build


def test_names_are_relative_to_the_memory_file(tmp_path: Path, stored: Any) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "images").mkdir()
    name = b"../images/caf\xe9.png"  # not UTF-8
    (tmp_path / "images" / os.fsdecode(b"caf\xe9.png")).write_bytes(CONTENT)
    assert open_original(stored(name), 0, tmp_path / "sub" / "m") == CONTENT
    (tmp_path / "link").symlink_to("sub/m")  # the folder that counts is that of the file, not of the link
    assert open_original(stored(name), 0, tmp_path / "link") == CONTENT


def test_only_the_stored_bytes_are_given_out(tmp_path: Path, stored: Any) -> None:
    memory, path = stored(b"a.png"), tmp_path / "m"
    file = tmp_path / "a.png"
    assert open_original(memory, 0, path) is None
    for other in (b"", CONTENT[:-1], CONTENT + b"!", CONTENT.upper()):
        file.write_bytes(other)
        assert open_original(memory, 0, path) is None
        assert open_original(stored(b"a.png", embed=True), 0, path) == CONTENT
    file.write_bytes(CONTENT)
    assert open_original(memory, 0, path) == CONTENT


def test_what_is_no_regular_file_is_not_opened(tmp_path: Path, stored: Any) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name in (b"pipe", b"zero", b"folder", b"pipe/x", b"x" * 5000):
        assert open_original(stored(name), 0, tmp_path / "m") is None


def test_a_recorded_size_without_bound_is_not_read(tmp_path: Path, stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(CONTENT)
    monkeypatch.setattr(originals, "MAX_BYTES", len(CONTENT) - 1)
    assert open_original(stored(b"a.png"), 0, tmp_path / "m") is None


@pytest.mark.parametrize("place", ["old/deep/a.png", "deep/a.png", "a.png"])
def test_a_folder_that_moved(tmp_path: Path, stored: Any, place: str) -> None:
    moved = tmp_path / "moved"
    (moved / place).parent.mkdir(parents=True)
    (moved / place).write_bytes(CONTENT)
    memory = stored(b"../old/deep/a.png")
    assert open_original(memory, 0, tmp_path / "m") is None
    assert open_original(memory, 0, tmp_path / "m", moved) == CONTENT


def test_a_wrong_embedded_copy_is_not_given_out(tmp_path: Path, stored: Any) -> None:
    memory = stored(b"a.png", embed=True)
    spoiled = replace(memory, originals=Originals(np.frombuffer(CONTENT[::-1], np.uint8), memory.originals.offsets))
    assert open_original(spoiled, 0, tmp_path / "m") is None
