"""Kills at random moments: what existed before is whole, and the next run leaves nothing of the killed one behind.

    python tests/stress/kills.py --count 300 [--seed N] [--start]             kills `uhop store --add`
    python tests/stress/kills.py --count 300 --bench [--seed N] [--start]     kills `uhop bench --resume`

From the root of the repository. Runs are forked from this process, which has everything loaded, so that the moments fall into the
work; with `--start` each is a new interpreter. After each kill the memory file is, by its sha256, the old one or the new one; the
journal of a benchmark is a beginning, byte for byte, of that of an undisturbed run. Where a file was left over, and now and then
where none was, the same command runs to its end: its result is that of an undisturbed run, and the folder holds no other file.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from watch import Watch

from uhop_cli.cli.app import run
from uhop_cli.memory.file.reader import verify

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
ENDED = {signal.SIGKILL: (-9,), signal.SIGTERM: (-15, 143), signal.SIGINT: (-2, 130)}  # before and after our handler stands
PATIENCE = 120.0  # seconds until a killed process must be gone
RUNS = 3  # whose median says when to kill


def draw(folder: Path, numbers: range) -> None:
    """Smooth pictures of 12 x 12."""
    folder.mkdir(parents=True)
    for index in numbers:
        pixels = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((12, 12), Image.Resampling.BICUBIC).save(folder / f"{index}.png")


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


class Run:
    """A command in a process of its own, with `folder` as its working directory."""

    interpreter = False  # whether a new interpreter is started, or this process forked

    def __init__(self, arguments: list[str], folder: Path) -> None:
        self.said = tempfile.TemporaryFile()  # noqa: SIM115 -- closed by `wait`
        if self.interpreter:
            command = [sys.executable, "-m", "uhop_cli", *arguments]
            self.process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=self.said)
            self.pid = self.process.pid
            return
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.chdir(folder)
                os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
                os.dup2(self.said.fileno(), 2)
                os._exit(run(arguments))
            finally:  # interrupted before `run` could see to it: ends as a command does that is hardly started
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                os.kill(os.getpid(), signal.SIGINT)

    def wait(self, seconds: float) -> int | None:
        """The exit code, negative for a signal, or None if it runs on after so many seconds."""
        end = time.perf_counter() + seconds
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if time.perf_counter() > end:
                return None
            time.sleep(0.002)

    def words(self) -> bytes:
        """What it wrote to standard error."""
        self.said.seek(0)
        with self.said:
            return self.said.read()


def whole_run(arguments: list[str], folder: Path) -> None:
    """A run that nobody disturbs."""
    process = Run(arguments, folder)
    code = process.wait(PATIENCE)
    said = process.words()
    assert code == 0, (code, said)


def timed(arguments: list[str], folder: Path, restore: Callable[[], None]) -> float:
    """Seconds of an undisturbed run; `restore` brings back what it starts from."""
    seconds = []
    for _ in range(RUNS):
        restore()
        began = time.perf_counter()
        whole_run(arguments, folder)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)


def killed(arguments: list[str], folder: Path, number: signal.Signals, delay: float) -> int:
    """Starts a run, sends it the signal after the delay, and returns its exit code."""
    process = Run(arguments, folder)
    code = process.wait(delay)
    if code is None:
        os.kill(process.pid, number)
        code = process.wait(PATIENCE)
    said = process.words()
    assert code is not None, "it does not end"
    assert b"half-written" in said or code not in (130, 143), said
    return code


def store_add(watch: Watch, folder: Path, count: int, seed: int) -> None:
    """Kills `uhop store --add`."""
    memory, before = folder / "m.safetensors", folder / "before"
    draw(folder / "images", range(10))
    whole_run(["store", str(folder / "images"), "-m", str(memory), "-q"], folder)
    draw(folder / "more", range(10, 16))
    shutil.copy(memory, before)
    arguments = ["store", "images", "more", "--add", "-m", "m.safetensors", "-q"]
    whole = timed(arguments, folder, lambda: shutil.copy(before, memory))
    old, new, expected = sha256(before), sha256(memory), contents(folder)
    verify(memory)
    print(f"kills: one `store --add` takes {whole:.2f} s", flush=True)
    rng = random.Random(seed)
    for index in range(count):
        number, delay = SIGNALS[index % 3], rng.uniform(0, 1.1 * whole)
        shutil.copy(before, memory)
        with watch.case(f"kill {index}: {number.name} after {delay:.3f} s of {whole:.3f}"):
            code = killed(arguments, folder, number, delay)
            assert code in (0, *ENDED[number]), f"exit code {code}"
            after = sha256(memory)
            assert after in (old, new), "the memory file is neither the old one nor the new one"
            litter = contents(folder) - expected
            assert all(name.startswith(".uhop-") for name in litter), litter
            watch.counts[f"{number.name}: {'the old file' if after == old else 'the new file'}, whole"] += 1
            watch.counts["kills that left a temporary file"] += bool(litter)
            if litter or index % 10 == 0:
                whole_run(arguments, folder)
                assert sha256(memory) == new, "the next run does not give the file of an undisturbed one"
                assert contents(folder) == expected, f"left over: {contents(folder) - expected}"
                watch.counts["next runs that gave the new file and left nothing"] += 1
        progress(watch, index + 1, count)


def bench_resume(watch: Watch, folder: Path, count: int, seed: int) -> None:
    """Kills `uhop bench --resume`."""
    out = folder / "out"
    arguments = ["bench", "--experiment", "capacity", "--sizes", "4", "--sizes", "8", "--repeats", "2"]
    arguments += ["--iterations", "20", "--out", "out", "--resume", "-q"]
    whole = timed(arguments, folder, lambda: shutil.rmtree(out, ignore_errors=True))
    journal, expected = (out / "rows.jsonl").read_bytes(), contents(folder)
    print(f"kills: one `bench` takes {whole:.2f} s, {len(journal.splitlines())} lines", flush=True)
    rng = random.Random(seed)
    shutil.rmtree(out)
    for index in range(count):
        number, delay = SIGNALS[index % 3], rng.uniform(0, 1.1 * whole)
        with watch.case(f"kill {index}: {number.name} after {delay:.3f} s of {whole:.3f}"):
            code = killed(arguments, folder, number, delay)
            assert code in (0, *ENDED[number]), f"exit code {code}"
            found = (out / "rows.jsonl").read_bytes() if out.exists() else b""
            assert journal.startswith(found[: found.rfind(b"\n") + 1]), "the journal is no beginning of that of an undisturbed run"
            watch.counts[f"{number.name}: {'a whole journal' if found == journal else 'a beginning of the journal'}"] += 1
        if found == journal or index == count - 1:  # the next kills meet a new run
            with watch.case(f"end of the run after kill {index}"):
                whole_run(arguments, folder)
                assert (out / "rows.jsonl").read_bytes() == journal
                assert contents(folder) == expected, f"other files: {contents(folder) ^ expected}"
                watch.counts["runs that came to the end of an undisturbed one"] += 1
            shutil.rmtree(out)
        progress(watch, index + 1, count)


def progress(watch: Watch, done: int, count: int) -> None:
    if done % 25 == 0 or done == count:
        print(f"kills: {done} of {count}, {dict(watch.counts)}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=300, help="kills")
    parser.add_argument("--seed", type=int, default=0, help="of the moments; when a process is how far is not ours to fix")
    parser.add_argument("--bench", action="store_true", help="kill `uhop bench --resume`")
    parser.add_argument("--start", action="store_true", help="start an interpreter for each run")
    options = parser.parse_args()
    Run.interpreter = options.start
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it, and so would its children
    watch = Watch("kills", hang=2 * PATIENCE)
    with tempfile.TemporaryDirectory() as folder:
        (bench_resume if options.bench else store_add)(watch, Path(folder), options.count, options.seed)
    return watch.finish()


if __name__ == "__main__":
    sys.exit(main())
