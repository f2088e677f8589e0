"""`uhop query -` waits for a picture, and Ctrl-C ends the waiting at once: in real processes, through a pipe and at a terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pty: Any = pytest.importorskip("pty")  # not on Windows


def command(memory: Path) -> list[str]:
    return [sys.executable, "-m", "uhop_cli", "query", "-", "--no-output", "-m", str(memory)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}


def read_until(descriptor: int, word: bytes, process: subprocess.Popen[bytes]) -> bytes:
    seen = b""
    while word not in seen and process.poll() is None:
        seen += os.read(descriptor, 1000)
    return seen


def waiting(process: subprocess.Popen[bytes]) -> None:
    """Returns when the process sleeps in a read of standard input, which Linux tells."""
    place = Path(f"/proc/{process.pid}/syscall")
    if not place.exists():
        pytest.skip("no /proc to see what a process waits for")
    while process.poll() is None:
        try:
            call = place.read_text().split()
        except OSError:
            pytest.skip("what a process waits for is not to be seen")
        if len(call) > 1 and call[0] in ("0", "63") and call[1] == "0x0":  # read, on x86-64 and on arm64
            return
        time.sleep(0.02)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_waiting_for_a_pipe_ends_at_once(memory: Path, number: signal.Signals, code: int) -> None:
    with subprocess.Popen(
        command(memory), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        waiting(process)
        process.send_signal(number)
        assert process.stdout
        assert process.stderr
        out, err = process.stdout.read(), process.stderr.read()  # the writer's end stays open meanwhile
    assert process.returncode == code, err
    assert out == b""
    assert err == b"error: interrupted; nothing is half-written\n"


def test_at_a_terminal_it_says_that_it_waits_and_control_c_ends_it(memory: Path) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(memory), stdin=theirs, stdout=theirs, stderr=theirs, env=environment(), start_new_session=True,
        preexec_fn=lambda: os.close(os.open(os.ttyname(0), os.O_RDWR)),  # the terminal that Ctrl-C comes from
    )  # fmt: skip
    os.close(theirs)
    seen = read_until(ours, b"waiting for a picture on standard input", process)
    assert b"waiting for a picture on standard input" in seen
    waiting(process)
    os.write(ours, b"\x03")
    assert process.wait() == 130
    rest = os.read(ours, 1000)
    assert b"interrupted" in rest
    assert b"Fatal" not in rest
    os.close(ours)
