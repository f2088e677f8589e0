"""Faults of the world around: odd files and names, clocks, changes meanwhile."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
from commands import draw, inside, refused, sha256, stored, uhop, works
from watch import Watch

from uhop_cli.memory.file.reader import verify

MALFORMED_SECONDS = 60
NAMES = [
    b"plain.png", b"-leading.png", b"--help.png", b"two\nlines.png", b"\x1b[2J\x1b[31mred.png", b"\x1b]0;title\x07.png",
    b"not utf8 \xff\xfe.png", "right to left \u202e gnp.png".encode(), b"tab\tand\rreturn.png", b" spaces .png",
    b"quote'\"$(touch x)`x`.png", "Gr\u00fc\u00dfe \u6f22\u5b57.png".encode(), b"[bold]markup[red].png", b"\xc2\x9b2J.png",
    b"a" * 240 + b".png", b"percent%s%n.png", b"back\\slash.png", b"star*?.png",
]  # fmt: skip


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
