"""What `uhop query` is asked to write for a review, and where."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from uhop_cli.cli.report import page
from uhop_cli.files.names import escape

if TYPE_CHECKING:
    from uhop_cli.cli.report.review import Review
    from uhop_cli.querying.restorer import Restorer


@dataclass(frozen=True)
class Reports:
    """The files for a review.

    Attributes:
        report: the page.
        table: the file of the CSV table, `-` for standard output.
        strict: a query that is not found is a failure.
        force: replace what is in the way.
    """

    report: Path | None
    table: str | None
    strict: bool
    force: bool

    def check(self, *, images: bool, json: bool, quiet: bool, print0: bool) -> None:
        """Refuses what contradicts itself, and places where nothing can be written, before the work.

        Args:
            images: a picture goes to standard output.
            json, quiet, print0: so is the document, or only the paths, or null characters are asked for.

        Raises:
            BadParameter, OutputError: so it is.
        """
        if self.table == "-" and (images or json or quiet):
            raise typer.BadParameter("standard output carries one thing: table, picture, paths or document", param_hint="--csv")
        if print0 and not quiet:
            raise typer.BadParameter("it needs -q", param_hint="--print0")
        if self.report is not None:
            page.check(self.report, force=self.force)

    def fail(self, document: dict[str, Any]) -> bool:
        """Whether a query that was not found makes the command fail."""
        return self.strict and any(result["match"] is None for result in document["results"])

    def review(self, restorer: Restorer, queries: int) -> Review | None:
        """A collector for the page, if one is asked for."""
        if self.report is None:
            return None
        from uhop_cli.cli.report.review import Review
        from uhop_cli.cli.report.shots import Room

        memory, spec = restorer.memory, restorer.memory.spec
        settings = restorer.settings
        damage = ", ".join(item.label for item in settings.damage)
        facts = [
            ("memory", f"{escape(restorer.path or '')}, {len(memory.entries):,} pictures"),
            ("queries", f"{queries:,}" + (f", damaged first: {damage}" if damage else "")),
            ("pattern", f"{spec.width} x {spec.height}, similarity {settings.retrieval.similarity}"),
        ]
        return Review(facts, Room(2 * queries))

    def write(self, document: dict[str, Any], review: Review | None) -> None:
        """Writes what is asked for, from the document `uhop.query/1`."""
        if self.report is not None and review is not None:
            page.write(self.report, review.page(document["skipped"]), force=self.force)
        if self.table is not None:
            from uhop_cli.cli.report.table import csv_rows, write

            write(self.table, csv_rows(document["results"], document["skipped"]), force=self.force)
