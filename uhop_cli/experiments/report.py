"""Rows -> files: CSV, JSON (`uhop.bench/1`) and a Markdown report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uhop_cli.experiments.experiments import EXPERIMENTS
from uhop_cli.experiments.journal import Journal, Row, key_of
from uhop_cli.experiments.methods import METHODS
from uhop_cli.experiments.statistics import Cell, Summary, role, summarise
from uhop_cli.memory.atomic import AtomicFile

SCHEMA = "uhop.bench/1"
MARKS = {"control": "c", "ceiling": "^", "published": "p", "quirk": "p", "baseline": " ", "uhop": " "}
NOTHING = 1e-6  # an error below it is shown as 0: a thousandth of one grey level in one value
MEASURES = {"sse": "sum-of-squares error", "accuracy": "top-1 accuracy"}


def document(journal: Journal, config: dict[str, Any]) -> dict[str, Any]:
    """The JSON document: the configuration, and every row with the seconds it took (null where they are not known)."""
    rows = [{**row, "seconds": journal.seconds.get(key_of(row))} for row in journal.rows]
    return {"schema": SCHEMA, "config": config, "rows": rows}


def write(folder: Path, journal: Journal, config: dict[str, Any], figures: Sequence[str] = ()) -> list[Path]:
    """Writes rows.csv, rows.json and report.md into the folder; returns what was written."""
    texts = {
        "rows.csv": _csv(journal.rows),
        "rows.json": json.dumps(document(journal, config), indent=1) + "\n",
        "report.md": markdown(journal.rows, config, figures),
    }
    for name, text in texts.items():
        with AtomicFile(folder / name) as file:
            file.write(text.encode(), 0)
            file.commit(durable=False)
    return [folder / name for name in texts]


def summaries(rows: Sequence[Row], experiment: str) -> list[Summary]:
    """The tables of an experiment that have any value: errors, accuracies."""
    tables = [summarise(rows, experiment, measure) for measure in MEASURES]
    return [table for table in tables if table.cells]


def cell_text(cell: Cell | None, measure: str) -> str:
    """'mean±deviation', with as many digits as are worth reading."""
    if cell is None:
        return "-"
    if measure == "accuracy":
        return f"{cell.mean:.3f}±{cell.deviation:.3f}"
    return f"{_short(cell.mean)}±{_short(cell.deviation)}"


def column_text(value: Any) -> str:
    """A value of the axis."""
    return format(value, "g") if isinstance(value, int | float) else str(value)


def markdown(rows: Sequence[Row], config: dict[str, Any], figures: Sequence[str] = ()) -> str:
    """The report: what ran, a table for each experiment and measure, and what beats the best control."""
    settings = config["settings"]
    lines = [
        f"# {config['dataset']}: {settings['protocol']} protocol",
        "",
        f"{config['images']} images of {' x '.join(map(str, config['shape']))}, sha256 of the pixels `{config['digest']}`; "
        f"{config['repeats']} repeats, N = {config['iterations']}, seed {settings['seed']}, uhop {config['version']}.",
        "",
    ]
    lines += [f"* `{name}`: MD5 `{value}`" for name, value in config["files"].items()]
    lines += ["", "Marks: c control, ^ ceiling (posterior mean of the known corruption), p published quirks; **best** in bold;", ""]
    lines[-2] += " ± is the standard deviation over repeats."
    for experiment in dict.fromkeys(row["experiment"] for row in rows):
        known = EXPERIMENTS.get(experiment)
        lines += [f"## {experiment}" + (f" ({known.figure}): {known.question}" if known else ""), ""]
        for table in summaries(rows, experiment):
            lines += [f"{MEASURES[table.measure][0].upper()}{MEASURES[table.measure][1:]}", "", *_table(table), ""]
        lines += _against_controls(summarise(rows, experiment))
        lines += _states(rows, experiment) + _separations(rows, experiment)
        lines += [f"![{experiment}]({figure})\n" for figure in figures if figure.startswith(f"{experiment}.")]
    names = dict.fromkeys(row["method"] for row in rows)
    lines += ["## Methods", "", *(f"* `{name}`: {METHODS[name].description}" for name in names if name in METHODS)]
    return "\n".join(lines) + "\n"


def _table(table: Summary) -> list[str]:
    heads = [column_text(column) for column in table.columns]
    lines = ["| | method | " + " | ".join(heads) + " |", "|---|---|" + "--:|" * len(heads)]
    for method in table.methods:
        cells = [table.cells.get((method, column)) for column in table.columns]
        texts = [cell_text(cell, table.measure) for cell in cells]
        bold = [f"**{text}**" if cell and cell.best else text for cell, text in zip(cells, texts, strict=True)]
        lines.append(f"| {MARKS[role(method)]} | {method} | " + " | ".join(bold) + " |")
    return lines


def _against_controls(table: Summary) -> list[str]:
    """Of each method that is neither control nor ceiling: in how many columns its interval lies below, about or above 0."""
    lines = []
    for method in table.methods:
        cells = [cell for column in table.columns if (cell := table.cells.get((method, column))) and cell.difference is not None]
        if not cells:
            continue
        better = sum(c.difference + c.interval < 0 for c in cells if c.difference is not None)
        worse = sum(c.difference - c.interval > 0 for c in cells if c.difference is not None)
        text = (
            f"* `{method}` has a smaller error than the best control in {better} of {len(cells)} columns, a larger one in {worse}"
        )
        beaten = _not_better_than_mean(table, method)
        lines.append(text + (f"; no better than the mean image in {beaten}" if beaten else ""))
    return ["Paired with the best control of each column (95% interval of the difference):", "", *lines, ""] if lines else []


def _not_better_than_mean(table: Summary, method: str) -> int:
    pairs = [(table.cells.get((method, c)), table.cells.get(("mean-image", c))) for c in table.columns]
    return sum(1 for mine, mean in pairs if mine and mean and mine.mean >= mean.mean)


def _states(rows: Sequence[Row], experiment: str) -> list[str]:
    """The table of metastable states, where there is one: shares of queries by the number of memories they settled in."""
    own = [row for row in rows if row["experiment"] == experiment and row.get("sizes")]
    if not own:
        return []
    lines = ["Share of queries (%) that settled in k memories (weight above 0.01); 0: diffuse", ""]
    lines += ["| method | beta | 0 | 1 | 2 to 10 | above 10 |", "|---|--:|--:|--:|--:|--:|"]
    for method, x in dict.fromkeys((row["method"], row["x"]) for row in own):
        sizes = [row["sizes"] for row in own if (row["method"], row["x"]) == (method, x)]
        mean = [100 * sum(column) / len(sizes) for column in zip(*sizes, strict=True)]
        lines.append(f"| {method} | {x:g} | {mean[0]:.1f} | {mean[1]:.1f} | {sum(mean[2:11]):.1f} | {mean[11]:.1f} |")
    return [*lines, ""]


def _separations(rows: Sequence[Row], experiment: str) -> list[str]:
    """Loss and smallest margin of the learned kernels, with the bounds of spherical codes."""
    own = [row for row in rows if row["experiment"] == experiment and row["loss"] is not None]
    if not own:
        return []
    tables = [summarise(own, experiment, measure) for measure in ("loss", "margin", "margin_lower", "margin_upper")]
    lines = ["Separation of the memories: average loss (t = 2), smallest 1 - cos, and what a spherical code can reach", ""]
    lines += ["| method | at | loss | margin | a code exists with | no code has more than |", "|---|---|--:|--:|--:|--:|"]
    for pair in tables[0].cells:
        values = " | ".join(f"{table.cells[pair].mean:.4g}" for table in tables)
        lines.append(f"| {pair[0]} | {column_text(pair[1])} | {values} |")
    return [*lines, ""]


def _csv(rows: Sequence[Row]) -> str:
    """One line a row, lists as JSON. Without times, so that the same configuration gives the same bytes."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = (row.get(name) for name in names)
        writer.writerow([json.dumps(value) if isinstance(value, list) else value for value in values])
    return buffer.getvalue()


def _short(value: float) -> str:
    if abs(value) < NOTHING:
        return "0"
    return f"{value:.0f}" if abs(value) >= 99.95 else f"{value:.3g}" if abs(value) >= 0.01 else f"{value:.0e}"
