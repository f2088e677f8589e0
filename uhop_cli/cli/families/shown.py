"""The results of a run, on the terminal and in files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from uhop_cli.cli.output import Output
from uhop_cli.cli.report.bench import Pages

if TYPE_CHECKING:
    from uhop_cli.experiments.results.family import Family
    from uhop_cli.experiments.results.journal import Journal


def show(
    family: Family,
    experiments: Sequence[str],
    journal: Journal,
    record: dict[str, Any],
    *,
    output: Output,
    out: Path | None,
    draw: Callable[[Path], list[str]],
    pages: Pages,
) -> None:
    """Prints tables and sentences, and writes what is asked for.

    Args:
        family: of the experiments.
        experiments: their names.
        journal: has the rows.
        record: the configuration.
        output: where to.
        out: a folder for report, rows and figures; None: nowhere.
        draw: draws the figures into a folder and returns the names of the files.
        pages: page and table that are asked for.
    """
    from uhop_cli.experiments.results import family as results
    from uhop_cli.experiments.results import plots
    from uhop_cli.files.names import escape

    for name in experiments:
        for title, heads, body in family.tables(journal.rows, name):
            output.table(heads, body, left=[0], title=f"{name}, {record['dataset']}: {title}")
            output.line()
        for sentence in family.sentences(journal.rows, name):
            output.line(f"{sentence}.")
        output.line()
    drawn: list[str] = []
    if out is not None:
        drawn = draw(out) if plots.available() else []
        if not plots.available():
            output.note("no figures without matplotlib: pip install 'uhop-cli[plot]'")
        family.write(out, journal, record, [name for name in drawn if name.endswith(".png")])
        output.line(f"written to {escape(out)}: report.md, rows.csv, rows.json, {len(drawn)} pictures")
        output.essential(escape(out / "report.md"))
    pages.of_family(family, journal, record, out, drawn)
    output.document(results.document(journal, record))
