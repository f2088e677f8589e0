"""Memories written back as images: exact pixels, names that stay in the folder, and nothing overwritten."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from uhop_cli.errors import OutputError
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.export import _safe_stem, _stems, export
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import Progress


def named(memory: Memory, names: list[bytes]) -> Memory:
    return replace(memory, entries=Entries.build(names, list(range(len(names))), [bytes(32)] * len(names), [0] * len(names)))


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_come_back_exactly(tmp_path: Path, make_memory: Any, channels: int) -> None:
    memory = make_memory(patterns=3, files=5, spec=PatternSpec(5, 4, channels))
    steps: list[Progress] = []
    paths = export(memory, tmp_path / "new" / "folder", progress=steps.append)
    assert [(step.stage, step.done, step.total) for step in steps] == [("export", 1, 3), ("export", 2, 3), ("export", 3, 3)]
    assert sorted(os.listdir(tmp_path / "new" / "folder")) == sorted(path.name for path in paths)
    for path, pixels in zip(paths, memory.patterns, strict=True):
        np.testing.assert_array_equal(np.asarray(Image.open(path)).reshape(pixels.shape), pixels)


def test_names_are_safe_and_distinct(tmp_path: Path, make_memory: Any) -> None:
    names = [
        b"a/cat.png",
        b"b/cat.jpg",
        b"CAT.gif",
        b"../../cat-2.png",
        b".hidden",
        b"-rf",
        b"..",
        b"\x1b[31m.png",
        b"caf\xe9.png",
        b"x" * 300,
    ]
    paths = export(named(make_memory(patterns=len(names), files=len(names)), names), tmp_path)
    assert [path.parent for path in paths] == [tmp_path] * len(names)
    assert [path.name for path in paths[:7]] == [
        "cat.png",
        "cat-2.png",
        "CAT-3.png",
        "cat-2-2.png",
        "hidden.png",
        "rf.png",
        "memory.png",
    ]
    assert all(path.name.isprintable() for path in paths)
    assert sorted(os.listdir(tmp_path)) == sorted(path.name for path in paths)


@given(st.lists(st.binary(min_size=1, max_size=12), min_size=1, max_size=12))
def test_every_name_stays_in_its_folder(names: list[bytes]) -> None:
    stems = _stems(names)
    assert len({stem.casefold() for stem in stems}) == len(names)
    for stem in stems:
        assert "/" not in stem
        assert stem not in ("", ".", "..")
        assert not stem.startswith((".", "-"))
        assert stem.isprintable()


def test_long_names_are_cut_at_a_character() -> None:
    assert len(_safe_stem("ü".encode() * 200).encode()) == 200


def test_only_own_pictures_are_replaced(tmp_path: Path, make_memory: Any) -> None:
    memory = named(make_memory(patterns=2, files=2), [b"a.png", b"b.png"])
    first = export(memory, tmp_path)
    assert export(memory, tmp_path) == first
    (tmp_path / "b.png").write_bytes(b"someone's")
    (tmp_path / "a.png").unlink()
    with pytest.raises(OutputError, match=r"b\.png: exists, and uhop did not write it"):
        export(memory, tmp_path)
    assert os.listdir(tmp_path) == ["b.png"]
    assert export(memory, tmp_path, force=True) == first
    with pytest.raises(OutputError, match="cannot be written"):
        export(memory, tmp_path / "a.png")


def test_many_equal_names_are_numbered_in_one_pass() -> None:
    from uhop_cli.memory.export import _stems

    names = [b"%d/cat.png" % index for index in range(20_000)]
    assert _stems([*names, b"cat-2.png"])[-2:] == ["cat-20000", "cat-2-2"]
