"""Forty commands on one memory file at the same time: every query answers from one whole version of it, whichever.

    python tests/stress/concurrency.py --count 40 [--rounds N]    (from the root of the repository)

Queries run beside `store --force`, which puts another set of pictures into the file, and `store --add`, which adds some. The answer
that each possible version gives is known beforehand; every answer must be one of these, number for number, and every writer either
does its work or says that another one is at it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from watch import Watch

from uhop_cli.memory.file.reader import verify

BUSY = b"another uhop is writing it"


def draw(folder: Path, numbers: range) -> None:
    """Smooth pictures of 16 x 16."""
    folder.mkdir()
    for index in numbers:
        pixels = np.random.default_rng(index).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((16, 16), Image.Resampling.BICUBIC).save(folder / f"{index}.png")


def start(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "uhop_cli", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finished(process: subprocess.Popen[bytes]) -> tuple[int, bytes, bytes]:
    out, err = process.communicate()
    return process.returncode, out, err


def answer(output: bytes) -> str:
    """What a query says, without the seconds that it took."""
    document: dict[str, Any] = json.loads(output)
    assert document["schema"] == "uhop.query/1"
    return json.dumps([document["results"], document["config"]], sort_keys=True)


def versions(folder: Path, query: list[str]) -> dict[str, str]:
    """Answer -> the version of the memory that gives it: each set of pictures alone, and with those that are added."""
    answers = {}
    for first, added in itertools.product(("a", "b"), (False, True)):
        name = f"{first}+c" if added else first
        for arguments in [["store", first, "--force"], *([["store", "c", "--add"]] if added else [])]:
            code, _, err = finished(start([*arguments, "-m", "m.safetensors"], folder))
            assert code == 0, err
        code, out, err = finished(start(query, folder))
        assert code == 0, err
        answers[answer(out)] = name
    assert len(answers) == 4, "the versions do not differ in their answers"
    return answers


def one_round(watch: Watch, folder: Path, query: list[str], answers: dict[str, str], count: int, rng: random.Random) -> None:
    """Starts all commands at once and looks at what they say."""
    writers = [["store", "a", "--force"], ["store", "b", "--force"], ["store", "c", "--add"]]
    commands = [[*writers[index % 3], "-m", "m.safetensors"] if index % 5 == 4 else query for index in range(count)]
    rng.shuffle(commands)
    running = [(command, start(command, folder)) for command in commands]
    for command, process in running:
        code, out, err = finished(process)
        with watch.case(" ".join(command)):
            if command == query:
                assert code == 0, err
                version = answers.get(answer(out))
                assert version, f"an answer of no version: {out.decode()[:600]}"
                watch.counts[f"queries answered from version {version}"] += 1
            else:
                assert code == 0 or (code == 1 and BUSY in err), err
                watch.counts[f"{command[0]} {command[2]}: {'done' if code == 0 else 'told that another one is writing'}"] += 1
    with watch.case("the file afterwards"):
        verify(folder / "m.safetensors")
        assert not list(folder.glob(".uhop-*")), "files are left over"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=40, help="commands at the same time")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of the order; which version a query meets is chance")
    options = parser.parse_args()
    watch = Watch("concurrency", hang=600.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for place, numbers in (("a", range(12)), ("b", range(20, 36)), ("c", range(40, 46))):
            draw(folder / place, numbers)
        query = ["query", "a/3.png", "--mask", "0.4", "--no-output", "--json", "-m", "m.safetensors"]
        answers = versions(folder, query)
        for index in range(options.rounds):
            one_round(watch, folder, query, answers, options.count, random.Random(f"{options.seed}/{index}"))
            print(f"concurrency: round {index + 1} of {options.rounds}, {dict(watch.counts)}", flush=True)
    return watch.finish()


if __name__ == "__main__":
    sys.exit(main())
