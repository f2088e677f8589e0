"""What the tables of `frames.py` have in common: rows of counts, the memories that are asked, promises."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from frames_kinds import Kind, queries
from frames_sets import HALF, STORED, Memories, photo_name
from promises import promise

from uhop_cli.querying.restoration import Restoration
from uhop_cli.querying.restorer import Restorer

COLUMNS = ("right", "refused", "wrong")


@dataclass
class Row:
    """One line of a table: how many queries were asked, and what became of them."""

    table: str
    name: str
    asked: int = 0
    right: int = 0
    refused: int = 0
    wrong: int = 0
    first: int = 0  # ranked first, named or not
    seconds: list[float] = field(default_factory=list)
    of_a_core: list[float] = field(default_factory=list)  # which other work on the machine changes less

    def add(self, found: Restoration, truth: str | None) -> None:
        """Counts one answer; `truth` is the file that should be named, None for a stranger."""
        self.asked += 1
        self.first += truth is not None and found.answer.matches[0].name.endswith(truth)
        if found.match is None:
            self.refused += 1
        elif truth is not None and found.match.name.endswith(truth):
            self.right += 1
        else:
            self.wrong += 1

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Notes what one query takes."""
        started = time.perf_counter(), time.process_time()
        yield
        self.seconds.append(time.perf_counter() - started[0])
        self.of_a_core.append(time.process_time() - started[1])

    @property
    def share(self) -> float:
        """Of the queries that were answered rightly."""
        return self.right / max(self.asked, 1)

    def values(self) -> dict[str, Any]:
        """As JSON values."""
        counts = {name: getattr(self, name) for name in ("table", "name", "asked", *COLUMNS, "first")}
        taken = {"median_seconds": self.seconds, "median_seconds_of_a_core": self.of_a_core}
        return {**counts, **{name: round(float(np.median(times)), 4) if times else None for name, times in taken.items()}}


class Run:
    """What the tables have in common: the memories, what was asked for, and the rows so far."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.memories = Memories(options.data_dir, options.work)
        self.rows: list[Row] = []
        self.texts: list[str] = []  # further tables
        self.frames = "same" if options.before else "auto"

    @property
    def copied(self) -> range:
        """The photos of which copies are asked for."""
        return range(HALF) if self.options.half == "first" else range(HALF, STORED)

    def ask(self, table: str, name: str, restorer: Restorer, asked: Iterable[tuple[str | None, bytes]]) -> Row:
        """One row: queries, each with the file that it is a copy of; what preparing and answering take counts."""
        row = Row(table, name)
        for truth, file in asked:
            with row.timed():
                found = restorer.answer([restorer.prepare(file)])[0]
            row.add(found, truth)
        return self.keep(row)

    def keep(self, row: Row) -> Row:
        """Prints a row and remembers it."""
        values = row.values()
        counts = "".join(f"{values[name]:8}" for name in ("asked", *COLUMNS, "first"))
        print(
            f"  {row.name:<32}{counts}{values['median_seconds'] or 0:9.2f}{values['median_seconds_of_a_core'] or 0:9.2f}",
            flush=True,
        )
        self.rows.append(row)
        return row

    def copies(self, table: str, restorer: Restorer, kind: Kind) -> Row:
        """One row: copies of stored photos in a kind of frame."""
        asked = queries(self.memories.photos, self.copied, self.options.queries, kind)
        return self.ask(table, kind.name, restorer, ((photo_name(row), file) for row, file in asked))

    def promise(self, name: str, value: float, kept: bool, what: str) -> None:
        """Prints a figure beside its promise; where no frame is looked for nothing is promised."""
        if not self.options.before:
            promise(name, value, kept, what)

    def least(self, row: Row, share: float) -> None:
        """Promises a share of right answers."""
        self.promise(f"{row.table}, {row.name}", row.share, row.share >= share, f"right, at least {share:.0%}")


def head(title: str) -> None:
    """Prints the head of a table."""
    print(f"\n{title}\n  {'':32}" + "".join(f"{name:>8}" for name in ("asked", *COLUMNS, "first")) + f"{'seconds':>9}{'core s':>9}")


def markdown(rows: Sequence[Row]) -> str:
    """The rows as tables for docs/frames.md."""
    lines: list[str] = []
    for table in dict.fromkeys(row.table for row in rows):
        lines += [
            f"\n{table}\n",
            "| copies | asked | right | refused | wrong | median seconds | of a core |",
            "|---|--:|--:|--:|--:|--:|--:|",
        ]
        for row in (row for row in rows if row.table == table):
            values = row.values()
            cells = [row.name, *(values[name] for name in ("asked", *COLUMNS)), f"{values['median_seconds']:.2f}"]
            cells.append(f"{values['median_seconds_of_a_core']:.2f}")
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines).lstrip("\n") + "\n"
