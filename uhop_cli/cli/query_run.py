"""One run of `uhop query`: decodes, answers and writes in batches, prints in order, and goes on where one query fails."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uhop_cli.cli import query_targets as files
from uhop_cli.cli.layout import styled
from uhop_cli.cli.output import Output, complain, counted
from uhop_cli.cli.screen import words
from uhop_cli.cli.screen.query_report import print_result, print_summary
from uhop_cli.errors import ImageError, OutputError, UhopError
from uhop_cli.files.names import escape
from uhop_cli.images.discover import Found, Skipped

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from uhop_cli.cli.report.review import Review
    from uhop_cli.cli.report.shots import Shot
    from uhop_cli.querying.restoration import Query, Restoration
    from uhop_cli.querying.restorer import Restorer

SMALL_ROWS, LEAST_ROWS = 16, 6  # of the terminal that a picture takes where there are several queries; and at least
ANSWER_ROWS = 9  # of the terminal that are left to the answer below a picture
TOGETHER = (64, 256)  # queries that are answered in one go: as many of any size, and at most
TINY_FILE, RUN = 1 << 13, 256  # bytes, and how many such files one thread reads: that is work of Python's, which has one at a time
SMALL_FILE, ROOM = 1 << 16, 1 << 26  # bytes of each query's file, and of all originals that are handed out, for more than that


@dataclass(frozen=True)
class Sink:
    """What is written, and where.

    Attributes:
        pictures: whether restored pictures are written.
        output: file or folder for them, None for beside the query, `-` for standard output. As given: a path would lose the slash
            that says folder.
        compare, states: files for the strip and for the arrays.
        force: replace what is in the way.
        folder: whether `output` is a folder whatever it is called, since IMAGE is one or there are several.
    """

    pictures: bool
    output: str | None
    compare: Path | None
    states: Path | None
    force: bool
    folder: bool

    @property
    def stdout(self) -> bool:
        """Whether the picture goes to standard output."""
        return self.pictures and self.output == "-"


@dataclass(frozen=True)
class View:
    """How answers are told.

    Attributes:
        screen: to print on.
        pictures: whether they are shown in the terminal.
        detailed: all lines of each answer; else a table at the end.
        top: whether the best matches are listed without -v.
    """

    screen: Output
    pictures: bool
    detailed: bool
    top: bool


class Session:
    """One run over all queries: answers them in batches, writes and prints, and goes on where one fails.

    Args:
        restorer: answers them.
        sink: where pictures go.
        view: how answers are told.
        stdin: the picture that came through standard input, which was read in the main thread.
        review: collects the answers for `--report`.
    """

    def __init__(
        self, restorer: Restorer, sink: Sink, view: View, stdin: bytes | None = None, review: Review | None = None
    ) -> None:
        self.restorer, self.sink, self.view, self.screen, self.stdin = restorer, sink, view, view.screen, stdin
        self.review = review
        self.asked, self.places = 0, set[str]()
        self.results: list[dict[str, Any]] = []
        self.told: list[Restoration] = []
        self.outputs: list[str | None] = []
        self.failed: list[dict[str, str]] = []
        self.strips: list[list[Any]] = []

    def run(self, found: Sequence[Found | Skipped | None]) -> None:
        """Answers all queries: decoded on all cores, while those before are answered together, written, told in order."""
        from concurrent.futures import ThreadPoolExecutor

        from uhop_cli.files.ahead import Ahead
        from uhop_cli.images.decode import decoding_threads
        from uhop_cli.progress import Progress, started

        self.asked = len(found)
        pool = ThreadPoolExecutor(decoding_threads())
        with self.screen.progress() as progress, pool, Ahead(self._prepare, pool) as ahead:
            started(progress, "restore", len(found))
            start, handed_out = 0, int(self.restorer.memory.entries.sizes.max(initial=0))  # at most
            part = found[: together(found, handed_out)]
            ahead.begin(part, _run_of(part))
            if len(part) > 1:
                self.restorer.retriever.make_ready()
            while part:
                prepared, start = ahead.results(), start + len(part)
                following = found[start : start + together(found[start:], handed_out)]
                ahead.begin(following, _run_of(following))
                handed_out = self._batch(part, prepared, pool) // len(part)
                part = following
                if progress and len(found) > 1:
                    progress(Progress("restore", start, len(found)))

    def _batch(self, found: Sequence[Found | Skipped | None], prepared: Sequence[Query | ImageError], pool: Executor) -> int:
        """Answers some of the queries; the bytes of the originals that were handed out."""
        queries = [query for query in prepared if not isinstance(query, ImageError)]
        results = self.restorer.answer(queries) if queries else []
        taken = [item for item, query in zip(found, prepared, strict=True) if not isinstance(query, ImageError)]
        places = [self._place(None if item is None else item.path, result) for item, result in zip(taken, results, strict=True)]
        written = (pool.map if self.sink.pictures else map)(self._write, places, results)
        shots = (pool.map if self.review else map)(self._shots, taken, results)
        answers = zip(results, written, shots, strict=True)
        for item, query in zip(found, prepared, strict=True):
            if isinstance(query, ImageError):
                self._fail("-" if item is None else item.shown, query)
                self.screen.essential("")
            else:
                result, place, pair = next(answers)
                for note in result.notes:
                    self.screen.note(f"{query.name}: {note}")
                self._take(None if item is None else item.path, query, result, place, pair)
        return sum(len(result.pictures.original or b"") for result in results)

    def _prepare(self, item: Found | Skipped | None) -> Query | ImageError:
        try:
            if isinstance(item, Skipped):
                return ImageError(f"{item.shown}: {item.reason}", item.hint)
            return self.restorer.prepare(self.stdin or b"", "-") if item is None else self.restorer.prepare(item.path)
        except ImageError as error:
            return error

    def _shots(self, item: Found | Skipped | None, result: Restoration) -> tuple[Shot, Shot] | None:
        """The query and its answer for the page, if there is to be one."""
        if self.review is None:
            return None
        return self.review.shots((self.stdin or b"") if item is None else item.path, result, self.restorer)

    def _place(self, path: Path | None, result: Restoration) -> Path | OutputError | None:
        """The file that the answer goes to, None for standard output or none; a number tells it from those of this run."""
        if not self.sink.pictures or not result.match or self.sink.stdout:
            return None
        try:
            place = first = files.target(path, result.pictures.suffix, self.sink.output, folder=self.sink.folder)
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
        if isinstance(place, OutputError):
            return place
        if place is None and not (self.sink.stdout and result.match):
            return None
        data = files.content(result.pictures)
        if place is None:
            sys.stdout.buffer.write(data)
            return "-"
        try:
            files.write(place, data, force=self.sink.force, memory=self.restorer.memory)
        except OutputError as error:
            return error
        self._note_kind(place, result)
        return escape(place)

    def _note_kind(self, place: Path, result: Restoration) -> None:
        """Says so where a name promises another kind of picture than the one that was written."""
        suffix, asked = result.pictures.suffix, Path(self.sink.output or "")
        if result.pictures.kind == "original" and files.kind_of(place) not in (None, files.kind_of(Path(f"x{suffix}"))):
            self.screen.note(f"{escape(place)} holds the original's bytes, which are of a {escape(suffix)} file")
        if result.pictures.kind == "state" and place.stem == asked.stem and place.suffix != asked.suffix:
            self.screen.note(f"{escape(place)}, not {escape(asked)}: a pattern is written as PNG")

    def _take(
        self,
        path: Path | None,
        query: Query,
        result: Restoration,
        written: str | OutputError | None,
        shots: tuple[Shot, Shot] | None,
    ) -> None:
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
        if self.review is not None and shots is not None:
            self.review.add(self.results[-1], shots)
        self.screen.essential(result.match.path if result.match else "")
        if self.view.pictures:
            self._picture(path or self.stdin or b"", result)
        if self.view.detailed:
            if self.told:
                self.screen.line()
            print_result(
                query, result, written, self.screen,
                spec=self.restorer.memory.spec, settings=self.restorer.settings, top=self.view.top,
            )  # fmt: skip
        elif self.view.pictures:
            found = ", ".join(value for _, value in words.answer(result)[:1])
            self.screen.line(styled(f"{result.query}: {found}", words.STYLES[result.answer.words]))
        nothing = result.pictures.state[:0].copy()  # what has been told is not kept
        kept = None if result.pictures.original is None else b""
        pictures = replace(result.pictures, original=kept, state=nothing, damaged=nothing, steps=())
        self.told.append(replace(result, pictures=pictures, arrays={}))
        self.outputs.append(written)

    def _strip(self, result: Restoration) -> list[Any]:
        match = [self.restorer.memory.patterns[result.match.row]] if result.match else []
        seen = result.pictures
        return [seen.damaged, *(seen.steps or (seen.state,)), *match]

    def _picture(self, source: Path | bytes, result: Restoration) -> None:
        from uhop_cli.cli.screen.pictures import side_by_side
        from uhop_cli.cli.screen.query_pictures import query_beside_answer

        console = self.screen.console(colour=True)
        if console is not None:
            room = max(LEAST_ROWS, console.height - ANSWER_ROWS)
            rows = room if self.view.detailed else min(room, SMALL_ROWS)
            self.screen.line()
            console.print(side_by_side(query_beside_answer(source, result, self.restorer), console.width, rows))

    def _fail(self, name: str, error: UhopError) -> None:
        self.failed.append({"path": name, "reason": error.message.removeprefix(f"{name}: ")})
        complain(error.message, error.hint or error.cure)

    def finish(self, images: Sequence[Path], started: float) -> dict[str, Any]:
        """Writes the strip, prints what is left to print, and returns the document."""
        from uhop_cli.querying.restorer import query_document

        if self.sink.compare and self.strips:
            from uhop_cli.images.encode import contact_sheet, to_png

            files.write(self.sink.compare, to_png(contact_sheet(self.strips, zoom=2)), force=self.sink.force)
        document = query_document(self.restorer, self.results, started)
        document["config"]["images"] = [escape(path) for path in images]
        document["skipped"] = self.failed
        self.screen.document(document)
        if not self.view.detailed and not self.view.pictures and self.told:
            print_summary(self.told, self.outputs, self.screen)
        if self.asked > 1:
            self._summary(started)
        self._lost()
        return document

    def _summary(self, started: float) -> None:
        found = sum(result.match is not None for result in self.told)
        written = [result for result, output in zip(self.told, self.outputs, strict=True) if output]
        pictures = ""
        if self.sink.pictures:
            place = "beside the queries" if self.sink.output is None else f"in {self.sink.output.rstrip('/')}/"
            pictures = f"{counted(len(written), 'picture')} {place}"
            states = sum(result.pictures.kind == "state" for result in written)
            if states:
                pattern = f"{words.pattern_words(self.restorer.memory.spec)}{'s' * (states != 1)}"
                share = "" if len(written) == 1 else "all of them " if states == len(written) else f"{states:,} of them "
                pictures += f" ({share}{pattern}, not the original{'s' * (states != 1)})"
        if self.view.detailed or self.view.pictures:
            self.screen.line()
        skipped = self.asked - len(self.told)
        counts = {"found": found, "not in the memory": len(self.told) - found, "skipped": skipped}
        self.screen.line(words.summary({**counts, "not written": len(self.failed) - skipped}, pictures))
        if self.screen.verbose:
            self.screen.line(f"{time.perf_counter() - started:.2f} s")

    def _lost(self) -> None:
        originals = self.restorer.originals
        if originals is None:
            return
        said = words.lost(self.told, self.restorer.memory.spec, originals.folder, truncated=originals.truncated)
        if said:
            self.screen.warn(said[0])
            self.screen.hint(said[1])


def together(waiting: Sequence[Found | Skipped | None], handed_out: int) -> int:
    """How many of the queries that wait are answered next, in one go: more if their files are small, and so were the originals that
    were handed out last, which are in memory meanwhile.

    Args:
        waiting: in their order.
        handed_out: bytes of an original, on average.
    """
    least, most = TOGETHER
    wanted = min(most, ROOM // max(1, handed_out), len(waiting))
    small = next((place for place, item in enumerate(waiting[: max(0, wanted)]) if not _is_small(item, SMALL_FILE)), wanted)
    return min(max(least, small), len(waiting))


def _run_of(found: Sequence[Found | Skipped | None]) -> int:
    """How many of these files a thread reads at a time."""
    return RUN if all(_is_small(item, TINY_FILE) for item in found) else 1


def _is_small(item: Found | Skipped | None, most: int) -> bool:
    if not isinstance(item, Found):
        return item is not None  # a file that is left out; standard input may be anything
    try:
        return item.path.stat().st_size <= most
    except OSError:
        return True  # it is missed when it is opened


def archive(result: Restoration) -> bytes:
    """The arrays of `--states` as a NumPy archive that is known as uhop's."""
    import numpy as np

    buffer = BytesIO()
    arrays: dict[str, Any] = {files.STATES: np.array(1), **result.arrays}
    np.savez(buffer, **arrays)
    return buffer.getvalue()
