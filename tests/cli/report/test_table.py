"""What a spreadsheet would compute reaches it as text."""

from __future__ import annotations

import csv
import io

import pytest

from uhop_cli.cli.report.table import csv_rows


@pytest.mark.parametrize("name", ["=HYPERLINK(A1).png", "+1.png", "-1+1.png", "@SUM(A1).png", "\t=1.png", "\r=1.png"])
def test_a_name_that_is_a_formula_stands_behind_an_apostrophe(name: str) -> None:
    text = csv_rows([], [{"path": name, "reason": "no image"}, {"path": "a=b-1.png", "reason": "-"}])
    first, second = csv.DictReader(io.StringIO(text, newline=""))
    assert first["query"] == "'" + name
    assert first["why"] == "no image"
    assert (second["query"], second["why"]) == ("a=b-1.png", "-")
