"""What the commands print: the result on stdout, everything else on stderr.

A command makes one `Output` and never prints on its own. Whatever passes through here is made printable, names and claims of files
alike, so that no escape sequence reaches the terminal. rich is loaded only where a picture or a progress bar is shown.
"""

from __future__ import annotations

import json
import math
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO

from uhop_cli.cli.layout import GAP, Style, Styled, painted, styled, table, wrapped
from uhop_cli.files.names import escape

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bars
    from rich.progress import Task, TaskID

    from uhop_cli.progress import OnProgress, Progress

PATIENCE = 0.5  # seconds after which a bar appears
WIDTH = 80  # where there is no terminal to ask, and COLUMNS says nothing
LONG_LIST = 64  # entries
LEAST = 40  # fewer columns hold no table


class Painted(str):
    """A line that has been made printable, and has its colours."""


@dataclass(frozen=True)
class Output:
    """Where the words go.

    Attributes:
        json: stdout carries one JSON document and nothing else.
        quiet: stdout carries the essential only, and stderr no progress and no notes.
        verbose: notes tell every detail.
        binary: stdout carries the bytes of a picture, or a table for programs; text for people goes to stderr.
        end: of an essential line.
    """

    json: bool = False
    quiet: bool = False
    verbose: bool = False
    binary: bool = False
    end: str = "\n"

    @property
    def people(self) -> TextIO | None:
        """The stream for tables and pictures, None where they are not wanted."""
        if self.json or self.quiet:
            return None
        return sys.stderr if self.binary else sys.stdout

    def essential(self, line: str) -> None:
        """With `quiet`, the one line that a script wants."""
        if self.quiet and not self.json and not self.binary:
            _write(sys.stdout, escape(line), self.end)

    def document(self, value: dict[str, Any]) -> None:
        """With `json`, the result. Numbers that JSON lacks become null."""
        if self.json:
            _write(sys.stdout, _laid_out(value))

    def line(self, text: str = "") -> None:
        """A line for people; a `Styled` one has its colour on a terminal."""
        if self.people:
            _write(self.people, self._paint(text, text.style if isinstance(text, Styled) else None))

    def paragraph(self, text: str) -> None:
        """Sentences for people, wrapped between words."""
        for line in wrapped(escape(text), _columns(self.people)):
            self.line(line)

    def facts(self, facts: Sequence[tuple[str, str]]) -> None:
        """Names and values in two columns; long values are wrapped."""
        indent = max(len(name) for name, _ in facts) + GAP
        for name, value in facts:
            style = value.style if isinstance(value, Styled) else None
            lines = wrapped(escape(value), max(20, _columns(self.people) - indent))
            for head, line in zip([name, *[""] * len(lines)], lines, strict=False):
                self.line(Painted(f"{head:<{indent}}{self._paint(line, style)}".rstrip()))

    def table(
        self, heads: Sequence[str], rows: Sequence[Sequence[str]], *, left: Sequence[int] = (), title: str | None = None
    ) -> None:
        """A table for people. Columns in `left` hold words, the others numbers; where the width is short, words are wrapped."""
        if self.people is None:
            return
        if title:
            for line in wrapped(escape(title), _columns(self.people)):
                self.line(styled(line, "head"))
        clean = [[styled(escape(cell), cell.style if isinstance(cell, Styled) else None) for cell in row] for row in rows]
        for cells in table(heads, clean, left=left, columns=_columns(self.people)):
            self.line(Painted("".join(self._paint(text, style) for text, style in cells).rstrip()))

    def _paint(self, text: str, style: Style | None) -> str:
        if isinstance(text, Painted):
            return text
        return painted(escape(text), style) if self.colour else escape(text)

    def console(self, *, colour: bool = False) -> Console | None:
        """rich's console on the stream for people; with `colour`, colours go into a pipe as well."""
        stream = self.people
        if stream is None:
            return None
        from rich.console import Console

        terminal = stream.isatty()
        width = None if terminal else _columns(stream)
        if colour and not terminal:
            return Console(file=stream, width=width, color_system="truecolor", force_terminal=True)
        system: Literal["auto"] | None = "auto" if self.colour else None  # whatever FORCE_COLOR says
        return Console(file=stream, width=width, highlight=False, markup=False, emoji=False, color_system=system)

    @property
    def colour(self) -> bool:
        """Whether people look at a terminal that shows colours."""
        return (
            self.people is not None and self.people.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        )

    def note(self, text: str) -> None:
        """Something worth knowing."""
        if not self.quiet:
            _write(sys.stderr, f"note: {escape(text)}")

    def warn(self, text: str) -> None:
        """Something that went wrong without stopping the work."""
        _write(sys.stderr, f"warning: {escape(text)}")

    def hint(self, text: str) -> None:
        """How to cure what was warned of."""
        _write(sys.stderr, f"hint: {escape(text)}")

    @contextmanager
    def progress(self) -> Iterator[OnProgress | None]:
        """A callback that draws bars on stderr, or None where nobody would see them."""
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield None
            return
        bars = _Bars()
        try:
            yield bars.show
        finally:
            bars.close()


class _Bars:
    """One bar for each stage of the work; none if all is done before anyone gets impatient.

    What is told before that is drawn when the time has come, so that a stage is seen also if it tells of nothing but its start.
    """

    def __init__(self) -> None:
        self.bars: Bars | None = None
        self.tasks: dict[str, TaskID] = {}
        self.waiting: dict[str, Progress] = {}
        self.closed, self.lock = False, threading.Lock()
        self.timer = threading.Timer(PATIENCE, self._appear)
        self.timer.daemon = True  # an interrupted command does not wait for it
        self.timer.start()

    def show(self, progress: Progress) -> None:
        """Draws `progress`."""
        with self.lock:
            if self.bars is None:
                self.waiting[progress.stage] = progress
            else:
                self._draw(self.bars, progress)

    def close(self) -> None:
        """Takes the bars away."""
        self.timer.cancel()
        with self.lock:
            self.closed = True
            if self.bars is not None:
                self.bars.stop()

    def _appear(self) -> None:
        with self.lock:
            if not self.closed:
                self.bars = self._open()
                for progress in self.waiting.values():
                    self._draw(self.bars, progress)

    def _draw(self, bars: Bars, progress: Progress) -> None:
        if progress.stage not in self.tasks:
            self.tasks[progress.stage] = bars.add_task(progress.stage, total=None, note="")
        bars.update(self.tasks[progress.stage], completed=progress.done, total=progress.total, note=progress.note)

    def _open(self) -> Bars:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.text import Text

        class Rate(ProgressColumn):
            """How many a second."""

            def render(self, task: Task) -> Text:
                speed = task.finished_speed or task.speed
                return Text("" if speed is None else f"{speed:,.0f}/s" if speed >= 10 else f"{speed:.2g}/s")

        columns = (
            TextColumn("{task.description:<12}"),
            BarColumn(),
            MofNCompleteColumn(),
            Rate(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", markup=False),
        )
        bars = Bars(*columns, console=Console(stderr=True), transient=True)
        bars.start()
        return bars


def complain(message: str, hint: str | None = None) -> None:
    """The lines that say what is wrong and how to cure it."""
    _write(sys.stderr, f"error: {escape(message)}")
    if hint:
        _write(sys.stderr, f"hint: {escape(hint)}")


def bytes_in_words(size: int) -> str:
    """A number of bytes as people read it: 812 bytes, 3.4 kB, 1.2 GB."""
    if size < 1000:
        return f"{size} bytes"
    exponent = min(int(math.log10(size)) // 3, 5)
    return f"{size / 1000**exponent:.3g} {' kMGTP'[exponent]}B"


def duration_in_words(seconds: float) -> str:
    """A time as people plan with it: 1 s, 40 s, 12 min, 3 h."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.2g} h"


def number(value: float | None, form: str = ".3g") -> str:
    """A number for a table; a dash where there is none."""
    return "-" if value is None else format(value, form)


def counted(count: int, name: str) -> str:
    """A number of things: 1 image, 2 images, 1,000 images."""
    return f"{count:,} {name}{'s' * (count != 1)}"


def percent(share: float) -> str:
    """A share, rounded so that neither 100% nor 0% is said of anything else: 99.9%, 83%, 0.1%."""
    if share in (0, 1):
        return f"{share:.0%}"
    rounded = round(share * 100, 0 if 0.01 <= share <= 0.985 else 1)
    return f"{min(99.9, max(0.1, rounded)):g}%"


def _write(stream: TextIO | None, text: str, end: str = "\n") -> None:
    if stream is not None:  # None where the caller closed it
        stream.write(text + end)


def _columns(stream: TextIO | None) -> int:
    if stream is not None and stream.isatty():
        return os.get_terminal_size(stream.fileno()).columns or WIDTH
    asked = os.environ.get("COLUMNS", "")
    return max(LEAST, int(asked)) if asked.isdecimal() and len(asked) < 5 else WIDTH


def _laid_out(document: dict[str, Any]) -> str:
    """JSON with a line for each field; in a long list, such as the results of a thousand queries, with a line for each entry.

    The encoder that indents is Python and takes as long for such a list as answering a hundred queries does.
    """
    try:
        return "{\n" + ",\n".join(f"  {json.dumps(name)}: {_field(value)}" for name, value in document.items()) + "\n}"
    except ValueError:  # a number that JSON lacks
        return _laid_out(_finite(document))


def _field(value: Any) -> str:
    if isinstance(value, list) and len(value) > LONG_LIST:
        return "[\n" + ",\n".join("    " + json.dumps(entry, allow_nan=False) for entry in value) + "\n  ]"
    return json.dumps(value, allow_nan=False, indent=2).replace("\n", "\n  ")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
