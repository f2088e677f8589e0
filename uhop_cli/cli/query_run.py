"""One run of `uhop query`: decodes, answers and writes in batches, prints in order, and goes on where one query fails."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from uhop_cli.cli import query_targets as files
from uhop_cli.cli.output import Output, complain
from uhop_cli.cli.query_report import print_result, print_summary
from uhop_cli.errors import ImageError, OutputError, UhopError
from uhop_cli.files.names import escape
from uhop_cli.images.discover import Found

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from uhop_cli.querying.restoration import Query, Restoration
    from uhop_cli.querying.restorer import Restorer

TOGETHER = 64  # queries that are answered in one go; the originals that are handed out are in memory meanwhile


@dataclass(frozen=True)
class Sink:
    """What is written, and where.

    Attributes:
        pictures: whether restored pictures are written.
        output: file or folder for them, None for beside the query, `-` for standard output. As given: a path would lose the slash
            that says folder.
        compare, states: files for the strip and for the arrays.
        force: replace what is in the way.
    """

    pictures: bool
    output: str | None
    compare: Path | None
    states: Path | None
    force: bool

    @property
    def stdout(self) -> bool:
        """Whether the picture goes to standard output."""
        return self.pictures and self.output == "-"


class Session:
    """One run over all queries: answers them in batches, writes and prints, and goes on where one fails."""

    def __init__(self, restorer: Restorer, sink: Sink, screen: Output, show: bool, *, detailed: bool) -> None:
        self.restorer, self.sink, self.screen, self.show, self.detailed = restorer, sink, screen, show, detailed
        self.several = False
        self.results: list[dict[str, Any]] = []
        self.failed: list[dict[str, str]] = []
        self.strips: list[list[Any]] = []
        self.places: set[str] = set()

    def run(self, found: Sequence[Found | None]) -> None:
        """Answers all queries: decoded on all cores, answered together, written on all cores, told in order."""
        from concurrent.futures import ThreadPoolExecutor

        from uhop_cli.images.decode import decoding_threads
        from uhop_cli.progress import Progress

        self.several = len(found) > 1
        with self.screen.progress() as progress, ThreadPoolExecutor(decoding_threads()) as pool:
            for start in range(0, len(found), TOGETHER):
                self._batch(found[start : start + TOGETHER], pool)
                if progress and self.several:
                    progress(Progress("restore", min(start + TOGETHER, len(found)), len(found)))

    def _batch(self, found: Sequence[Found | None], pool: Executor) -> None:
        paths, queries = [], []
        for item, query in zip(found, pool.map(self._prepare, found), strict=True):
            if isinstance(query, ImageError):
                self._fail("-" if item is None else item.shown, query)
            else:
                paths.append(None if item is None else item.path)
                queries.append(query)
        results = self.restorer.answer(queries) if queries else []
        places = [self._place(path, result) for path, result in zip(paths, results, strict=True)]
        for result, written in zip(results, pool.map(self._write, places, results), strict=True):
            self._take(result, written)

    def _prepare(self, item: Found | None) -> Query | ImageError:
        try:
            return self.restorer.prepare(_standard_input(), "-") if item is None else self.restorer.prepare(item.path)
        except ImageError as error:
            return error

    def _place(self, path: Path | None, result: Restoration) -> Path | OutputError | None:
        """The file that the answer goes to, None for standard output or none; a number tells it from those of this run."""
        if not self.sink.pictures or not result.match or self.sink.stdout:
            return None
        try:
            place = first = files.target(path, result.pictures.suffix, self.sink.output, several=self.several)
        except OutputError as error:
            return error
        stem, dot, rest = first.name.rpartition(".retrieved.")
        copies = count(2)
        while os.path.abspath(place) in self.places:
            place = first.with_name(f"{stem}-{next(copies)}{dot}{rest}")
        self.places.add(os.path.abspath(place))
        return place

    def _write(self, place: Path | OutputError | None, result: Restoration) -> str | OutputError | None:
        """Writes an answer; the place where it is."""
        from uhop_cli.images.encode import to_png

        if isinstance(place, OutputError):
            return place
        if place is None and not (self.sink.stdout and result.match):
            return None
        data = to_png(result.pictures.state) if result.pictures.original is None else result.pictures.original
        if place is None:
            sys.stdout.buffer.write(data)
            return "-"
        try:
            files.write(place, data, force=self.sink.force, memory=self.restorer.memory)
        except OutputError as error:
            return error
        if place.suffix.lower() != result.pictures.suffix.lower():
            self.screen.note(f"{escape(place)} holds the original's bytes, which are of a {escape(result.pictures.suffix)} file")
        return escape(place)

    def _take(self, result: Restoration, written: str | OutputError | None) -> None:
        """Notes and prints an answer."""
        if isinstance(written, OutputError):
            self._fail(result.query, written)
            written = None
        if self.sink.states:
            try:
                files.write(self.sink.states, archive(result), force=self.sink.force)
            except OutputError as error:
                self._fail(result.query, error)
        if self.sink.compare:
            self.strips.append(self._strip(result))
        self.results.append(result.to_json(written))
        self.screen.essential(result.match.path if result.match else "")
        if self.detailed:
            print_result(result, written, self.screen)
        if self.show:
            self._picture(result)

    def _strip(self, result: Restoration) -> list[Any]:
        match = [self.restorer.memory.patterns[result.match.row]] if result.match else []
        seen = result.pictures
        return [seen.damaged, *(seen.steps or (seen.state,)), *match]

    def _picture(self, result: Restoration) -> None:
        from uhop_cli.cli.pictures import side_by_side

        console = self.screen.console(colour=True)
        if console is not None:
            pictures = [("query", result.pictures.damaged), ("restored", result.pictures.state)]
            pictures += [("match", self.restorer.memory.patterns[result.match.row])] if result.match else []
            self.screen.line()
            console.print(side_by_side(pictures, console.width))

    def _fail(self, name: str, error: UhopError) -> None:
        self.failed.append({"path": name, "reason": error.message})
        complain(error.message, error.hint)

    def finish(self, images: Sequence[Path], found: Sequence[Found | None], started: float) -> None:
        """Writes the strip, prints what is left to print, and leaves with the exit code."""
        from uhop_cli.querying.restorer import query_document

        if self.sink.compare and self.strips:
            from uhop_cli.images.encode import contact_sheet, to_png

            files.write(self.sink.compare, to_png(contact_sheet(self.strips, zoom=2)), force=self.sink.force)
        document = query_document(self.restorer, self.results, started)
        document["config"]["images"] = [escape(path) for path in images]
        document["skipped"] = self.failed
        self.screen.document(document)
        if not self.detailed and self.results:
            print_summary(self.results, self.screen)
        if self.several:
            self.screen.line(f"{len(self.results)} of {len(found)} answered in {time.perf_counter() - started:.2f} s")
        if self.failed:
            raise typer.Exit(1)


def _standard_input() -> bytes:
    """What comes through standard input, as much of it as may be in a file."""
    from uhop_cli.images.decode import MAX_FILE_BYTES

    data = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"standard input: larger than {MAX_FILE_BYTES >> 20} MiB", "save it as a smaller JPEG or PNG")
    return data


def archive(result: Restoration) -> bytes:
    """The arrays of `--states` as a NumPy archive that is known as uhop's."""
    import numpy as np

    buffer = BytesIO()
    arrays: dict[str, Any] = {files.STATES: np.array(1), **result.arrays}
    np.savez(buffer, **arrays)
    return buffer.getvalue()
