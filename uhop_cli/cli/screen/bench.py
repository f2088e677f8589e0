"""The tables of `uhop bench` on the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhop_cli.cli.output import Output

if TYPE_CHECKING:
    from uhop_cli.experiments.results.journal import Journal
    from uhop_cli.experiments.results.statistics import Summary


def show(name: str, journal: Journal, output: Output) -> None:
    """The tables of one experiment."""
    from uhop_cli.experiments.grids.catalogue import EXPERIMENTS
    from uhop_cli.experiments.results.report import MEASURES, details, summaries

    experiment = EXPERIMENTS[name]
    for table in summaries(journal.rows, name):
        _table(f"{name}: {MEASURES[table.measure]} against {experiment.axis}", table, output)
    for title, heads, body in details(journal.rows, name):
        output.table(heads, body, left=[0, 1], title=title)
        output.line()


def _table(title: str, table: Summary, output: Output) -> None:
    """A table, cut into blocks of as many columns as fit the width."""
    console = output.console()
    if console is None:
        return
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from uhop_cli.experiments.results.report import MARKS, cell_text, column_text
    from uhop_cli.experiments.results.statistics import role

    texts = {
        (method, column): cell_text(table.cells.get((method, column)), table.measure)
        for method in table.methods
        for column in table.columns
    }
    width = max([len(column_text(column)) for column in table.columns] + [len(text) + 1 for text in texts.values()]) + 3
    fitting = max(1, (console.width - max(map(len, table.methods)) - 4) // width)
    for begin in range(0, len(table.columns), fitting):
        columns = table.columns[begin : begin + fitting]
        console.print(Text(title + (" (continued)" if begin else ""), style="bold"))
        block = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        block.add_column("", no_wrap=True)
        block.add_column("method", no_wrap=True)
        for column in columns:
            block.add_column(column_text(column), justify="right", no_wrap=True)
        for method in table.methods:
            kind = role(method)
            style = "dim" if kind in ("control", "ceiling") else ""
            cells = []
            for column in columns:
                cell = table.cells.get((method, column))
                mark = " " if cell is None else "*" if cell.best else "!" if cell.idle else " "
                cells.append(Text(texts[method, column] + mark, style="bold" if mark == "*" else style))
            block.add_row(Text(MARKS[kind]), Text(method, style=style), *cells)
        console.print(block)
        output.line()
