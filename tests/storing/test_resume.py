"""A store that was killed: the next one takes over what had been decoded, and writes the same file."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import OutputError
from uhop_cli.files.atomic import AtomicFile, temporary_files
from uhop_cli.images.patterns import PatternSpec
from uhop_cli.memory.file.reader import load
from uhop_cli.storing import sources
from uhop_cli.storing.ingest import WRITE_TOGETHER
from uhop_cli.storing.resume import HEAD, RECORD, Records, pattern_key, recover
from uhop_cli.storing.store import store

COUNT = 2 * WRITE_TOGETHER + 20
KILLED = """
import os, signal, sys
from uhop_cli.storing.store import store
from uhop_cli.storing.settings import StoreSettings
def stop(step):
    if step.stage == "read" and step.done >= int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
store(["images"], "m.safetensors", StoreSettings(size=8, seed=int(sys.argv[1])), progress=stop)
"""
SPEC = PatternSpec(4, 4, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images, and what a store of them left that was killed when it had read nearly all."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    for index in range(COUNT):
        Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).save(folder / "images" / f"{index:03}.png")
    ended = subprocess.run([sys.executable, "-c", KILLED, "0", str(COUNT - 4)], cwd=folder, check=False)
    assert ended.returncode == -signal.SIGKILL
    return folder


def copied(folder: Path, to: Path) -> Path:
    """Images, and all that lies beside them."""
    (to / "images").symlink_to(folder / "images")
    for path in temporary_files(folder):
        (to / path.name).write_bytes(path.read_bytes())
    return to


def run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, int, tuple[str, ...]]:
    """The memory file of a store in that folder, how many images it decoded, and what it said."""
    decoded: list[int] = []
    original = sources.decode

    def counting(data: bytes, **named: object) -> object:
        decoded.append(len(data))
        return original(data, **named)  # type: ignore[arg-type]

    monkeypatch.chdir(folder)
    with monkeypatch.context() as patch:
        patch.setattr(sources, "decode", counting)
        from uhop_cli.storing.settings import StoreSettings

        report = store(["images"], "m.safetensors", StoreSettings(size=8))
    return (folder / "m.safetensors").read_bytes(), len(decoded), report.notes


def test_what_was_written_is_not_decoded_again_and_the_file_is_the_same(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "resumed").mkdir()
    (tmp_path / "fresh").mkdir()
    assert len(temporary_files(folder)) >= 2
    resumed, decoded, notes = run(copied(folder, tmp_path / "resumed"), monkeypatch)
    (tmp_path / "fresh" / "images").symlink_to(folder / "images")
    fresh, all_of_them, none = run(tmp_path / "fresh", monkeypatch)
    assert all_of_them == COUNT
    on_record = 2 * WRITE_TOGETHER - 1  # the last of the patterns written is noted with the next ones
    assert decoded == COUNT - on_record
    assert resumed == fresh
    assert any(f"{on_record} images had been decoded" in note for note in notes)
    assert not any("decoded" in note for note in none)
    assert {path.name for path in (tmp_path / "resumed").iterdir()} == {"images", "m.safetensors"}


def test_damage_to_what_was_left_costs_time_only(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Patterns zeroed, records torn off: what has not the hash is decoded."""
    left = copied(folder, tmp_path)
    (tmp_path / "fresh").mkdir()
    for path in temporary_files(left):
        data = bytearray(path.read_bytes())
        if data.startswith(b"{"):
            path.write_bytes(data[: HEAD + 300 * RECORD.itemsize + 7])
        else:
            data[-100 * 8 * 8 * 3 :] = bytes(100 * 8 * 8 * 3)
            path.write_bytes(data[: len(data) - 5])
    resumed, decoded, _ = run(left, monkeypatch)
    assert decoded >= COUNT - 300
    monkeypatch.undo()
    (tmp_path / "fresh" / "images").symlink_to(folder / "images")
    assert resumed == run(tmp_path / "fresh", monkeypatch)[0]


def left_behind(target: Path, spec: PatternSpec, pattern: np.ndarray) -> None:
    """The files that a killed run leaves, copied while they are there."""
    with AtomicFile(target) as file, Records(target, spec, file.name, 64) as records:
        file.write(pattern.tobytes(), 64)
        records.add(b"d" * 32, pattern_key(pattern), 0)
        records.flush()
        kept = [(path, path.read_bytes()) for path in temporary_files(target.parent)]
    for path, data in kept:
        path.write_bytes(data)


def test_only_the_same_file_pattern_and_version_take_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pattern = np.arange(16, dtype=np.uint8).reshape(SPEC.shape)
    left_behind(tmp_path / "m", SPEC, pattern)
    with recover(tmp_path / "m", SPEC) as found:
        taken = found(b"d" * 32)
        assert taken is not None
        np.testing.assert_array_equal(taken, pattern)
        assert found(b"e" * 32) is None
        assert found.used == 1
    for target, spec in ((tmp_path / "other", SPEC), (tmp_path / "m", PatternSpec(4, 2, 1))):
        with recover(target, spec) as found:
            assert found(b"d" * 32) is None
    monkeypatch.setattr("uhop_cli.storing.resume.__version__", "another")
    with recover(tmp_path / "m", SPEC) as found:
        assert found(b"d" * 32) is None


@pytest.mark.parametrize("head", [b"", b"{", b"[]", b'{"schema": 1}', b"\xff" * HEAD, b'{"patterns": "../x", "room": 1}'])
def test_a_file_that_is_no_record_is_none(tmp_path: Path, head: bytes) -> None:
    (tmp_path / f".uhop-{0:016x}.tmp").write_bytes(head)
    with recover(tmp_path / "m", SPEC) as found:
        assert found(b"d" * 32) is None


def test_records_do_not_lead_to_other_files(tmp_path: Path) -> None:
    """Neither along a path nor along a link."""
    pattern = np.arange(16, dtype=np.uint8).reshape(SPEC.shape)
    left_behind(tmp_path / "m", SPEC, pattern)
    for path in temporary_files(tmp_path):
        if not path.read_bytes().startswith(b"{"):
            path.rename(tmp_path / "elsewhere")
            path.symlink_to(tmp_path / "elsewhere")
    with recover(tmp_path / "m", SPEC) as found:
        assert found(b"d" * 32) is None


def test_nothing_is_left_of_a_run_that_ends(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 8), "red").save(images / "a.png")
    store([images], tmp_path / "m.safetensors")
    assert len(load(tmp_path / "m.safetensors")) == 1
    assert sorted(os.listdir(tmp_path)) == ["images", "m.safetensors"]


def test_no_space_for_records_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "full")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutputError, match="no space"), Records(tmp_path / "m", SPEC, "x", 64):
        pass
    assert not os.listdir(tmp_path)
