"""Tables for spreadsheets: the answers of `uhop query --csv`, one line each; and where a table goes."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uhop_cli.cli import query_targets
from uhop_cli.cli.report.review import group_of

_COLUMNS = (
    "query",
    "answer",
    "doubtful",
    "name",
    "path",
    "confidence",
    "confidence_words",
    "why",
    "verified",
    "frame",
    "nearest",
    "output",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def csv_rows(results: Sequence[dict[str, Any]], skipped: Sequence[dict[str, str]]) -> str:
    """One line a query, in the order in which they were asked, then those without an answer.

    Files are called what others call them: what a spreadsheet would compute stands behind an apostrophe, and all text in
    quotation marks, a carriage return too.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, _COLUMNS, restval="", lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writeheader()

    def add(row: dict[str, Any]) -> None:
        writer.writerow({name: _inert(value) for name, value in row.items()})

    for result in results:
        match, best, frame = result["match"], result["matches"][0], result.get("frame")
        add(
            {
                **{name: result[name] for name in ("query", "confidence", "confidence_words", "why", "output")},
                "answer": "not in the memory" if match is None else "found",
                "doubtful": "yes" if group_of(result) == "doubtful" else "no",
                "name": "" if match is None else match["name"],
                "path": "" if match is None else match["path"],
                "verified": result["verified_words"],
                "frame": frame["kind"] if frame else "",
                "nearest": best["path"] if match is None else "",
            }
        )
    for item in skipped:
        add({"query": item["path"], "answer": "skipped", "doubtful": "no", "why": item["reason"]})
    return buffer.getvalue()


def _inert(value: Any) -> Any:
    return "'" + value if isinstance(value, str) and len(value) > 1 and value.startswith(_FORMULA) else value


def write(place: str, text: str, *, force: bool) -> None:
    """Writes a table to a file, whole or not at all, or for `-` to standard output.

    Raises:
        OutputError: something is in the way that does not begin with the heads of this table.
    """
    if place == "-":
        sys.stdout.write(text)
        return
    path = Path(place)
    query_targets.write(path, text.encode(), force=force or _begins_alike(path, text))


def _begins_alike(path: Path, text: str) -> bool:
    heads = text.partition("\n")[0].encode()
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(heads)) == heads
