"""`uhop bench --report` and `--csv`: the tables, figures and sentences of a run as one page, and its rows as a table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from uhop_cli.cli.report import page

if TYPE_CHECKING:
    from uhop_cli.cli.report.shots import Shot
    from uhop_cli.experiments.bench import Bench
    from uhop_cli.experiments.results.family import Family
    from uhop_cli.experiments.results.journal import Journal, Row
    from uhop_cli.experiments.results.statistics import Summary

MARKS_IN_WORDS = (
    "c control; ^ ceiling: nothing can be better; p with published quirks; ! no better than the mean image; ± standard deviation"
)


@dataclass(frozen=True)
class Cell:
    """What stands in a cell, and whether it is the best of its column."""

    text: str
    best: bool = False


@dataclass(frozen=True)
class Table:
    """A table with its heads."""

    title: str
    heads: Sequence[str]
    rows: Sequence[Sequence[Cell]]


@dataclass(frozen=True)
class Section:
    """An experiment: its question, tables, figures, and what follows from them."""

    title: str
    says: str
    tables: Sequence[Table]
    figures: Sequence[Shot]
    sentences: Sequence[str]


def text_of(config: dict[str, Any], sections: Sequence[Section], methods: Sequence[tuple[str, str]]) -> str:
    """The page of a run.

    Args:
        config: the configuration, as the document has it.
        sections: one an experiment.
        methods: that took part, with what they are.
    """
    settings = config["settings"]
    facts = [("data", f"{config['dataset']}, sha256 of its values {config['digest']}")]
    facts += [(name, f"{config[name]:,}") for name in ("images", "rows", "repeats", "iterations") if name in config]
    facts += [(name, str(settings[name])) for name in ("protocol", "seed") if name in settings]
    facts.append(("uhop", config["version"]))
    return page.render("bench.html", title=f"uhop bench: {config['dataset']}", facts=facts, sections=sections, methods=methods)


def of_pictures(rows: Sequence[Row], names: Sequence[str], folder: Path, figures: Sequence[str]) -> list[Section]:
    """The experiments on pictures of these names; `figures` are PNG files in `folder`, named after them."""
    from uhop_cli.experiments.grids.catalogue import EXPERIMENTS
    from uhop_cli.experiments.results.report import MEASURES, details, summaries
    from uhop_cli.experiments.results.statistics import summarise
    from uhop_cli.experiments.results.verdicts import verdicts

    sections = []
    for name in names:
        experiment = EXPERIMENTS[name]
        tables = [_summary(f"{MEASURES[table.measure]} against {experiment.axis}", table) for table in summaries(rows, name)]
        tables += [_plain(*table) for table in details(rows, name)]
        sentences = verdicts([summarise(rows, name)])
        sections.append(
            Section(f"{name}: {experiment.question}", MARKS_IN_WORDS, tables, _figures(folder, figures, name), sentences)
        )
    return sections


def of_family(family: Family, rows: Sequence[Row], names: Sequence[str], folder: Path, figures: Sequence[str]) -> list[Section]:
    """The experiments of these names, on time series or that learn from labelled data."""
    return [
        Section(
            f"{name}: {family.experiments[name].question}",
            family.says,
            [_plain(*table) for table in family.tables(rows, name)],
            _figures(folder, figures, name),
            family.sentences(rows, name),
        )
        for name in names
    ]


def _summary(title: str, table: Summary) -> Table:
    from uhop_cli.experiments.results.report import MARKS, cell_text, column_text
    from uhop_cli.experiments.results.statistics import role

    body = []
    for method in table.methods:
        row = [Cell(f"{MARKS[role(method)]} {method}".strip())]
        for column in table.columns:
            cell = table.cells.get((method, column))
            idle = " !" if cell is not None and cell.idle else ""
            row.append(Cell(cell_text(cell, table.measure) + idle, cell is not None and cell.best))
        body.append(row)
    return Table(title, ["method", *map(column_text, table.columns)], body)


def _plain(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    return Table(title, heads, [[Cell(text) for text in row] for row in rows])


def _figures(folder: Path, names: Sequence[str], experiment: str) -> list[Shot]:
    from uhop_cli.cli.report.shots import embedded

    return [embedded(name, (folder / name).read_bytes()) for name in names if name.startswith(f"{experiment}.")]


@dataclass(frozen=True)
class Pages:
    """Where page and table of a run go.

    Attributes:
        report: the page.
        table: the file of the CSV table, `-` for standard output.
        force: replace what is in the way.
    """

    report: Path | None
    table: str | None
    force: bool

    def check(self, *, json: bool, quiet: bool) -> None:
        """Refuses what contradicts itself, and places where nothing can be written, before the work.

        Raises:
            BadParameter, OutputError: so it is.
        """
        if self.table == "-" and (json or quiet):
            raise typer.BadParameter("standard output carries either the table, the paths or the document", param_hint="--csv")
        if self.report is not None:
            page.check(self.report, force=self.force)

    def of_pictures(self, bench: Bench, record: dict[str, Any], folder: Path, figures: Sequence[str]) -> None:
        """Writes what is asked for of a run on pictures; `figures` are files in `folder`."""
        from uhop_cli.experiments.methods.registry import METHODS
        from uhop_cli.experiments.results.report import csv_rows

        rows = bench.journal.rows
        methods = [(name, METHODS[name].description) for name in dict.fromkeys(row["method"] for row in rows)]
        self._write(of_pictures, csv_rows, rows, record, methods, folder, figures)

    def of_family(
        self, family: Family, journal: Journal, record: dict[str, Any], folder: Path | None, figures: Sequence[str]
    ) -> None:
        """Writes what is asked for of a run on time series, or of one that learns from labelled data."""
        from uhop_cli.experiments.results.family import csv_rows

        names = dict.fromkeys(row["experiment"] for row in journal.rows)
        methods = list(dict(item for name in names for item in family.experiments[name].methods.items()).items())
        self._write(partial(of_family, family), csv_rows, journal.rows, record, methods, folder, figures)

    def _write(
        self,
        sections: Callable[[Sequence[Row], Sequence[str], Path, Sequence[str]], list[Section]],
        as_csv: Callable[[Sequence[Row]], str],
        rows: Sequence[Row],
        record: dict[str, Any],
        methods: Sequence[tuple[str, str]],
        folder: Path | None,
        figures: Sequence[str],
    ) -> None:
        from uhop_cli.cli.report import table

        if self.report is not None:
            names = list(dict.fromkeys(row["experiment"] for row in rows))
            shown = [name for name in figures if name.endswith(".png")]
            text = text_of(record, sections(rows, names, folder or Path(), shown), methods)
            page.write(self.report, text, force=self.force)
        if self.table is not None:
            table.write(self.table, as_csv(rows), force=self.force)
