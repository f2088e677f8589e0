"""Which bytes are given out as the original: only those that were stored."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.memory import originals
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.memory import Memory, Originals
from uhop_cli.memory.originals import OriginalFiles

CONTENT = b"the stored bytes"


def open_original(memory: Memory, index: int, path: Path, folder: Path | None = None) -> bytes | None:
    return OriginalFiles(memory, path, folder).open(index).content


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


def test_a_renamed_file_is_found_anywhere_below_by_size_and_content(tmp_path: Path, stored: Any) -> None:
    deep = tmp_path / "archive" / "2019" / "x"
    deep.mkdir(parents=True)
    (tmp_path / "archive" / "A.jpg").write_bytes(CONTENT.upper())  # the size, not the content
    (deep / "IMG_1.jpg").write_bytes(CONTENT)
    found = OriginalFiles(stored(b"gone/a.png"), tmp_path / "m", tmp_path / "archive").open(0)
    assert (found.content, found.path, found.whereabouts) == (CONTENT, deep / "IMG_1.jpg", "file")


def test_a_copy_that_uhop_wrote_is_named_only_where_there_is_no_other(tmp_path: Path, stored: Any) -> None:
    names = ["a.retrieved.png", "m.png", "z.png", "z.retrieved.png"]
    for name in names:
        (tmp_path / name).write_bytes(CONTENT)
    for first in ("m.png", "z.png", "a.retrieved.png", "z.retrieved.png"):
        found = OriginalFiles(stored(b"gone/b.png"), tmp_path / "m", tmp_path).open(0)
        assert (found.content, found.path) == (CONTENT, tmp_path / first)
        (tmp_path / first).unlink()


def test_each_file_below_is_hashed_once_and_only_those_of_a_recorded_size(
    tmp_path: Path, make_memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = [b"%03d" % index for index in range(20)]
    digests = [hashlib.sha256(content).digest() for content in contents]
    entries = Entries.build([b"%d.png" % index for index in range(20)], [0] * 20, digests, [3] * 20)
    memory = replace(make_memory(patterns=1, files=1), entries=entries)
    folder = tmp_path / "below"
    folder.mkdir()
    for index, content in enumerate(contents):
        (folder / f"renamed{index}").write_bytes(content)
    (folder / "longer").write_bytes(b"0000")
    read: list[Path] = []
    real = originals._read
    monkeypatch.setattr(originals, "_read", lambda path, size: read.append(path) or real(path, size))
    files = OriginalFiles(memory, tmp_path / "m", folder)
    for index in (19, 0, 7, 19, 3):
        assert files.open(index).content == contents[index]
    below = [path for path in read if path.name.startswith("renamed")]
    assert len(below) <= 20 + 5
    assert folder / "longer" not in read


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path, stored: Any) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.png").write_bytes(CONTENT)
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.png").symlink_to(tmp_path / "elsewhere" / "a.png")
    (folder / "sub").symlink_to(tmp_path / "elsewhere")
    assert open_original(stored(b"old/a.png"), 0, tmp_path / "m", folder) is None
    (folder / "b.png").write_bytes(CONTENT)
    assert open_original(stored(b"old/a.png"), 0, tmp_path / "m", folder) == CONTENT


def test_the_search_is_bounded_and_says_so(tmp_path: Path, stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(originals, "MAX_VISITED", 2)
    for name in ("1", "2", "3"):
        (tmp_path / "folder" / name).mkdir(parents=True)
    (tmp_path / "folder" / "3" / "b.png").write_bytes(CONTENT)
    files = OriginalFiles(stored(b"a.png"), tmp_path / "m", tmp_path / "folder")
    assert files.open(0).content is None
    assert files.truncated


def test_what_became_of_a_file_is_said(tmp_path: Path, stored: Any) -> None:
    def whereabouts(name: bytes, embed: bool = False) -> str:
        return OriginalFiles(stored(name, embed), tmp_path / "m").open(0).whereabouts

    assert whereabouts(b"a.png") == "missing"
    assert whereabouts(b"a.npy[3]") == "array"
    assert whereabouts(b"a[3]") == "missing"
    (tmp_path / "a.png").write_bytes(b"other")
    assert whereabouts(b"a.png") == "changed"
    assert whereabouts(b"a.png", embed=True) == "embedded"
    (tmp_path / "a.png").write_bytes(CONTENT)
    assert whereabouts(b"a.png", embed=True) == "file"


def test_of_several_names_the_existing_one_comes_first(tmp_path: Path, make_memory: Any) -> None:
    digest = hashlib.sha256(CONTENT).digest()
    entries = Entries.build([b"dead.png", b"alive.png"], [0, 0], [digest] * 2, [len(CONTENT)] * 2)
    memory = replace(make_memory(patterns=1, files=1), entries=entries)
    files = OriginalFiles(memory, tmp_path / "m")
    assert (files.of(0).index, files.of(0).whereabouts) == (0, "missing")
    (tmp_path / "alive.png").write_bytes(CONTENT)
    assert (files.of(0).index, files.of(0).path) == (1, tmp_path / "alive.png")


@pytest.mark.parametrize(("recorded", "written"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_a_name_in_another_unicode_form_is_the_same_name(tmp_path: Path, stored: Any, recorded: str, written: str) -> None:
    forms = [unicodedata.normalize(form, "Mü/café.png") for form in (recorded, written)]  # type: ignore[arg-type]
    (tmp_path / forms[1]).parent.mkdir()
    (tmp_path / forms[1]).write_bytes(CONTENT)
    found = OriginalFiles(stored(forms[0].encode()), tmp_path / "m").open(0)
    assert (found.content, found.path) == (CONTENT, tmp_path / forms[1])
