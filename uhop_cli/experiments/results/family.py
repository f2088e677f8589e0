"""Experiments of one kind of data whose rows come in parts: how they run, and how their results are shown and written.

A part is what is computed together and stands in the journal together: the methods of a look-back and horizon, or one training.
"""

from __future__ import annotations

import csv
import difflib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.results.journal import Journal, Row
from uhop_cli.experiments.results.report import SCHEMA, Table, write_texts
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.progress import Progress

ALL = "all"  # as a method: every one
Done = set[tuple[Any, ...]]


class Config(Protocol):
    """What every configuration of such experiments has."""

    @property
    def experiments(self) -> tuple[str, ...]:
        """Names, in the order in which they run."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Names; empty: those that each experiment begins with."""

    @property
    def quick(self) -> bool:
        """A trial, whose rows are marked."""


@dataclass(frozen=True)
class PartedExperiment:
    """One experiment.

    Attributes:
        name: as `--experiment` takes it.
        question: what it asks, one line.
        methods: names and what they are, one line each.
        rows: its rows in parts, from data, configuration, what is done already by the names in `known`, and surroundings.
        known: the fields of a row that tell `rows` what is done.
        parts: how many parts there will be, from data and configuration.
        told: of a part, what is worth telling while the next one is computed.
    """

    name: str
    question: str
    methods: Mapping[str, str]
    rows: Callable[[Any, Any, Done, Surroundings], Iterator[list[tuple[Row, float]]]]
    known: tuple[str, ...]
    parts: Callable[[Any, Any], int]
    told: Callable[[Sequence[Row]], str] = lambda rows: ""


@dataclass(frozen=True)
class Family:
    """The experiments of one kind of data.

    Attributes:
        experiments: by name.
        says: what holds for all tables of a page, a sentence.
        facts: what a report says of data and run, from the configuration in the journal.
        tables: of an experiment that have any row.
        sentences: what follows from its rows.
    """

    experiments: Mapping[str, PartedExperiment]
    says: str
    facts: Callable[[dict[str, Any]], str]
    tables: Callable[[Sequence[Row], str], list[Table]]
    sentences: Callable[[Sequence[Row], str], list[str]]

    def run(self, data: Any, config: Config, journal: Journal, surroundings: Surroundings) -> None:
        """All rows of the experiments that are not in the journal yet.

        Raises:
            SettingsError: an unknown method, or data that are too small.
        """
        chosen = [self.experiments[name] for name in config.experiments]
        check_methods(chosen, config.methods)
        for experiment in chosen:
            known = {tuple(row[name] for name in experiment.known) for row in journal.rows if row["experiment"] == experiment.name}
            total = experiment.parts(data, config)
            for done, part in enumerate(experiment.rows(data, config, known, surroundings), 1):
                mark = {"quick": True} if config.quick else {}
                journal.append([row | mark for row, _ in part], [seconds for _, seconds in part])
                if surroundings.progress:
                    words = experiment.told([row for row, _ in part])
                    surroundings.progress(Progress(experiment.name, done, total, words))

    def write(self, folder: Path, journal: Journal, config: dict[str, Any], figures: Sequence[str]) -> None:
        """Writes rows.csv, rows.json and report.md into the folder."""
        texts = {
            "rows.csv": csv_rows(journal.rows),
            "rows.json": json.dumps(document(journal, config), indent=1) + "\n",
            "report.md": self.markdown(journal.rows, config, figures),
        }
        write_texts(folder, texts)

    def markdown(self, rows: Sequence[Row], config: dict[str, Any], figures: Sequence[str] = ()) -> str:
        """The report: what ran, the tables, the sentences, the figures."""
        lines = [f"# {config['dataset']}", "", self.facts(config), ""]
        for name in dict.fromkeys(row["experiment"] for row in rows):
            lines += [f"## {name}: {self.experiments[name].question}", ""]
            for title, heads, body in self.tables(rows, name):
                lines += [title, "", f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
                lines += [*(f"| {' | '.join(row)} |" for row in body), ""]
            lines += [*(f"* {sentence}" for sentence in self.sentences(rows, name)), ""]
            lines += [f"![{name}]({figure})\n" for figure in figures if figure.startswith(name)]
            lines += [f"* `{method}`: {words}" for method, words in self.experiments[name].methods.items()] + [""]
        return "\n".join(lines)


def check_methods(experiments: Sequence[PartedExperiment], methods: Sequence[str]) -> None:
    """Refuses a method that no experiment has, and an experiment that none of the methods is for.

    Raises:
        SettingsError: which.
    """
    names = [name for experiment in experiments for name in experiment.methods]
    for name in methods:
        if name not in names and name != ALL:
            near = difflib.get_close_matches(name, names, n=1)
            raise SettingsError(f"unknown method '{name}'", f"did you mean {near[0]}?" if near else "one of " + ", ".join(names))
    for experiment in experiments:
        if methods and not set(methods) & {ALL, *experiment.methods}:
            raise SettingsError(f"none of the methods is for {experiment.name}", "one of " + ", ".join(experiment.methods))


def document(journal: Journal, config: dict[str, Any]) -> dict[str, Any]:
    """The JSON document: the configuration, and every row with the seconds it took (null where they are not known)."""
    rows = [{**row, "seconds": journal.seconds.get(journal.key_of(row))} for row in journal.rows]
    return {"schema": SCHEMA, "config": config, "rows": rows}


def csv_rows(rows: Sequence[Row]) -> str:
    """One line a row, each metric in a column of its own; without times, so that the same configuration gives the same bytes."""
    flat = [{**{name: value for name, value in row.items() if name not in ("metrics", "chosen")}, **row["metrics"]} for row in rows]
    chosen = [{f"chosen_{name}": value for name, value in row.get("chosen", {}).items()} for row in rows]
    lines = [one | other for one, other in zip(flat, chosen, strict=True)]
    names = list(dict.fromkeys(name for line in lines for name in line))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return buffer.getvalue()
