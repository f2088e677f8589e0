"""Faults of the machine and of the world around: full and read-only disks, little memory, odd files and names, changes meanwhile.

    python tests/stress/faults.py [CHECK...] [--data-dir DIR]    (from the root of the repository)

After each fault the memory file is what it was or what it should have become, no temporary file remains, and the next run works.
Whatever the commands print is looked at byte by byte: no control character, so no escape sequence, reaches the terminal. Full and
read-only disks are small file systems in memory where one may be mounted (as root), else injected faults and permissions.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import io
import json
import os
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from PIL import Image
from watch import Watch

from uhop_cli.cli.app import run
from uhop_cli.memory.file.reader import verify
from uhop_cli.storing import store as build

ADDRESS_SPACE = 2_000_000 * 1024  # as `ulimit -v 2000000`
MALFORMED_SECONDS = 60
LITTER = ".uhop-*"
NAMES = [
    b"plain.png", b"-leading.png", b"--help.png", b"two\nlines.png", b"\x1b[2J\x1b[31mred.png", b"\x1b]0;title\x07.png",
    b"not utf8 \xff\xfe.png", "right to left \u202e gnp.png".encode(), b"tab\tand\rreturn.png", b" spaces .png",
    b"quote'\"$(touch x)`x`.png", "Gr\u00fc\u00dfe \u6f22\u5b57.png".encode(), b"[bold]markup[red].png", b"\xc2\x9b2J.png",
    b"a" * 240 + b".png", b"percent%s%n.png", b"back\\slash.png", b"star*?.png",
]  # fmt: skip


class Ran(NamedTuple):
    """What a command left: exit code, raw output."""

    code: int
    out: bytes
    err: bytes


def uhop(*arguments: object, cwd: Path, limit: int | None = None, stdin: bytes = b"", seconds: float = 120) -> Ran:
    """Runs a command and looks at every byte that it prints."""

    def limited() -> None:
        if limit:
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    command = [
        sys.executable,
        "-m",
        "uhop_cli",
        *(os.fsencode(item) if isinstance(item, Path) else str(item) for item in arguments),
    ]
    done = subprocess.run(command, cwd=cwd, input=stdin, capture_output=True, timeout=seconds, preexec_fn=limited, check=False)
    printable(done.stdout)
    printable(done.stderr)
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"error: unexpected" not in done.stderr, done.stderr.decode()
    return Ran(done.returncode, done.stdout, done.stderr)


def inside(*arguments: object) -> Ran:
    """The same in this process, which is quicker."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(item) for item in arguments])
    printable(out.getvalue().encode())
    printable(err.getvalue().encode())
    return Ran(code, out.getvalue().encode(), err.getvalue().encode())


def printable(data: bytes) -> None:
    """No control characters but line ends, neither of ASCII nor of Unicode."""
    text = data.decode()  # it is UTF-8, whatever the names were
    found = re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", text)
    assert not found, f"a control character: {text[max(0, found.start() - 40) : found.end() + 40]!a}"


def refused(ran: Ran, *words: str) -> None:
    """Exit code 1, and one line of error that has one of the words."""
    lines = [line for line in ran.err.decode().splitlines() if line.startswith("error: ")]
    assert ran.code == 1, (ran.code, ran.err)
    assert len(lines) == 1, ran.err
    assert not words or any(word in lines[0] for word in words), lines[0]


def draw(folder: Path, numbers: range, side: int = 12) -> Path:
    """Smooth pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    for index in numbers:
        pixels = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def stored(folder: Path, count: int = 6) -> Path:
    """A memory file of a few pictures in `folder`."""
    draw(folder / "images", range(count))
    draw(folder / "more", range(100, 104))
    assert uhop("store", "images", "-m", "m.safetensors", cwd=folder).code == 0
    return folder / "m.safetensors"


def works(folder: Path) -> None:
    """The next run: adds, leaves no litter, and the file is whole."""
    ran = uhop("store", "images", "more", "--add", "-m", "m.safetensors", cwd=folder)
    assert ran.code == 0, ran.err
    verify(folder / "m.safetensors")
    assert not list(folder.rglob(LITTER))


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


def changed_sources(folder: Path, watch: Watch) -> None:
    """Images changed, replaced by links, and deleted after they were stored: no other file is ever handed out as the original."""
    stored(folder)
    kept = (folder / "images" / "1.png").read_bytes()
    query = folder / "query.png"
    query.write_bytes(kept)
    place = folder / "images" / "1.png"
    for name, change in {
        "changed": lambda: place.write_bytes(kept[:-20] + bytes(20)), "deleted": lambda: place.unlink(),
        "a link to another": lambda: place.symlink_to("2.png"), "a link to nowhere": lambda: place.symlink_to("nowhere"),
        "a folder": lambda: place.mkdir(), "a pipe": lambda: os.mkfifo(place), "a device": lambda: place.symlink_to("/dev/zero"),
    }.items():  # fmt: skip
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        else:
            place.unlink(missing_ok=True)
        change() if name != "deleted" else None
        ran = uhop("query", query, "-m", "m.safetensors", "--json", "--force", "--min-confidence", 0, cwd=folder)
        assert ran.code == 0, ran.err
        result = json.loads(ran.out)["results"][0]
        assert result["match"]["name"] == "images/1.png"
        assert result["output_kind"] == "state"
        assert uhop("store", "images", "--add", "--prune", "--dry-run", "-m", "m.safetensors", cwd=folder).code == 0
        watch.counts[f"original {name}: the state is written"] += 1
    assert uhop("store", "images", "--add", "--prune", "-m", "m.safetensors", cwd=folder).code == 0


def clocks(folder: Path, watch: Watch) -> None:
    """Files from the future and from before the epoch: content decides, not time."""
    memory = stored(folder)
    old = sha256(memory)
    for when in (-(2**31), 0, 2**32, 2**34):
        for path in (memory, *(folder / "images").iterdir()):
            os.utime(path, (when, when))
        litter = folder / ".uhop-0123456789abcdef.tmp"
        litter.write_bytes(b"left over")
        os.utime(litter, (when, when))
        ran = uhop("store", "images", "--add", "-m", "m.safetensors", "--json", cwd=folder)
        assert ran.code == 0, ran.err
        assert json.loads(ran.out)["unchanged"] == 6
        assert sha256(memory) == old
        assert not litter.exists()
        watch.counts["times of files that make no sense: same bytes"] += 1
    works(folder)


def odd_names(folder: Path, watch: Watch) -> None:
    """Names that are not UTF-8, have line ends, dashes, terminal escapes: stored, listed, found, exported, and printed escaped."""
    source = draw(folder / "drawn", range(len(NAMES)))
    place = os.fsencode(folder) + b"/names \x1b[7m\n"
    os.mkdir(place)
    for index, name in enumerate(NAMES):
        os.rename(source / f"{index}.png", os.path.join(place, name))
    (folder / "bad").mkdir()
    for index, name in enumerate(NAMES):
        with open(os.path.join(os.fsencode(folder / "bad"), name), "wb") as file:
            file.write([b"", b"\x89PNG\r\n\x1a\n\x1b[2J", b"GIF89a"][index % 3])
    names = Path(os.fsdecode(place))
    ran = uhop("store", names, "bad", "-m", "m.safetensors", "-v", cwd=folder)
    assert ran.code == 0, ran.err
    assert len([line for line in ran.err.splitlines() if line.startswith(b"warning: skipped")]) >= len(NAMES)
    for arguments in (["info", "--list"], ["info", "--list", "--json"], ["info", "--export", "out"], ["info", "--verify", "-q"]):
        assert uhop(arguments[0], "m.safetensors", *arguments[1:], cwd=folder).code == 0
    for arguments in ([], ["--json"], ["-q"], ["-v"]):
        ran = uhop("query", names, "bad", "-m", "m.safetensors", "-o", "out2", *arguments, cwd=folder)
        assert ran.code == 1, ran.err
    listed = b"\0".join(os.path.join(place, name) for name in NAMES)
    ran = uhop("query", "-m", "m.safetensors", "--no-output", "-q", *[names / os.fsdecode(name) for name in NAMES], cwd=folder)
    assert ran.code == 0, ran.err
    assert len(ran.out.splitlines()) == len(NAMES)
    ran = uhop("store", "--files-from", "-", "-m", "l.safetensors", cwd=folder, stdin=listed)
    assert ran.code == 0, ran.err
    for missing in ("\x1b[2Jnothing", "a\nb", "\udcff"):
        refused(uhop("query", Path(missing), "-m", "m.safetensors", cwd=folder))
        refused(uhop("info", Path(missing), cwd=folder))
        refused(uhop("store", Path(missing), cwd=folder))
    odd = Path("memory \x1b[31m\n.safetensors")
    for arguments in ([], ["-q"], ["--json"]):
        assert uhop("store", names, "-m", odd, "--force", *arguments, cwd=folder).code == 0
        assert uhop("query", names, "-m", odd, "--no-output", *arguments, cwd=folder).code == 0
        assert uhop("info", odd, *arguments, cwd=folder).code == 0
    watch.counts[f"{len(NAMES)} odd names: stored, listed, found, exported, printed escaped"] += 1


def odd_files(folder: Path, watch: Watch) -> None:
    """Devices, pipes, sockets, folders named like pictures, links to nowhere, in circles and to devices; arrays that are none."""
    stored(folder)
    odd = folder / "odd"
    draw(odd / "folder.png", range(2))
    os.mkfifo(odd / "pipe.png")
    for name, target in {
        "zero.png": "/dev/zero",
        "null.png": "/dev/null",
        "circle.png": "circle.png",
        "nowhere.png": "no/where",
        "up": "..",
    }.items():
        (odd / name).symlink_to(target)
    (odd / "unreadable.png").write_bytes(b"\x89PNG")
    (odd / "unreadable.png").chmod(0)
    (odd / "empty.png").touch()
    with socket.socket(socket.AF_UNIX) as server, contextlib.chdir(odd):
        server.bind("socket.png")
    ran = uhop("store", odd, "-m", "o.safetensors", "-v", cwd=folder)
    assert ran.code == 0, ran.err
    assert b"12 images" in ran.out, ran.out  # two in the folder, ten that the link to above leads to
    assert uhop("query", odd, "-m", "m.safetensors", "-o", "out", cwd=folder).code == 1
    for path in ("pipe.png", "zero.png", "null.png", "circle.png", "nowhere.png", "socket.png"):
        given = odd / path
        for command in (
            ["store", given, "-m", "x.safetensors"], ["query", given, "-m", "m.safetensors"], ["info", given],
            ["query", "images/1.png", "--mask-file", given, "-m", "m.safetensors"], ["query", "images/1.png", "-m", given],
            ["store", "images", "--add", "-m", given],
        ):  # fmt: skip
            if command[0] == "store" and "--add" in command and path == "nowhere.png":
                continue  # a name that is free
            with contextlib.chdir(folder):
                refused(inside(*command))
    arrays = folder / "arrays"
    arrays.mkdir()
    os.mkfifo(arrays / "pipe.npy")
    (arrays / "zero.npy").symlink_to("/dev/zero")
    (arrays / "none.npy").write_bytes(b"\x93NUMPY\x01\x00\x10\x00{'descr': [[[[[")
    (arrays / "folder.npy").mkdir()
    np.save(arrays / "objects.npy", np.array([{}, []], object), allow_pickle=True)
    with (arrays / "archive.npy").open("wb") as file:
        np.savez(file, a=np.zeros((2, 4, 4)))
    with (arrays / "claims.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**9, 10**4, 10**4)})
    for path in sorted(arrays.iterdir()):
        refused(inside("store", path, "-m", folder / "x.safetensors"))
    ran = uhop("query", "-", "-m", "m.safetensors", "--no-output", cwd=folder, stdin=bytes(300 << 20))
    refused(ran, "larger than")
    watch.counts["pipes, devices, sockets, folders, links, arrays: told without waiting"] += 1


def vanishing(folder: Path, watch: Watch) -> None:
    """Files that are deleted, cut and replaced while they are stored."""
    stored(folder)
    for turn in range(4):
        source = draw(folder / "moving", range(200, 300), 64)
        stop = threading.Event()

        def disturb(source: Path = source, stop: threading.Event = stop, turn: int = turn) -> None:
            for path in sorted(source.iterdir(), reverse=True):
                if stop.wait(0.01):
                    return
                with contextlib.suppress(OSError):
                    [path.unlink, lambda path=path: os.truncate(path, 30), lambda path=path: path.write_bytes(b""), path.unlink][
                        turn
                    ]()

        thread = threading.Thread(target=disturb)
        process = subprocess.Popen([sys.executable, "-m", "uhop_cli", "store", "moving", "--add", "-m", "m.safetensors", "--json"],
                                   cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
        time.sleep(0.3)
        thread.start()
        out, err = process.communicate(timeout=120)
        stop.set()
        thread.join()
        assert b"Traceback" not in err, err
        assert process.returncode == 0 or b"error: " in err, err
        verify(folder / "m.safetensors")
        skipped = len(json.loads(out)["skipped"]) if process.returncode == 0 else "no"
        watch.counts[f"files that vanish meanwhile: exit code {process.returncode}, {skipped} skipped"] += 1
        shutil.rmtree(source)
    works(folder)


def malformed(folder: Path, watch: Watch, data: Path | None) -> None:
    """The files of malformed/: stored and queried within the time, each refusal named."""
    if not data or not (data / "malformed").is_dir():
        watch.counts["malformed/: skipped, not in --data-dir"] += 1
        return
    shutil.copytree(data / "malformed", folder / "malformed")
    began = time.perf_counter()
    ran = uhop("store", "malformed", "-m", "m.safetensors", "--json", cwd=folder)
    assert ran.code == 0, ran.err
    document = json.loads(ran.out)
    between = time.perf_counter()
    queried = uhop("query", "malformed", "-m", "m.safetensors", "-o", "out", "--json", cwd=folder)
    ended = time.perf_counter()
    answers = json.loads(queried.out)
    for ran in (
        uhop("store", "malformed", "-m", "v.safetensors", "-v", cwd=folder),
        uhop("query", "malformed", "-m", "m.safetensors", cwd=folder),
    ):
        assert ran.code in (0, 1)
    named = [item["path"] for item in document["skipped"]]
    assert all(item["reason"] for item in document["skipped"] + answers["skipped"])
    print(f"malformed/: {document['stored']} of 271 stored, {len(named)} refused by name in {between - began:.1f} s; "
          f"{len(answers['results'])} answered, {len(answers['skipped'])} refused in {ended - between:.1f} s")  # fmt: skip
    for reason in sorted({item["reason"] for item in document["skipped"]}):
        print(f"    {sum(item['reason'] == reason for item in document['skipped']):3d}  {reason}")
    assert ended - began < MALFORMED_SECONDS, f"{ended - began:.0f} s"
    watch.counts["malformed/: stored and queried in time"] += 1


CHECKS: dict[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        full_disk, read_only, little_memory, two_writers, changed_sources, clocks, odd_names, odd_files, vanishing, malformed
    )
}  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checks", nargs="*", metavar="CHECK", help=", ".join(CHECKS))
    parser.add_argument("--data-dir", type=Path, help="folder that holds malformed/, sprites/ and photos/")
    options = parser.parse_args()
    data = None if options.data_dir is None else options.data_dir.resolve()
    watch = Watch("faults", hang=1800.0)
    for name in options.checks or CHECKS:
        with tempfile.TemporaryDirectory() as folder, watch.case(name):
            print(f"-- {name}", flush=True)
            CHECKS[name](Path(folder), watch, *([data] if name in ("little_memory", "malformed") else []))
            watch.counts[f"{name}: as it should be"] += 1
    return watch.finish()


if __name__ == "__main__":
    sys.exit(main())
