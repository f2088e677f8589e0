"""What files looked like when they were stored: told apart by every part, kept in the cache, and never trusted beyond that."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from platformdirs import user_cache_path

from uhop_cli.memory.entries import Entries
from uhop_cli.storing import marks
from uhop_cli.storing.marks import Mark, Marks, keep, recall

CHECKSUM = bytes(range(32))
NAMES = [b"a.png", b"b\xff.png", b"c.png"]
SEEN = Mark(1, (1 << 64) - 1, 3, 4, 5)


def entries(content: bytes = b"", names: list[bytes] = NAMES) -> Entries:
    digests = [hashlib.sha256(name + content).digest() for name in names]
    return Entries.build(names, range(len(names)), digests, [1] * len(names))


def cached() -> list[Path]:
    return sorted((user_cache_path("uhop") / "stored").glob("*"))


def test_a_mark_is_that_of_the_file_and_not_of_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(marks, "FRESH", -1.0)
    (tmp_path / "a").write_bytes(b"12345")
    os.symlink(tmp_path / "a", tmp_path / "link")
    info = os.stat(tmp_path / "a")
    expected = (info.st_dev, info.st_ino, 5, info.st_mtime_ns, info.st_ctime_ns)
    assert Mark.of(tmp_path / "a") == Mark.of(tmp_path / "link") == expected
    os.utime(tmp_path / "a", ns=(0, -7))
    mark = Mark.of(tmp_path / "a")
    assert mark is not None
    assert mark.modified == (1 << 64) - 7
    assert Mark.of(tmp_path / "nothing") is None
    assert Mark.of("\0") is None


def test_what_was_written_a_moment_ago_has_no_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"1")
    assert Mark.of(tmp_path / "a") is None
    os.utime(tmp_path / "a", ns=(0, 0))  # that was a change as well
    assert Mark.of(tmp_path / "a") is None
    now = marks.time.time_ns()
    monkeypatch.setattr(marks.time, "time_ns", lambda: now + int(3e9))
    assert Mark.of(tmp_path / "a") is not None


@pytest.mark.parametrize("part", range(5))
def test_every_part_of_a_mark_counts(part: int) -> None:
    known = Marks(np.array([(0,) * 5, SEEN], np.uint64))
    other = list(SEEN)
    other[part] -= 1
    assert known.has(1, SEEN)
    assert not known.has(1, Mark(*other))
    assert not known.has(0, SEEN)
    assert not known.has(1, None)
    assert not known.has(0, Mark(0, 0, 0, 0, 0))


def test_what_is_kept_is_recalled_for_the_same_memory_alone() -> None:
    keep(entries(), CHECKSUM, {b"c.png": SEEN, b"a.png": None, b"gone.png": SEEN})
    found = recall(entries(), CHECKSUM)
    assert [found.has(index, SEEN) for index in range(3)] == [False, False, True]
    others = (entries(b"!"), CHECKSUM), (entries(names=[b"a.png", b"b\xff.pn", b"gc.png"]), CHECKSUM), (entries(), bytes(32))
    for stored, checksum in others:
        assert not recall(stored, checksum).has(2, SEEN)
    assert all(str(path.stat().st_mode)[-2:] and path.suffix == ".marks" for path in cached())


def test_nothing_is_kept_where_no_file_has_a_mark() -> None:
    keep(entries(), CHECKSUM, {b"a.png": None})
    keep(entries(), CHECKSUM, {})
    assert cached() == []


@pytest.mark.parametrize("spoil", ["short", "long", "link", "folder", "nothing"])
def test_what_was_tampered_with_is_worth_nothing(spoil: str, tmp_path: Path) -> None:
    keep(entries(), CHECKSUM, dict.fromkeys(NAMES, SEEN))
    (place,) = cached()
    data = place.read_bytes()
    place.unlink()
    if spoil in ("short", "long"):
        place.write_bytes(data[:-1] if spoil == "short" else data + b"\0")
    elif spoil == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        os.symlink(tmp_path / "elsewhere", place)
    elif spoil == "folder":
        place.mkdir()
    assert not any(recall(entries(), CHECKSUM).has(index, SEEN) for index in range(3))


def test_a_cache_that_cannot_be_written_is_no_error() -> None:
    folder = user_cache_path("uhop")
    folder.mkdir(parents=True)
    (folder / "stored").write_text("a file")
    keep(entries(), CHECKSUM, dict.fromkeys(NAMES, SEEN))
    assert not recall(entries(), CHECKSUM).has(0, SEEN)


def test_the_oldest_marks_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    size = 3 * 5 * 8
    monkeypatch.setattr(marks, "KEPT_BYTES", 3 * size)
    for number in range(5):
        keep(entries(), bytes([number]) * 32, dict.fromkeys(NAMES, SEEN))
        newest = max(cached(), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(0, number))
    assert len(cached()) == 3
    kept = [recall(entries(), bytes([number]) * 32).has(0, SEEN) for number in range(5)]
    assert kept == [False, False, True, True, True]
