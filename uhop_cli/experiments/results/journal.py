"""The journal of a run: one JSON line a row, on the disk before the next is computed, so that a killed run can be gone on with.

The first line carries the configuration and its hash. A last line that was cut short is dropped. Times stand in a file of their
own, so that the journal of a run that was interrupted is, byte for byte, that of one that was not.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from uhop_cli.errors import OutputError
from uhop_cli.files.atomic import clean
from uhop_cli.files.names import escape
from uhop_cli.files.system import EDIT

ROWS, TIMINGS = "rows.jsonl", "timings.csv"
KEY = ("experiment", "memory_size", "corruption", "x", "iterations", "repeat", "method")

Row = dict[str, Any]
Key = tuple[Any, ...]


class Journal:
    """The rows of a run, in memory and, where a folder is given, on the disk.

    Args:
        folder: where `rows.jsonl` and `timings.csv` go; None keeps rows in memory only.
        config: everything that the rows depend on.
        resume: go on with the rows that are there; else a journal that is there is an error, unless it is empty.
        key: names of what identifies a row.
        done: what identifies rows that are somewhere else already, and count as there.

    Raises:
        OutputError: there is a journal of another configuration, or one that was not asked for.
    """

    def __init__(
        self,
        folder: Path | None,
        config: dict[str, Any],
        *,
        resume: bool = False,
        key: Sequence[str] = KEY,
        done: Iterable[Key] = (),
    ) -> None:
        self.key = tuple(key)
        self.rows: list[Row] = []
        self.seconds: dict[Key, float] = {}
        self._descriptor = -1
        self._folder = folder
        self._done: set[Key] = set(done)
        if folder is None:
            return
        path = folder / ROWS
        head = (_line({"config": config, "hash": config_hash(config)})).encode()
        folder.mkdir(parents=True, exist_ok=True)
        clean(folder)  # what a killed run left
        present = path.read_bytes() if path.exists() else b""
        if present and not resume:
            raise OutputError(f"{escape(path)} is there already", "--resume goes on with it; or choose another --out")
        whole = present[: present.rfind(b"\n") + 1]
        if whole and whole.split(b"\n", 1)[0] + b"\n" != head:
            raise OutputError(f"{escape(path)} belongs to another configuration", "give the same options as then, or another --out")
        self._descriptor = os.open(path, EDIT, 0o666)
        os.ftruncate(self._descriptor, len(whole))
        os.lseek(self._descriptor, 0, os.SEEK_END)
        if not whole:
            self._write(head)
        for line in whole.splitlines()[1:]:
            self._take(self._parsed(line, path))
        self._read_timings()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def key_of(self, row: Row) -> Key:
        """What identifies a row."""
        return tuple(row[name] for name in self.key)

    def __contains__(self, key: Key) -> bool:
        return key in self._done

    def append(self, rows: Sequence[Row], seconds: Iterable[float]) -> None:
        """Adds the rows that are not there yet; they are on the disk when this returns."""
        new = [(row, time) for row, time in zip(rows, seconds, strict=True) if self.key_of(row) not in self._done]
        for row, time in new:
            self._take(row)
            self.seconds[self.key_of(row)] = time
        if self._descriptor >= 0 and new:
            self._write("".join(_line(row) for row, _ in new).encode())
            self._write_timings(new)

    def _take(self, row: Row) -> None:
        self.rows.append(row)
        self._done.add(self.key_of(row))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]
        os.fsync(self._descriptor)

    def _write_timings(self, new: list[tuple[Row, float]]) -> None:
        assert self._folder is not None
        with (self._folder / TIMINGS).open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            if file.tell() == 0:
                writer.writerow((*self.key, "seconds"))
            writer.writerows([*(json.dumps(value) for value in self.key_of(row)), f"{time:.6f}"] for row, time in new)

    def _parsed(self, line: bytes, path: Path) -> Row:
        try:
            row: Row = json.loads(line)
            self.key_of(row)
        except (ValueError, KeyError, TypeError):
            raise OutputError(f"{escape(path)} is damaged", "choose another --out") from None
        return row

    def _read_timings(self) -> None:
        """Times of rows that are there; a file that is missing or cut short only loses times."""
        assert self._folder is not None
        try:
            with (self._folder / TIMINGS).open(newline="", encoding="utf-8") as file:
                for line in csv.reader(file):
                    try:
                        self.seconds[tuple(json.loads(value) for value in line[:-1])] = float(line[-1])
                    except (ValueError, IndexError, TypeError):
                        continue
        except FileNotFoundError:
            return


def config_hash(config: dict[str, Any]) -> str:
    """sha256 of the configuration as sorted JSON."""
    return hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()


def _line(value: Row) -> str:
    return json.dumps(value, sort_keys=False, allow_nan=False) + "\n"
