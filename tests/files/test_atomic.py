"""Whole or not at all: failures, interrupts and kills at any point; locks between threads and processes; litter."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from uhop_cli.errors import OutputError
from uhop_cli.files import atomic
from uhop_cli.files.atomic import AtomicFile, clean, resolve
from uhop_cli.files.lock import lock

HOLD_LOCK = (
    "import sys; from uhop_cli.files.lock import lock\nwith lock(sys.argv[1]):\n    print('held', flush=True); sys.stdin.read()"
)
WRITE_HALF = (
    "import sys; from uhop_cli.files.atomic import AtomicFile\nfrom uhop_cli.files.lock import lock\n"
    "with lock(sys.argv[1]), AtomicFile(sys.argv[1]) as file:\n"
    "    file.write(b'half', 0); print('held', flush=True); sys.stdin.read()"
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"old")
    return path


def write(path: Path, data: bytes = b"new", needed: int | None = None) -> None:
    with AtomicFile(path) as file:
        file.write(data, 0, needed)
        file.commit()


def held(code: str, path: Path) -> subprocess.Popen[str]:
    """A process that runs `code` on `path` until its standard input is closed."""
    process = subprocess.Popen([sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def umask() -> Iterator[None]:
    old = os.umask(0o027)
    yield
    os.umask(old)


def test_the_new_version_replaces_the_old_one(path: Path) -> None:
    write(path)
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_version_and_no_litter(path: Path, error: type[BaseException]) -> None:
    def stop() -> None:
        with AtomicFile(path) as file:
            file.write(b"half", 0)
            raise error

    with pytest.raises(error):
        stop()
    with AtomicFile(path) as file:  # nor does forgetting to commit
        file.write(b"half", 0)
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("call", ["pwrite", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failing_call_leaves_the_old_version_and_no_litter(
    path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(atomic.os, call, fail)
    with pytest.raises(OutputError, match="cannot be written: " if number == errno.EIO else "no space") as caught:
        write(path, needed=1234)
    assert str(path) in caught.value.message
    assert ("1234 bytes" in caught.value.message) == (call == "pwrite" and number != errno.EIO)
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(path.parent) == ["file"]


def test_a_write_in_many_pieces_is_one(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pwrite
    monkeypatch.setattr(atomic.os, "pwrite", lambda descriptor, data, place: whole(descriptor, data[:3], place))
    write(path, bytes(range(100)))
    assert path.read_bytes() == bytes(range(100))


@pytest.mark.usefixtures("umask")
def test_permissions_follow_the_umask_or_the_file_replaced(path: Path) -> None:
    write(path.parent / "fresh")
    assert stat.S_IMODE((path.parent / "fresh").stat().st_mode) == 0o640
    path.chmod(0o604)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_is_written_through(path: Path) -> None:
    (path.parent / "sub").mkdir()
    link, dangling = path.parent / "sub" / "link", path.parent / "sub" / "dangling"
    link.symlink_to("../file")
    dangling.symlink_to("../fresh")
    write(link, b"one")
    write(dangling, b"two")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert path.read_bytes() == b"one"
    assert (path.parent / "fresh").read_bytes() == b"two"
    assert sorted(os.listdir(link.parent)) == ["dangling", "link"]


def test_targets_that_are_no_files(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(path.parent / "pipe")
    (path.parent / "loop").symlink_to("loop")
    cases = [
        (path.parent, "a folder"),
        (path.parent / "pipe", "a device or a pipe"),
        (Path("/dev/null"), "a device or a pipe"),
        (path.parent / "none" / "file", "does not exist"),
        (path / "file", "cannot be written: Not a directory"),
        (path.parent / "loop", "cannot be written"),
        (path.parent / ("x" * 300), "cannot be written"),
        (Path("a\0b"), "cannot be written"),
    ]
    for target, message in cases:
        with pytest.raises(OutputError, match=message):
            write(target)
        with pytest.raises(OutputError, match=message), lock(target):
            pass
    monkeypatch.setattr(atomic.os, "access", lambda path, mode: False)  # root may write anything, so the answer is made up
    with pytest.raises(OutputError, match="read-only"):
        write(path)
    assert path.read_bytes() == b"old"


def test_a_killed_writer_leaves_the_old_version_and_the_next_one_cleans_up(path: Path) -> None:
    process = held(WRITE_HALF, path)
    litter = sorted(os.listdir(path.parent))
    assert sorted(name.rpartition(".")[2] for name in litter) == ["file", "lock", "tmp"]
    clean(path.parent)
    assert sorted(os.listdir(path.parent)) == litter  # it is alive
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert path.read_bytes() == b"old"
    assert len(os.listdir(path.parent)) == 3
    with lock(path):
        pass
    clean(path.parent)
    assert os.listdir(path.parent) == ["file"]


def test_only_our_own_litter_is_removed(path: Path) -> None:
    ours = [f".uhop-{16 * 'a'}.tmp", f".uhop-{16 * 'b'}.lock"]
    others = [".uhop-x.tmp", f".uhop-{16 * 'a'}.tmp2", "uhop.tmp", f".uhop-{16 * 'A'}.tmp"]
    for name in ours + others:
        (path.parent / name).write_bytes(b"")
    (path.parent / f".uhop-{16 * 'c'}.tmp").mkdir()
    os.mkfifo(path.parent / f".uhop-{16 * 'd'}.tmp")
    (path.parent / f".uhop-{16 * 'e'}.tmp").symlink_to(path)
    kept = set(os.listdir(path.parent)) - set(ours)
    clean(path.parent)
    assert set(os.listdir(path.parent)) == kept
    clean(path.parent / "nowhere")


def test_a_lock_excludes_other_processes_until_they_end(path: Path) -> None:
    process = held(HOLD_LOCK, path)
    with pytest.raises(OutputError, match="another uhop is writing it"), lock(path):
        pass
    link = path.parent / "link"
    link.symlink_to(path)
    with pytest.raises(OutputError, match="another uhop"), lock(link):
        pass
    with lock(path.parent / "other"):  # another file of the same folder
        pass
    process.communicate()
    assert process.returncode == 0
    with lock(path):
        pass
    assert sorted(os.listdir(path.parent)) == ["file", "link"]


def test_a_lock_excludes_other_threads_and_not_its_own(path: Path) -> None:
    seen: list[str] = []

    def other() -> None:
        try:
            with lock(path):
                seen.append("taken")
        except OutputError as error:
            seen.append(error.message)

    with lock(path), lock(path):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    other()
    assert len(seen) == 2
    assert "another uhop" in seen[0]
    assert seen[1] == "taken"


def test_a_file_system_without_locks_still_writes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_lock(*args: Any) -> None:
        raise OSError(errno.ENOLCK, "no locks")

    monkeypatch.setattr("fcntl.flock", no_lock)
    litter = path.parent / f".uhop-{16 * 'a'}.tmp"
    litter.touch()
    with lock(path):
        clean(path.parent)
        write(path)
    assert path.read_bytes() == b"new"
    assert litter.exists()  # it cannot be known to be left over


def test_resolve_follows_links(path: Path) -> None:
    (path.parent / "link").symlink_to("file")
    assert resolve(path.parent / "link") == path.resolve()
