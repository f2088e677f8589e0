"""Faults of the machine: full and read-only disks, little memory, several writers."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

from commands import LITTER, draw, inside, refused, sha256, stored, uhop, works
from watch import Watch

from uhop_cli.memory.file.reader import verify
from uhop_cli.storing import store as build

ADDRESS_SPACE = 2_000_000 * 1024  # as `ulimit -v 2000000`


@contextlib.contextmanager
def disk(folder: Path, size: str) -> Iterator[bool]:
    """A file system of that size in memory, mounted on `folder`; False where one may not be mounted."""
    mounted = (
        os.geteuid() == 0
        and subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=False).returncode == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", folder], check=True)


def full_disk(folder: Path, watch: Watch) -> None:
    """No space, for every amount of it that is left, while a memory is added to, restored pictures written, memories exported."""
    with disk(folder, "2m") as mounted:
        memory = stored_without_reserve(folder)
        old = sha256(memory)
        space = shutil.disk_usage(folder).free if mounted else 0
        for left in range(0, 400_000, 10_000):
            filler = folder / "filler"
            with no_space(left, filler if mounted else None, space):
                code = inside("store", folder / "more", "--add", "-m", memory, "-q").code
                watch.counts[f"store on a full disk: exit code {code}"] += 1
                assert code in (0, 1)
                assert code == 0 or sha256(memory) == old, "the old file is not whole"
                if left < 20_000:
                    assert inside("query", folder / "images", "-m", memory, "-o", folder / "out", "-q").code == 1
                    assert inside("info", memory, "--export", folder / "exported", "-q").code == 1
            filler.unlink(missing_ok=True)
            assert not list(folder.rglob(LITTER)), "litter"
            if code == 0:
                memory.write_bytes((folder / "before").read_bytes())
        with mock.patch.object(build, "SPARE_DISK", 0):
            assert inside("store", folder / "more", "--add", "-m", memory, "-q").code == 0
        verify(memory)
    with disk(folder, "8m") as mounted:
        if mounted:  # less than the reserve: told before the work
            draw(folder / "images", range(3))
            refused(uhop("store", "images", "-m", "m.safetensors", cwd=folder), "are needed")


def stored_without_reserve(folder: Path) -> Path:
    draw(folder / "images", range(6))
    draw(folder / "more", range(100, 104))
    with mock.patch.object(build, "SPARE_DISK", 0):
        assert inside("store", folder / "images", "-m", folder / "m.safetensors", "-q").code == 0
    shutil.copy(folder / "m.safetensors", folder / "before")
    return folder / "m.safetensors"


@contextlib.contextmanager
def no_space(left: int, filler: Path | None, space: int) -> Iterator[None]:
    """`left` bytes of space: by a file that takes the rest, or by writes that fail after so many bytes."""
    with mock.patch.object(build, "SPARE_DISK", 0):
        if filler:
            with filler.open("wb") as file, contextlib.suppress(OSError):
                file.write(bytes(max(0, space - left)))
            yield
            return
        written, write = 0, os.pwrite

        def limited(descriptor: int, data: memoryview, place: int) -> int:
            nonlocal written
            written += len(data)
            if written > left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, data, place)

        with mock.patch.object(os, "pwrite", limited):
            yield


def read_only(folder: Path, watch: Watch) -> None:
    """A folder, or a file system, that cannot be written."""
    with disk(folder, "200m") as mounted:
        memory = stored(folder)
        old = sha256(memory)
        if mounted:
            subprocess.run(["mount", "-o", "remount,ro", folder], check=True)
        elif os.geteuid() == 0:
            watch.counts["read-only disk: skipped, as nothing may be mounted and root may write everywhere"] += 1
            return
        else:
            folder.chmod(0o555)
        for arguments in (["--add"], ["--force"]):
            refused(uhop("store", "more", *arguments, "-m", "m.safetensors", cwd=folder), "cannot be written", "Read-only")
        refused(uhop("store", "more", "-m", "new.safetensors", cwd=folder), "cannot be written", "Read-only")
        refused(uhop("query", "images/1.png", "-m", "m.safetensors", cwd=folder), "cannot be written", "Read-only")
        refused(uhop("info", "m.safetensors", "--export", "out", cwd=folder), "cannot be written", "Read-only")
        assert uhop("query", "images/1.png", "-m", "m.safetensors", "--no-output", cwd=folder).code == 0
        assert uhop("info", "m.safetensors", "--verify", cwd=folder).code == 0
        assert sha256(memory) == old
        if mounted:
            subprocess.run(["mount", "-o", "remount,rw", folder], check=True)
        else:
            folder.chmod(0o755)
        works(folder)
        watch.counts["read-only disk: told by every command, nothing lost"] += 1


def little_memory(folder: Path, watch: Watch, data: Path | None) -> None:
    """2 GB of address space: it works, or it is refused before the work with the figure that it needs."""
    sets = [("pictures", draw(folder / "images", range(40), 32), [])]
    for name in ("sprites", "photos"):
        if data and (data / name).is_dir():
            sets.append((name, data / name, []))
        else:
            watch.counts[f"{name} in 2 GB: skipped, not in --data-dir"] += 1
    for name, images, more in sets:
        began = time.perf_counter()
        ran = uhop(
            "store",
            images,
            *more,
            "-m",
            folder / "m.safetensors",
            "--force",
            "--json",
            cwd=folder,
            limit=ADDRESS_SPACE,
            seconds=600,
        )
        seconds = time.perf_counter() - began
        if ran.code == 0:
            document = json.loads(ran.out)
            outcome = f"{document['stored']} stored in {seconds:.0f} s"
            assert document["self_test"]
            verify(folder / "m.safetensors")
            ran = uhop("query", images, "-m", folder / "m.safetensors", "--no-output", "-q",
                       cwd=folder, limit=ADDRESS_SPACE, seconds=600)  # fmt: skip
            assert ran.code == 0, ran.err
            outcome += f", {len(ran.out.splitlines())} queries answered"
        else:
            refused(ran, "GB of memory")
            outcome = f"refused after {seconds:.1f} s: {ran.err.decode().splitlines()[0]}"
        watch.counts[f"{name} in 2 GB: {outcome}"] += 1
    tight = uhop(
        "store", draw(folder / "large", range(30), 400), "--size", 400, "-m", folder / "t.safetensors", cwd=folder, limit=700 << 20
    )
    refused(tight, "of memory")
    watch.counts["30 pictures of 400 x 400 in 0.7 GB: refused with the figure"] += 1


def two_writers(folder: Path, watch: Watch) -> None:
    """Several stores into one file at once: one at a time, and the others say so."""
    memory = stored(folder)
    command = [sys.executable, "-m", "uhop_cli", "store", "images", "more", "--force", "-m", "m.safetensors", "-q"]
    running = [subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(6)]
    codes = []
    for process in running:
        _, err = process.communicate()
        codes.append(process.returncode)
        assert process.returncode == 0 or b"another uhop is writing it" in err, err
    assert 0 in codes
    verify(memory)
    works(folder)
    watch.counts[f"six stores at once: {codes.count(0)} done, {codes.count(1)} told that another is writing"] += 1
