"""Memory files: round trips, sameness of bytes, the safetensors library, verification, and files that someone spoiled."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file

from uhop_cli.api import learn, retrieve
from uhop_cli.errors import MemoryFileError
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.file import reader as file_module
from uhop_cli.memory.file.consistency import fault
from uhop_cli.memory.file.container import ITEM_SIZE
from uhop_cli.memory.file.header import read_header
from uhop_cli.memory.file.reader import load, save, verify
from uhop_cli.memory.file.writer import BLOCK, Writer

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(1, 6),
    st.integers(0, 4),
    st.integers(1, 5),
    st.integers(1, 4),
    st.builds(PatternSpec, st.integers(1, 7), st.integers(1, 7), st.sampled_from([1, 3])),
    st.dictionaries(st.text(max_size=4), JSON, max_size=3),
    st.booleans(),
    st.sampled_from([0, 2, 3]),
    st.booleans(),
    st.integers(0, 99),
)
def test_what_is_loaded_is_what_was_saved(
    tmp_path: Path,
    make_memory: Any,
    assert_same: Any,
    patterns: int,
    duplicates: int,
    features: int,
    members: int,
    spec: PatternSpec,
    record: dict[str, Any],
    explicit: bool,
    compact: int,
    embed: bool,
    seed: int,
) -> None:
    memory = make_memory(patterns, patterns + duplicates, features, members, spec, record, explicit, compact, embed, seed)
    path = tmp_path / "m.safetensors"
    size = save(memory, path)
    assert size == path.stat().st_size
    assert_same(load(path), memory)
    assert_same(verify(path), memory)


def test_a_mapped_file_is_the_same_memory(
    tmp_path: Path, make_memory: Any, assert_same: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = make_memory(embed=True, described=True)
    save(memory, tmp_path / "m")
    monkeypatch.setattr(file_module, "MAPPED", 0)
    loaded = verify(tmp_path / "m")
    assert_same(loaded, memory)
    assert not loaded.patterns.flags.writeable


def test_equal_memories_are_equal_bytes(tmp_path: Path, make_memory: Any) -> None:
    save(make_memory(embed=True, described=True), tmp_path / "a")
    save(make_memory(embed=True, described=True), tmp_path / "b")
    save(load(tmp_path / "a"), tmp_path / "c")
    with Writer(tmp_path / "d") as writer:  # in other pieces
        memory = make_memory(embed=True, described=True)
        writer.begin(memory.spec)
        for row in range(len(memory)):
            writer.append(memory.patterns[row : row + 1])
        writer.finish(replace(memory, patterns=writer.patterns()))
    assert len({(tmp_path / name).read_bytes() for name in "abcd"}) == 1


def test_adding_files_and_taking_them_out_again_changes_no_byte(tmp_path: Path, make_memory: Any) -> None:
    memory = make_memory(patterns=3, files=4)
    more = make_memory(patterns=2, files=2, seed=9)
    names = more.entries.name_bytes.tobytes().replace(b"folder", b"fooled")
    entries = replace(more.entries, name_bytes=np.frombuffer(names, np.uint8))
    both = replace(
        memory,
        patterns=np.concatenate([memory.patterns, more.patterns]),
        norms=np.concatenate([memory.norms, more.norms]),
        entries=Entries.joined([memory.entries, entries.with_rows(more.entries.name_entry + len(memory))]),
    )
    save(memory, tmp_path / "never")
    save(both, tmp_path / "both")
    assert len(load(tmp_path / "both")) == 5
    save(load(tmp_path / "both").without(entries.names()), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "never").read_bytes()


def test_the_safetensors_library_reads_it(tmp_path: Path, make_memory: Any) -> None:
    memory = make_memory(compact=2, embed=True, described=True)
    save(memory, tmp_path / "m")
    tensors = load_file(tmp_path / "m")
    np.testing.assert_array_equal(tensors["memories"], memory.patterns)
    np.testing.assert_array_equal(tensors["W"], memory.kernel.weight)
    np.testing.assert_array_equal(tensors["original_offsets"], memory.originals.offsets)
    with safe_open(tmp_path / "m", "numpy") as opened:
        assert list(opened.metadata()) == ["uhop"]
    header = read_header(tmp_path / "m")
    assert header.tensors["memories"].begin == 0
    assert header.data_start % BLOCK == 0
    assert all(info.begin % ITEM_SIZE[info.dtype] == 0 for info in header.tensors.values())


def test_verify_asks_the_safetensors_library_too(tmp_path: Path, make_memory: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import safetensors

    save(make_memory(), tmp_path / "m")
    with monkeypatch.context() as patch:

        def refuses(*arguments: Any, **keywords: Any) -> Any:
            raise safetensors.SafetensorError("no header")

        patch.setattr(safetensors, "safe_open", refuses)
        with pytest.raises(MemoryFileError, match="the safetensors library cannot read it: no header"):
            verify(tmp_path / "m")
    save(make_memory(patterns=4), tmp_path / "other")
    monkeypatch.setattr(safetensors, "safe_open", lambda path, **keywords: safe_open(tmp_path / "other", **keywords))
    with pytest.raises(MemoryFileError, match="memories is another tensor to the safetensors library"):
        verify(tmp_path / "m")


def test_torch_reads_it(tmp_path: Path, make_memory: Any) -> None:
    torch_loader = pytest.importorskip("safetensors.torch", reason="torch is not installed")
    memory = make_memory()
    save(memory, tmp_path / "m")
    np.testing.assert_array_equal(torch_loader.load_file(tmp_path / "m")["norms"].numpy(), memory.norms)


def test_a_long_record_moves_the_patterns_and_nothing_else(tmp_path: Path, make_memory: Any, assert_same: Any) -> None:
    memory = make_memory(record={"long": "x" * (2 * BLOCK)}, embed=True)
    with Writer(tmp_path / "m") as writer:
        writer.begin(memory.spec)
        writer.append(memory.patterns)
        view = writer.patterns()
        writer.finish(replace(memory, patterns=view))
    assert_same(verify(tmp_path / "m"), memory)
    np.testing.assert_array_equal(view, memory.patterns)
    assert os.listdir(tmp_path) == ["m"]


def test_a_loaded_memory_stays_when_its_file_is_replaced(
    tmp_path: Path, make_memory: Any, assert_same: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(file_module, "MAPPED", 0)
    old, new = make_memory(seed=1), make_memory(seed=2)
    save(old, tmp_path / "m")
    loaded = load(tmp_path / "m")
    save(new, tmp_path / "m")
    assert_same(loaded, old)
    save(loaded, tmp_path / "m")  # and may be written over the file that it was loaded from
    assert_same(load(tmp_path / "m"), old)


def test_an_inconsistent_memory_is_not_saved(tmp_path: Path, make_memory: Any) -> None:
    memory = make_memory()
    with pytest.raises(MemoryFileError, match="cannot be saved: norms"):
        save(replace(memory, norms=memory.norms[1:]), tmp_path / "m")
    assert os.listdir(tmp_path) == []


def test_version_two_keeps_what_the_evidence_needs_and_version_one_is_read(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
    memory = replace(learn(images), shapes=np.arange(1, 13).reshape(6, 2))
    save(memory, tmp_path / "two.safetensors")
    found = load(tmp_path / "two.safetensors")
    assert found.shapes is not None
    assert found.statistics is not None
    np.testing.assert_array_equal(found.shapes, memory.shapes)
    mine, read = ((*part.of_each, part.variances) for part in (memory.statistics, found.statistics))
    for one, other in zip(mine, read, strict=True):
        np.testing.assert_array_equal(one, other)
    kept = found.keep(np.arange(6) != 2)
    assert kept.shapes[2].tolist() == [7, 8]
    np.testing.assert_array_equal(kept.statistics.bands, memory.statistics.bands[[0, 1, 3, 4, 5]])
    assert kept.statistics.variances is found.statistics.variances
    save(replace(memory, shapes=None, statistics=None), tmp_path / "one.safetensors")
    data = (tmp_path / "one.safetensors").read_bytes()
    assert data.count(b"uhop.memory/2") == 1
    (tmp_path / "one.safetensors").write_bytes(data.replace(b"uhop.memory/2", b"uhop.memory/1"))
    old = load(tmp_path / "one.safetensors")
    assert old.shapes is None
    asked = images + np.random.default_rng(1).normal(0, 30, images.shape)
    asked = np.clip(asked, 0, 255).astype(np.uint8)
    np.testing.assert_allclose(retrieve(old, asked).scores, retrieve(memory, asked).scores, rtol=1e-4, atol=0.01)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shapes": np.ones((4, 2), np.int64)}, "shapes is int64"),
        ({"opacity": np.ones((5, 4, 3), np.uint8)}, "opacity is uint8"),
        ({"opacity": np.ones((5, 3, 4), np.float32)}, "opacity is float32"),
        ({"shapes": np.zeros((5, 2), np.int64)}, "without pixels"),
    ],
)
def test_shapes_that_do_not_fit(make_memory: Any, changes: dict[str, Any], words: str) -> None:
    assert words in (fault(replace(make_memory(), **changes)) or "")
