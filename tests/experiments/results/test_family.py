"""Experiments whose rows come in parts: what runs, what is marked, and what is written."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.results.family import Done, Family, PartedExperiment, check_methods, csv_rows, document
from uhop_cli.experiments.results.journal import Journal, Row
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.progress import Progress

KEY = ("experiment", "method", "seed")


@dataclass(frozen=True)
class Config:
    experiments: tuple[str, ...] = ("one",)
    methods: tuple[str, ...] = ()
    quick: bool = False


def row(method: str, seed: int, **metrics: float) -> Row:
    return {"experiment": "one", "method": method, "seed": seed, "metrics": metrics}


def rows(data: int, config: Config, done: Done, surroundings: Surroundings) -> Iterator[list[tuple[Row, float]]]:
    for seed in range(data):
        yield [(row(name, seed, value=seed), 0.5) for name in ("a", "b") if (name, seed) not in done]


def told(part: Any) -> str:
    return f"{len(part)} new"


ONE = PartedExperiment("one", "which?", {"a": "the first", "b": "the second"}, rows, ("method", "seed"), lambda data, _: data, told)
TWO = PartedExperiment("two", "what?", {"c": "the third"}, rows, ("method", "seed"), lambda data, _: data)
FAMILY = Family(
    {"one": ONE, "two": TWO},
    "Made.",
    lambda config: f"about {config['about']}",
    lambda rows, name: [("title", ["method", "value"], [["a", str(len(rows))]])],
    lambda rows, name: ["a wins"],
)


def run(journal: Journal, quick: bool = False) -> list[Progress]:
    seen: list[Progress] = []
    FAMILY.run(2, Config(quick=quick), journal, Surroundings(progress=seen.append))
    return seen


def test_parts_are_told_and_what_is_there_is_left_out() -> None:
    journal = Journal(None, {}, key=KEY)
    journal.append([row("b", 0, value=7.0)], [1.0])
    assert run(journal) == [Progress("one", 1, 2, "1 new"), Progress("one", 2, 2, "2 new")]
    assert [(one["method"], one["seed"]) for one in journal.rows] == [("b", 0), ("a", 0), ("a", 1), ("b", 1)]
    assert journal.rows[0]["metrics"] == {"value": 7.0}
    assert all("quick" not in one for one in journal.rows)
    marked = Journal(None, {}, key=KEY)
    run(marked, quick=True)
    assert all(one["quick"] for one in marked.rows)


def test_documents_have_seconds_and_tables_have_none() -> None:
    journal = Journal(None, {}, key=KEY)
    run(journal)
    found = document(journal, {"about": 1})
    assert (found["schema"], found["config"], found["rows"][0]["seconds"]) == ("uhop.bench/1", {"about": 1}, 0.5)
    others: list[Row] = [row("a", 0, mse=1.0) | {"chosen": {"beta": 3}}, row("b", 0, mae=2.0)]
    lines = list(csv.DictReader(io.StringIO(csv_rows(others))))
    empty = {"experiment": "one", "seed": "0", "mse": "", "mae": "", "chosen_beta": ""}
    assert lines == [empty | {"method": "a", "mse": "1.0", "chosen_beta": "3"}, empty | {"method": "b", "mae": "2.0"}]


def test_the_report_has_everything_once() -> None:
    journal = Journal(None, {}, key=KEY)
    run(journal)
    text = FAMILY.markdown(journal.rows, {"dataset": "made", "about": "it"}, ["one.png", "two.png"])
    for line in ("# made", "about it", "## one: which?", "| method | value |", "| a | 4 |", "* a wins", "![one](one.png)"):
        assert text.splitlines().count(line) == 1
    assert "* `b`: the second" in text
    assert "two" not in text


def test_methods_that_nothing_has_are_refused() -> None:
    check_methods([ONE, TWO], ("a", "c"))
    check_methods([ONE, TWO], ("all",))
    check_methods([ONE, TWO], ())
    with pytest.raises(SettingsError, match="none of the methods is for two"):
        check_methods([ONE, TWO], ("a",))
    with pytest.raises(SettingsError, match="unknown method 'd'"):
        check_methods([ONE], ("d",))
