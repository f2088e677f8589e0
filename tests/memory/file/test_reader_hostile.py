"""Memory files that are damaged, cut or made up: refused in one line, or consistent."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import MemoryFileError
from uhop_cli.memory.entries import Entries
from uhop_cli.memory.file.consistency import fault
from uhop_cli.memory.file.header import read_header
from uhop_cli.memory.file.reader import load, save, verify
from uhop_cli.memory.memory import Memory
from uhop_cli.progress import Progress


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["memories", "W", "norms", "digests", "originals", "checksum"])
def test_verify_finds_one_flipped_bit_anywhere(tmp_path: Path, make_memory: Any, name: str) -> None:
    path = tmp_path / "m"
    save(make_memory(embed=True), path)
    header = read_header(path)
    flip(path, header.data_start + header.tensors[name].begin)
    load(path)
    with pytest.raises(MemoryFileError, match="damaged: checksum"):
        verify(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda m: replace(m, norms=m.norms * np.float32(1.1)), "norms are not those"),
        (lambda m: replace(m, compact=m.compact * np.float32("nan")), "compact"),
        (lambda m: replace(m, originals=replace(m.originals, data=m.originals.data[::-1].copy())), "originals"),
        (
            lambda m: replace(m, entries=Entries.joined([m.entries.select(np.arange(7) < 6), m.entries.select(np.arange(7) == 0)])),
            "twice",
        ),
    ],
)
def test_verify_checks_what_was_written_too(tmp_path: Path, make_memory: Any, spoil: Any, message: str) -> None:
    memory = spoil(make_memory(files=7, compact=2, embed=True))
    save(memory, tmp_path / "m")
    with pytest.raises(MemoryFileError, match=message):
        verify(tmp_path / "m")


def test_verify_tells_how_far_it_is(tmp_path: Path, make_memory: Any) -> None:
    save(make_memory(patterns=5, files=7, embed=True), tmp_path / "m")
    steps: list[Progress] = []
    verify(tmp_path / "m", steps.append)
    assert (steps[-1].done, steps[-1].total) == (12, 12)
    assert [step.done for step in steps] == sorted(step.done for step in steps)


def test_a_file_cut_anywhere_is_truncated(tmp_path: Path, make_memory: Any) -> None:
    path = tmp_path / "m"
    save(make_memory(compact=2, embed=True, described=True), path)
    whole, header = path.read_bytes(), read_header(path)
    places = [header.data_start + place for info in header.tensors.values() for place in (info.begin, info.end - 1)]
    for place in [9, 100, header.data_start - 1, *places]:
        path.write_bytes(whole[:place])
        with pytest.raises(MemoryFileError, match="truncated"):
            load(path)
    path.write_bytes(whole + b"\0")
    with pytest.raises(MemoryFileError, match="1 bytes follow"):
        load(path)


def mutate(data: bytes, rng: random.Random, text_size: int, data_start: int) -> bytes:
    """A few edits in the header's text or in the tensors; half of them keep every byte in its place and the JSON mostly valid."""
    changed = bytearray(data)
    in_header = rng.random() < 0.6
    low, high = (8, text_size) if in_header else (data_start, len(data))
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = min(rng.randrange(low, high), len(changed) - 1)
        if rng.random() < 0.5:
            digits = [index for index in range(place, min(place + 200, len(changed))) if chr(changed[index]).isdigit()]
            if in_header and digits:
                changed[digits[0]] = rng.choice(b"0123456789")
            elif not in_header:
                changed[place] = rng.choice([0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)])
            continue
        other, size = rng.randrange(low, high), rng.randrange(1, 64)
        match rng.randrange(5):
            case 0:
                changed[rng.choice([place, rng.randrange(9)])] ^= 1 << rng.randrange(8)
            case 1:
                changed[place] = rng.choice(b'-+.eE"\\{}[],:nN\x00\xff ')
            case 2:
                changed[place : place + size] = changed[other : other + size]
            case 3:
                del changed[place : place + size]
            case 4:
                del changed[place + 1 :]
    return bytes(changed)


def loaded_or_refused(path: Path) -> Memory | str:
    """The memory, or the line that says why there is none."""
    try:
        return load(path)
    except MemoryFileError as error:
        return error.message


def test_mutated_files_are_refused_in_one_line_or_load_consistent(tmp_path: Path, make_memory: Any) -> None:
    path = tmp_path / "m"
    save(make_memory(compact=2, embed=True, described=True), path)
    whole, header = path.read_bytes(), read_header(path)
    rng, refused = random.Random(5), 0
    for _ in range(600):
        path.write_bytes(mutate(whole, rng, 8 + len(header.text), header.data_start))
        outcome = loaded_or_refused(path)
        if isinstance(outcome, str):
            refused += 1
            assert outcome.startswith(str(path))
            assert outcome.isprintable()
            assert len(outcome) < 400
        else:
            assert fault(outcome) is None
            assert all(outcome.entries.name(index) for index in range(len(outcome.entries)))
    assert 100 < refused < 600


def test_no_memory_is_taken_for_what_is_not_in_the_file(tmp_path: Path, make_memory: Any) -> None:
    """A header that claims an exabyte in a file of 70 kB is refused under a tight limit of address space."""
    pytest.importorskip("resource")
    path = tmp_path / "m"
    save(make_memory(), path)
    whole = path.read_bytes()
    info = read_header(path).tensors["checksum"]
    path.write_bytes(whole.replace(b"[%d,%d]" % (info.begin, info.end), b"[%d,%d]" % (info.begin, info.end + (1 << 60))))
    code = (
        "import sys, resource; import uhop_cli.memory.file.reader as f; from uhop_cli.errors import MemoryFileError\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))\n"
        "try: f.load(sys.argv[1])\nexcept MemoryFileError as e: sys.exit(e.message)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "inconsistent" in done.stderr or "truncated" in done.stderr
