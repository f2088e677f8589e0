"""A bench in three sentences: what won, by how much, and what did not beat its control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from uhop_cli.experiments.results.statistics import NOTHING, Cell, Summary, role

Columns = list[dict[str, Cell]]


def verdicts(tables: Sequence[Summary]) -> list[str]:
    """The three sentences over all columns of the error tables of a run; none where nothing can be compared.

    A column is one value on the axis of one experiment. A method beats the best control of a column if the 95% interval of its
    paired difference lies below 0 (with a single memory set: if the difference does). The ceiling takes no part.
    """
    columns: Columns = [
        {method: cell for method in table.methods if (cell := table.cells.get((method, column))) and role(method) != "ceiling"}
        for table in tables
        if table.measure == "sse"
        for column in table.columns
    ]
    columns = [column for column in columns if len(column) > 1]
    if not columns:
        return []
    return [*_won(columns), _not_beaten(columns)]


def _won(columns: Columns) -> list[str]:
    wins = Counter(method for column in columns for method, cell in column.items() if cell.best)
    if not wins:
        return ["Nothing won: no method is better than the mean image.", "So there is no lead to speak of."]
    most = max(wins.values())
    first = [method for method, count in wins.items() if count == most]
    named = _listed([f"{method} (a control)" if role(method) == "control" else method for method in first])
    has = "have" if len(first) > 1 else "has"
    together = " together" if len(first) > 1 else ""
    won = f"What won: {named} {has}{together} the smallest error in {most} of {_columns(len(columns))}."
    winner, kind = first[0], role(first[0])
    rivals = [
        (column[winner].mean, min(others))
        for column in columns
        if winner in column
        and (others := [cell.mean for method, cell in column.items() if (role(method) == "control") != (kind == "control")])
    ]
    if not rivals:
        return [won, "By how much cannot be said: there is nothing but controls, or none, to compare it with."]
    own, other = (sum(values) / len(rivals) for values in zip(*rivals, strict=True))
    against = "the best method that is no control" if kind == "control" else "the best control"
    return [won, f"By how much: its mean error is {_error(own)}, that of {against} of each column {_error(other)}."]


def _not_beaten(columns: Columns) -> str:
    beaten: dict[str, list[bool]] = {}
    for column in columns:
        for method, cell in column.items():
            if cell.difference is not None:
                beaten.setdefault(method, []).append(cell.difference + cell.interval < -NOTHING)
    if not beaten:
        return "What did not beat its control: no control took part."
    parts = [f"{method} in {len(won) - sum(won)} of {_columns(len(won))}" for method, won in beaten.items() if not all(won)]
    return f"What did not beat its control (95% interval): {_listed(parts) if parts else 'nothing, every method did everywhere'}."


def _columns(count: int) -> str:
    return f"{count} column{'s' * (count != 1)}"


def _error(value: float) -> str:
    return "0" if value < NOTHING else f"{value:.3g}"


def _listed(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
