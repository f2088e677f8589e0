"""Patterns streamed into a file whose length nobody knows yet, and what happens when that goes wrong."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import MemoryFileError, OutputError
from uhop_cli.files import atomic
from uhop_cli.memory.file.header import read_header
from uhop_cli.memory.file.reader import load, save
from uhop_cli.memory.file.writer import BLOCK, Writer


def test_patterns_can_be_used_while_they_are_written_and_after(tmp_path: Path, make_memory: Any) -> None:
    memory = make_memory(patterns=5)
    with Writer(tmp_path / "m") as writer:
        writer.begin(memory.spec)
        assert writer.patterns().shape == (0, 3, 4, 3)
        writer.append(memory.patterns[:2])
        first = writer.patterns()
        writer.append(memory.patterns[2:])
        view = writer.patterns()
        np.testing.assert_array_equal(first, memory.patterns[:2])
        np.testing.assert_array_equal(view, memory.patterns)
        assert not view.flags.writeable
        assert not (tmp_path / "m").exists()
        writer.finish(replace(memory, patterns=view))
    np.testing.assert_array_equal(view, load(tmp_path / "m").patterns)


def test_patterns_of_another_form_and_a_memory_of_another_count_are_refused(tmp_path: Path, make_memory: Any) -> None:
    memory = make_memory(patterns=5)
    with Writer(tmp_path / "m") as writer:
        writer.begin(memory.spec)
        with pytest.raises(ValueError, match="uint8"):
            writer.append(memory.patterns.astype(np.float32))
        with pytest.raises(ValueError, match="uint8"):
            writer.append(memory.patterns[:, 1:])
        writer.append(memory.patterns[:3])
        with pytest.raises(MemoryFileError, match="3 memories were written, not 5"):
            writer.finish(memory)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_the_header_ends_with_a_block_and_one_byte_more_takes_another(tmp_path: Path, make_memory: Any, more: int) -> None:
    def saved(padding: int) -> tuple[bytes, int]:
        memory = make_memory()
        save(replace(memory, record={**memory.record, "padding": "x" * padding}), tmp_path / "m")
        content = (tmp_path / "m").read_bytes()
        size = 8 + int.from_bytes(content[:8], "little")
        return content[8:size].rstrip(), size

    text, size = saved(1000)
    text, size = saved(1000 + size - 8 - len(text) + more)
    assert 8 + len(text) == BLOCK + more
    assert size == (2 * BLOCK if more == 1 else BLOCK)
    assert (load(tmp_path / "m").patterns == make_memory().patterns).all()


def failing_after(calls: int, error: BaseException) -> Callable[[int, memoryview, int], int]:
    """A pwrite that works `calls` times."""
    whole, count = os.pwrite, 0

    def pwrite(descriptor: int, data: memoryview, place: int) -> int:
        nonlocal count
        count += 1
        if count > calls:
            raise error
        return whole(descriptor, data, place)

    return pwrite


def test_a_failure_at_any_write_leaves_the_old_file_whole(
    tmp_path: Path, make_memory: Any, assert_same: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new, path = make_memory(seed=1), make_memory(patterns=6, seed=2, compact=3, embed=True), tmp_path / "m"
    save(old, path)
    writes = 0
    while True:
        monkeypatch.setattr(atomic.os, "pwrite", failing_after(writes, KeyboardInterrupt()))
        try:
            save(new, path)
        except KeyboardInterrupt:
            writes += 1
        else:
            break
        assert_same(load(path), old)
        assert os.listdir(tmp_path) == ["m"]
        monkeypatch.undo()
        monkeypatch.setattr(atomic.os, "pwrite", failing_after(writes - 1, OSError(errno.ENOSPC, "full")))
        with pytest.raises(OutputError, match=r"no space to write it: at least \d+ bytes are needed") as caught:
            save(new, path)
        assert str(path) in caught.value.message
        monkeypatch.undo()
        assert_same(load(path), old)
        assert os.listdir(tmp_path) == ["m"]
    assert writes > 10
    assert_same(load(path), new)


def test_the_space_needed_is_the_size_of_the_file(tmp_path: Path, make_memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    memory = make_memory()
    size = save(memory, tmp_path / "m")
    assert read_header(tmp_path / "m").file_size == size
    whole = os.pwrite

    def full(descriptor: int, data: memoryview, place: int) -> int:
        if place == 0:
            raise OSError(errno.ENOSPC, "full")
        return whole(descriptor, data, place)

    monkeypatch.setattr(atomic.os, "pwrite", full)
    with pytest.raises(OutputError, match=f"{size} bytes are needed"):
        save(memory, tmp_path / "m")
