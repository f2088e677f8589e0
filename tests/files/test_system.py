"""What systems lack: everything that only POSIX has is taken away, and files in use are held as Windows holds them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.files import system

# In a process of its own, as modules keep what they were imported with. Locks go through msvcrt, as on Windows; a file that is open
# or mapped cannot be renamed, replaced or removed.
WITHOUT = """
import os, sys, types
import fcntl as real
import numpy, rich.console, subprocess, typer  # which look for msvcrt to know the system

locks = types.ModuleType("msvcrt")
locks.LK_NBLCK = 2
def locking(descriptor, mode, size):
    assert (mode, size) == (2, 1)
    try:
        real.flock(descriptor, real.LOCK_EX | real.LOCK_NB)
    except OSError:
        raise PermissionError(13, "Permission denied") from None
locks.locking = locking
sys.modules.update(fcntl=None, resource=None, msvcrt=locks)

import platformdirs.unix  # chosen by sys.platform; it needs os.getuid, which its part for Windows does not


GONE = ["pread", "pwrite", "fchown", "fchmod", "geteuid", "getuid", "uname", "sysconf", "mkfifo", "posix_fallocate",
        "sched_getaffinity", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_SYNC"]
for name in GONE:
    if hasattr(os, name):
        delattr(os, name)

def free(path):
    path = os.path.realpath(path)
    opened = {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
    with open("/proc/self/maps") as lines:
        mapped = any(line.rstrip().endswith(path) for line in lines)
    if path in opened or mapped:
        raise PermissionError(13, "The process cannot access the file because it is being used by another process", path)

replace, unlink = os.replace, os.unlink
def held_replace(source, target):
    free(source); free(target)
    replace(source, target)
def held_unlink(path, *, dir_fd=None):
    free(path)
    unlink(path)
os.replace = held_replace
os.unlink = os.remove = held_unlink
def rename(source, target):
    raise FileExistsError(17, "what is there is not replaced")
os.rename = rename

import pathlib
pathlib.Path.unlink = lambda self, missing_ok=False: held_unlink(self)

os.name = "nt"
import uhop_cli.files.system
os.name = "posix"

from uhop_cli.cli.app import run
from uhop_cli.memory.file import reader
reader.MAPPED = 1000
for line in sys.argv[1:]:
    code = run(line.split())
    print("code", code, flush=True)
    if code:
        break
litter = [name for name in os.listdir(".") if name.startswith(".uhop-")]
print("litter", litter)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="sees what is in use through /proc")
def test_store_query_and_info_without_what_only_posix_has(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    (tmp_path / "more").mkdir()
    for index in range(4):
        picture = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)).resize((40, 40), Image.Resampling.BICUBIC)
        picture.save(tmp_path / ("more" if index == 3 else "") / f"{index}.png")
    lines = [
        "store 0.png 1.png 2.png -m m.safetensors --size 8 --embed",
        "query 1.png -m m.safetensors",
        "store more -m m.safetensors --add --keep-kernel",
        "store -m m.safetensors --remove 0.png --keep-kernel",
        "info m.safetensors --verify",
    ]
    result = subprocess.run(
        [sys.executable, "-c", WITHOUT, *lines], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.stdout.count("code 0") == len(lines), result.stdout + result.stderr
    assert "Traceback" not in result.stderr
    assert "litter []" in result.stdout
    assert (tmp_path / "1.retrieved.png").read_bytes() == (tmp_path / "1.png").read_bytes()


def test_flags_that_are_not_there_are_none() -> None:
    assert system._flags("O_RDWR", "O_OF_ANOTHER_SYSTEM") == os.O_RDWR
    assert system._flags("O_OF_ANOTHER_SYSTEM") == 0
    for name in ("O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC", "O_NOFOLLOW"):
        assert system.READ_NO_LINK & getattr(os, name, 0) == getattr(os, name, 0)
    assert system.EDIT_NO_LINK & os.O_CREAT
    assert not system.READ & (os.O_CREAT | os.O_RDWR | os.O_WRONLY)


@pytest.mark.parametrize("lacking", [False, True])
def test_reading_and_writing_in_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lacking: bool) -> None:
    if lacking:
        monkeypatch.delattr(os, "pread", raising=False)
        monkeypatch.delattr(os, "pwrite", raising=False)
    monkeypatch.setattr(system, "_PIECE", 4)
    descriptor = os.open(tmp_path / "file", system.EDIT, 0o600)
    try:
        data = memoryview(b"abcdefghij")
        assert system.write_at(descriptor, data, 3) == (4 if lacking else 10)
        system.write_at(descriptor, data[4:8], 7)
        system.write_at(descriptor, data[8:], 11)
        assert system.read_at(descriptor, 3, 4) == b"bcd"
        assert system.read_at(descriptor, 3, 12) == b"j"
        for moves in (False, True):
            monkeypatch.setattr(system, "IN_USE_MOVES", moves)
            assert bytes(system.content(descriptor, 13)[:]) == b"\0\0\0abcdefghij"
            with pytest.raises(ValueError):
                system.content(descriptor, 14)
    finally:
        os.close(descriptor)


def test_where_files_have_no_owner_the_folder_is_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = os.stat(tmp_path)
    other = os.stat_result([info[0], *info[1:4], info.st_uid + 1, *info[5:]])
    if hasattr(os, "geteuid"):
        assert system.is_users(info)
        assert not system.is_users(other)
    monkeypatch.delattr(os, "geteuid", raising=False)
    assert system.is_users(other)


@pytest.mark.parametrize("moves", [True, False])
def test_a_locked_file_is_removed_and_freed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: bool) -> None:
    monkeypatch.setattr(system, "IN_USE_MOVES", moves)
    path = tmp_path / "lock"
    descriptor = os.open(path, system.EDIT_NO_LINK, 0o600)
    system.lock_now(descriptor)
    other = os.open(path, system.EDIT_NO_LINK, 0o600)
    with pytest.raises(OSError):
        system.lock_now(other)
    system.remove_locked(path, descriptor)
    assert not path.exists()
    system.lock_now(other)
    os.close(other)
    with pytest.raises(OSError):
        os.fstat(descriptor)
