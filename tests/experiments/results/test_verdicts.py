"""The three sentences at the end of a bench, on tables small enough to read."""

from __future__ import annotations

from uhop_cli.experiments.results.statistics import Cell, Summary
from uhop_cli.experiments.results.verdicts import verdicts


def table(cells: dict[tuple[str, int], Cell], measure: str = "sse") -> Summary:
    methods = tuple(dict.fromkeys(method for method, _ in cells))
    return Summary("capacity", measure, tuple(dict.fromkeys(column for _, column in cells)), methods, cells)


def test_winner_lead_and_losers() -> None:
    cells = {
        ("uhop", 1): Cell(1.0, 0, 5, difference=-9.0, interval=1.0, best=True),
        ("uhop", 2): Cell(3.0, 0, 5, difference=-1.0, interval=1.0, best=True),
        ("mhn", 1): Cell(11.0, 0, 5, difference=1.0, interval=0.5),
        ("mhn", 2): Cell(4.0, 0, 5, difference=0.0, interval=0.5),
        ("cosine", 1): Cell(10.0, 0, 5),
        ("cosine", 2): Cell(4.0, 0, 5),
        ("ceiling", 1): Cell(0.0, 0, 5, best=True),
    }
    assert verdicts([table(cells), table(cells, "accuracy")]) == [
        "What won: uhop has the smallest error in 2 of 2 columns.",
        "By how much: its mean error is 2, that of the best control of each column 7.",
        "What did not beat its control (95% interval): uhop in 1 of 2 columns and mhn in 2 of 2 columns.",
    ]


def test_a_control_that_wins_is_called_one() -> None:
    cells = {
        ("cosine", 1): Cell(1.0, 0, 1, best=True),
        ("uhop", 1): Cell(2.0, 0, 1, difference=1.0),
        ("mean-image", 1): Cell(9.0, 0, 1),
    }
    assert verdicts([table(cells)]) == [
        "What won: cosine (a control) has the smallest error in 1 of 1 column.",
        "By how much: its mean error is 1, that of the best method that is no control of each column 2.",
        "What did not beat its control (95% interval): uhop in 1 of 1 column.",
    ]


def test_nothing_to_compare_is_no_sentence() -> None:
    assert verdicts([]) == []
    assert verdicts([table({("uhop", 1): Cell(1.0, 0, 1, best=True)})]) == []


def test_ties_and_no_winner() -> None:
    both = {("uhop", 1): Cell(0.0, 0, 1, best=True), ("mhn", 1): Cell(0.0, 0, 1, best=True)}
    assert verdicts([table(both)])[0] == "What won: uhop and mhn have together the smallest error in 1 of 1 column."
    idle = {("uhop", 1): Cell(5.0, 0, 1, idle=True), ("mean-image", 1): Cell(4.0, 0, 1)}
    assert verdicts([table(idle)])[0].startswith("Nothing won")
