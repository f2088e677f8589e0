"""Memories in shards: written, read back, replaced; missing, damaged and hostile ones are refused in one line that names them."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import MemoryFileError, OutputError, SettingsError
from uhop_cli.memory.file import index as index_module
from uhop_cli.memory.file import shard_writer
from uhop_cli.memory.file.index import file_of, index_of, is_index, located, read_index
from uhop_cli.memory.file.reader import load, load_shard, save, verify
from uhop_cli.memory.file.shard_writer import Destination, write_shards
from uhop_cli.memory.file.shards import read_header
from uhop_cli.memory.file.writer import Writer
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.near import NearPairs


@pytest.fixture
def memory(make_memory: Any) -> Memory:
    near = NearPairs(np.array([[0, 1], [1, 6], [2, 5]]), np.array([1, -1, 0], np.int8))
    return replace(make_memory(patterns=7, files=9, embed=True), near=near)


@pytest.fixture
def file(tmp_path: Path, memory: Memory) -> Path:
    write_shards(memory, tmp_path / "m.safetensors", 3)
    return tmp_path / "m.safetensors"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _changed(file: Path, change: Any) -> Path:
    """The index of `file`, changed."""
    path = index_of(file)
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


def test_names_and_index(file: Path) -> None:
    shards = [f"m-0000{number}-of-00003.safetensors" for number in (1, 2, 3)]
    assert _names(file.parent) == [*shards, "m.safetensors.index.json"]
    document = json.loads(index_of(file).read_text())
    assert document["weight_map"] == dict.fromkeys(("W", "gains", "spectrum"), shards[0])
    assert document["metadata"]["total_size"] == sum((file.parent / name).stat().st_size for name in shards)
    assert [shard["memories"] for shard in document["uhop"]["shards"]] == [2, 2, 3]
    assert document["uhop"]["near"] == [[1, 6, -1], [2, 5, 0]]


def test_what_is_read_is_what_was_written(file: Path, memory: Memory) -> None:
    for read in (load(file), load(index_of(file)), verify(file)):
        np.testing.assert_array_equal(np.asarray(read.patterns), memory.patterns)
        np.testing.assert_array_equal(read.norms, memory.norms)
        assert read.near is not None
        assert sorted(map(tuple, read.near.pairs.tolist())) == [(0, 1), (1, 6), (2, 5)]
        for row in range(len(memory)):
            for index in memory.entries.files_of(row):
                found = read.entries.find(memory.entries.name(int(index)))
                assert found is not None
                assert read.entries.name_entry[found] == row
                assert read.entries.digest(found) == memory.entries.digest(int(index))
                assert read.originals is not None
                assert memory.originals is not None
                assert read.originals.content(found) == memory.originals.content(int(index))
    assert len(load_shard(read_index(index_of(file)), 2)) == 3


def test_every_shard_is_a_memory_file_of_its_own(file: Path, memory: Memory) -> None:
    for number in (1, 2, 3):
        shard = verify(file.parent / f"m-0000{number}-of-00003.safetensors")
        np.testing.assert_array_equal(shard.kernel.weight, memory.kernel.weight)
        assert dict(shard.record) == dict(memory.record)


def test_the_header_counts_all(file: Path, memory: Memory, tmp_path: Path) -> None:
    header = read_header(file)
    assert (header.patterns, header.files, header.described) == (7, 9, 0)
    assert header.file_size == sum(path.stat().st_size for path in file.parent.glob("m-*"))
    save(memory, tmp_path / "one.safetensors")
    assert read_header(tmp_path / "one.safetensors").patterns == 7


def test_equal_memories_give_equal_bytes(file: Path, memory: Memory, tmp_path: Path) -> None:
    (tmp_path / "again").mkdir()
    write_shards(memory, tmp_path / "again" / "m.safetensors", 3)
    for name in _names(tmp_path / "again"):
        assert (tmp_path / "again" / name).read_bytes() == (file.parent / name).read_bytes()


def test_more_shards_than_memories_are_one_each(memory: Memory, tmp_path: Path) -> None:
    write_shards(memory, tmp_path / "m.safetensors", 50)
    assert [len(shard) for shard in load(tmp_path / "m.safetensors").shards] == [1] * 7


def test_another_version_takes_the_place_of_the_first(file: Path, make_memory: Any) -> None:
    before = load(file)
    other = make_memory(patterns=4, files=4, seed=1)
    write_shards(other, file, 3)
    assert _names(file.parent) == [*(f"m.2-0000{n}-of-00003.safetensors" for n in (1, 2, 3)), "m.safetensors.index.json"]
    np.testing.assert_array_equal(np.asarray(load(file).patterns), other.patterns)
    assert len(np.asarray(before.patterns)) == 7  # what was opened stays
    write_shards(other, file, 3)
    assert _names(file.parent)[0] == "m-00001-of-00003.safetensors"


@pytest.mark.parametrize("fails_at", [1, 2, 3, 4, 5])
def test_a_write_that_fails_leaves_what_was_there(
    file: Path, memory: Memory, make_memory: Any, monkeypatch: pytest.MonkeyPatch, fails_at: int
) -> None:
    calls = 0

    def commit(self: Any, *_: Any, **__: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == fails_at:
            raise OutputError("the disk is gone")
        original(self)

    original = shard_writer.AtomicFile.commit
    before = _names(file.parent)
    monkeypatch.setattr(shard_writer.AtomicFile, "commit", commit)
    with pytest.raises(OutputError, match="the disk is gone"):
        write_shards(make_memory(patterns=4, files=4, seed=1), file, 3)
    monkeypatch.undo()
    assert _names(file.parent) == before
    np.testing.assert_array_equal(np.asarray(load(file).patterns), memory.patterns)


def test_one_file_takes_the_place_of_shards_and_back(file: Path, memory: Memory) -> None:
    for shards, names in ((0, ["m.safetensors"]), (1, ["m-00001-of-00001.safetensors", "m.safetensors.index.json"])):
        with Writer(file) as writer:
            writer.begin(memory.spec)
            writer.append(memory.patterns)
            size = Destination(file, shards).finish(memory, writer)
        assert _names(file.parent) == names
        assert size == sum(path.stat().st_size for path in file.parent.iterdir())
        np.testing.assert_array_equal(np.asarray(load(file).patterns), memory.patterns)


def test_where_a_memory_goes(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = tmp_path / "new.safetensors"
    assert Destination.of(new, None) == Destination(new)
    assert Destination.of(file, None, keep=True) == Destination(file, 3)
    assert Destination.of(index_of(file), None, keep=True) == Destination(file, 3)
    assert Destination.of(file, None) == Destination(file)
    assert Destination.of(index_of(new), 5) == Destination(new, 5)
    monkeypatch.setattr(shard_writer, "LARGEST", 100)
    assert [Destination.of(new, "auto", expected=size).shards for size in (100, 101, 1000, 10**9)] == [0, 2, 10, 500]
    for wrong in (0, 501):
        with pytest.raises(SettingsError, match="not written in"):
            Destination.of(new, wrong)
    with pytest.raises(SettingsError, match="of how many"):
        Destination.of(index_of(new), None)


def test_names_of_memories(file: Path) -> None:
    assert located(file) == located(index_of(file)) == index_of(file)
    assert (is_index(file), is_index(index_of(file)), file_of(index_of(file))) == (False, True, file)
    file.write_bytes(b"a file of that name comes first")
    assert located(file) == file


def test_an_index_behind_a_link_has_its_shards_beside_it(file: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    link = tmp_path / "elsewhere" / "l.safetensors.index.json"
    link.symlink_to(index_of(file))
    assert len(load(link)) == 7


def _missing(file: Path) -> None:
    (file.parent / "m-00002-of-00003.safetensors").unlink()


def _shorter(file: Path) -> None:
    os.truncate(file.parent / "m-00002-of-00003.safetensors", 100)


def _of_another(file: Path) -> None:
    path = file.parent / "m-00002-of-00003.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def _a_link(file: Path) -> None:
    path = file.parent / "m-00002-of-00003.safetensors"
    path.rename(file.parent / "elsewhere")
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_missing, "no such shard"),
        (_shorter, "it has 100 bytes"),
        (_of_another, "not the file that the index was written for"),
        (_a_link, "cannot be read"),
    ],
)
def test_a_spoiled_shard_is_named_with_the_cure(file: Path, spoil: Any, said: str) -> None:
    spoil(file)
    for reads in (load, verify, read_header):
        with pytest.raises(MemoryFileError) as caught:
            reads(file)
        assert caught.value.message.startswith("m-00002-of-00003.safetensors: shard 2 of 3 of m.safetensors.index.json: ")
        assert said in caught.value.message
        assert "\n" not in caught.value.message
        assert "store the images again" in (caught.value.hint or "")


def test_a_changed_byte_is_found_by_verify(file: Path) -> None:
    path = file.parent / "m-00003-of-00003.safetensors"
    data = bytearray(path.read_bytes())
    data[1 << 16] ^= 1  # the first pixel
    path.write_bytes(data)
    load(file)
    with pytest.raises(MemoryFileError, match=r"shard 3 of 3 .* checksum is not that"):
        verify(file)


def _with_second_shard_of(file: Path, other: Memory) -> Path:
    """The index of `file`, which names the second shard of another memory in the place of its own."""
    foreign = file.parent / "other" / "m.safetensors"
    foreign.parent.mkdir()
    write_shards(other, foreign, 3)
    second = json.loads(index_of(foreign).read_text())["uhop"]["shards"][1]
    (foreign.parent / second["file"]).replace(file.parent / second["file"])
    return _changed(file, lambda document: document["uhop"]["shards"].__setitem__(1, second))


@pytest.mark.parametrize("other", [{"features": 3}, {"members": 2}, {"beta": 2.5}, {"near": None}])
def test_shards_of_another_memory_are_refused(file: Path, memory: Memory, make_memory: Any, other: dict[str, Any]) -> None:
    made = {key: value for key, value in other.items() if key in ("features", "members")}
    changed = replace(make_memory(patterns=7, files=9, embed=True, **made), near=memory.near)
    path = _with_second_shard_of(file, replace(changed, **{key: value for key, value in other.items() if key not in made}))
    with pytest.raises(MemoryFileError, match=r"m-00002-of-00003\.safetensors: shard 2 of 3 .* another memory than the first"):
        load(path)


def test_a_kernel_with_other_numbers_is_found_by_verify(file: Path, memory: Memory) -> None:
    weight = memory.kernel.weight.copy()
    weight[0, 0] += 1e-4
    path = _with_second_shard_of(file, replace(memory, kernel=replace(memory.kernel, weight=weight)))
    load(path)
    with pytest.raises(MemoryFileError, match=r"shard 2 of 3 .* its kernel is not that of the first"):
        verify(path)


def _shard(**changes: Any) -> Any:
    return lambda document: document["uhop"]["shards"][0].update(changes)


@pytest.mark.parametrize(
    "change",
    [
        *(_shard(file=name) for name in ("../m", "/etc/passwd", "a/b", "a\\b", "c:x", "", ".", "..", "a\0b", 3, None)),
        *(_shard(**{name: value}) for name in ("size", "memories", "files") for value in (0, -1, 1.0, True, "1", 1 << 63, None)),
        *(_shard(checksum=value) for value in ("", "0" * 63, "G" * 64, "0" * 65, 3)),
        _shard(more=1),
        lambda document: document["uhop"]["shards"][0].pop("size"),
        lambda document: document["uhop"]["shards"].append(document["uhop"]["shards"][0]),
        lambda document: document["uhop"]["shards"].clear(),
        lambda document: document["uhop"].update(shards={}),
        lambda document: document["uhop"].update(schema="uhop.index/2"),
        lambda document: document["uhop"].update(schema="uhop.memory/2"),
        lambda document: document.update(uhop=[]),
        lambda document: document.clear(),
        *(
            lambda document, pair=pair: document["uhop"].update(near=[pair])
            for pair in ([0, 0, 1], [1, 0, 1], [-1, 0, 1], [0, 7, 1], [0, 1, 2], [0, 1, -2], [0, 1], [0, 1.0, 1], [0, True, 1], 3)
        ),
        lambda document: document["uhop"].update(near={}),
    ],
)
def test_a_hostile_index_is_refused_in_one_line(file: Path, change: Any) -> None:
    path = _changed(file, change)
    with pytest.raises(MemoryFileError) as caught:
        load(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert "\n" not in caught.value.message
    assert len(caught.value.message) < len(str(path)) + 200


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b"\xff", b'{"uhop": ' + b"[" * 100_000, b'{"a": 1, "a": 2}', b'{"a": NaN}'])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "m.safetensors.index.json"
    path.write_bytes(text)
    with pytest.raises(MemoryFileError, match=r"m\.safetensors\.index\.json: not "):
        load(path)


def test_an_index_too_long_is_not_read(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MAX_HEADER", 100)
    with pytest.raises(MemoryFileError, match="at most 100 are read"):
        load(file)


def test_two_shards_with_a_file_of_one_name_are_found_by_verify(make_memory: Any, tmp_path: Path) -> None:
    memory = make_memory(patterns=4, files=4)
    names = dict.fromkeys((0, 3), b"folder/one.png")
    write_shards(replace(memory, entries=memory.entries.renamed(names)), tmp_path / "m.safetensors", 2)
    with pytest.raises(MemoryFileError, match="two shards have a file of one name"):
        verify(tmp_path / "m.safetensors")
