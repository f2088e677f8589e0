"""Commands run and looked at byte by byte, and the memory that they are tried on."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import re
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from uhop_cli.cli.app import run
from uhop_cli.memory.file.reader import verify

LITTER = ".uhop-*"


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
