"""Rows -> files: CSV, JSON (`uhop.bench/1`) and a Markdown report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from uhop_cli.experiments.grids.catalogue import EXPERIMENTS
from uhop_cli.experiments.grids.experiment import Experiment
from uhop_cli.experiments.methods.registry import METHODS
from uhop_cli.experiments.results.contact_sheets import HEADS, name_of
from uhop_cli.experiments.results.journal import Journal, Row
from uhop_cli.experiments.results.statistics import NOTHING, Cell, Summary, rank_correlation, role, summarise
from uhop_cli.files.atomic import AtomicFile

Table = tuple[str, list[str], list[list[str]]]  # title, heads, rows

SCHEMA = "uhop.bench/1"
MARKS = {"control": "c", "ceiling": "^", "published": "p", "quirk": "p", "baseline": " ", "uhop": " "}
SHEETS = 6  # contact sheets side by side
MEASURES = {"sse": "sum-of-squares error", "accuracy": "top-1 accuracy"}


def document(journal: Journal, config: dict[str, Any]) -> dict[str, Any]:
    """The JSON document: the configuration, and every row with the seconds it took (null where they are not known)."""
    rows = [{**row, "seconds": journal.seconds.get(journal.key_of(row))} for row in journal.rows]
    return {"schema": SCHEMA, "config": config, "rows": rows}


def write(folder: Path, journal: Journal, config: dict[str, Any], figures: Sequence[str] = ()) -> list[Path]:
    """Writes rows.csv, rows.json and report.md into the folder; returns what was written."""
    texts = {
        "rows.csv": csv_rows(journal.rows),
        "rows.json": json.dumps(document(journal, config), indent=1) + "\n",
        "report.md": markdown(journal.rows, config, figures),
    }
    return write_texts(folder, texts)


def write_texts(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Writes texts by the names of their files, each whole or not at all; returns the files."""
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
    """'mean±deviation', with as many digits as are worth reading; of a single repeat the mean alone."""
    if cell is None:
        return "-"
    if measure == "accuracy":
        mean, deviation = f"{cell.mean:.3f}", f"{cell.deviation:.3f}"
    else:
        mean, deviation = _short(cell.mean, cell.mean), _short(cell.deviation, cell.mean)
    return mean if cell.count < 2 else f"{mean}±{deviation}"


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
        f"{_counted(config['repeats'], 'repeat')}, N = {config['iterations']}, seed {settings['seed']}, uhop {config['version']}.",
        "",
    ]
    lines += [f"* `{name}`: MD5 `{value}`" for name, value in config["files"].items()]
    lines += ["", "Marks: c control, ^ ceiling (posterior mean of the known corruption), p published quirks; **best** in bold;"]
    lines += ["! no better than the mean image; ± is the standard deviation over repeats.", ""]
    for experiment in dict.fromkeys(row["experiment"] for row in rows):
        known = EXPERIMENTS.get(experiment)
        lines += [f"## {experiment}" + (f" ({known.figure}): {known.question}" if known else ""), ""]
        for table in summaries(rows, experiment):
            lines += [_title(table, known), "", *_table(table), ""]
        lines += _against_controls(summarise(rows, experiment))
        for title, heads, body in details(rows, experiment):
            lines += [title, "", *_plain_table(heads, body), ""]
        lines += [f"![{experiment}]({figure})\n" for figure in figures if figure.startswith(f"{experiment}.")]
        lines += _sheets(experiment, list(dict.fromkeys(row["method"] for row in rows)), figures)
    names = dict.fromkeys(row["method"] for row in rows)
    lines += ["## Methods", "", *(f"* `{name}`: {METHODS[name].description}" for name in names if name in METHODS)]
    return "\n".join(lines) + "\n"


def _title(table: Summary, experiment: Experiment | None) -> str:
    name = MEASURES[table.measure]
    return f"{name[0].upper()}{name[1:]}" + (f" against {experiment.axis}" if experiment else "")


def _table(table: Summary) -> list[str]:
    heads = [column_text(column) for column in table.columns]
    lines = ["| | method | " + " | ".join(heads) + " |", "|---|---|" + "--:|" * len(heads)]
    for method in table.methods:
        cells = [table.cells.get((method, column)) for column in table.columns]
        texts = [cell_text(cell, table.measure) + (" !" if cell and cell.idle else "") for cell in cells]
        bold = [f"**{text}**" if cell and cell.best else text for cell, text in zip(cells, texts, strict=True)]
        lines.append(f"| {MARKS[role(method)]} | {method} | " + " | ".join(bold) + " |")
    return lines


def _plain_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", "|---|" + "--:|" * (len(heads) - 1)]
    return lines + [f"| {' | '.join(row)} |" for row in rows]


def _sheets(experiment: str, methods: Sequence[str], figures: Sequence[str]) -> list[str]:
    """The contact sheets, `SHEETS` side by side."""
    shown = [(method, name) for method in methods if (name := name_of(experiment, method)) in figures]
    lines = [f"First pictures of the first memory set: {' | '.join(HEADS)}", ""] if shown else []
    for begin in range(0, len(shown), SHEETS):
        part = shown[begin : begin + SHEETS]
        lines += [f"| {' | '.join(method for method, _ in part)} |", "|" + "---|" * len(part)]
        lines += [f"| {' | '.join(f'![{method}]({name})' for method, name in part)} |", ""]
    return lines


def _against_controls(table: Summary) -> list[str]:
    """Of each method that is neither control nor ceiling: in how many columns its interval lies below, about or above 0."""
    lines = []
    single = all(cell.count < 2 for cell in table.cells.values())
    for method in table.methods:
        cells = {column: cell for column in table.columns if (cell := table.cells.get((method, column)))}
        against = [(cell.difference, cell.interval) for cell in cells.values() if cell.difference is not None]
        if not against:
            continue
        better = sum(difference + interval < -NOTHING for difference, interval in against)
        worse = sum(difference - interval > NOTHING for difference, interval in against)
        text = f"* `{method}` has a smaller error in {better} of {len(against)} columns, a larger one in {worse}"
        idle = [column_text(column) for column, cell in cells.items() if cell.idle]
        where = "any of them" if len(idle) == len(cells) else ", ".join(idle)
        lines.append(text + (f"; no better than the mean image at {where}" if idle else ""))
    note = "one memory set, so no interval" if single else "95% interval of the difference"
    return [f"Paired with the best control of each column ({note}):", "", *lines, ""] if lines else []


def details(rows: Sequence[Row], experiment: str) -> list[Table]:
    """The tables that only some experiments have."""
    own = [row for row in rows if row["experiment"] == experiment]
    tables = (_states(own), _separations(own, experiment), _correlations(own))
    return [table for table in tables if table[2]]


def _states(rows: Sequence[Row]) -> Table:
    """Metastable states: shares of queries by the number of memories they settled in."""
    own = [row for row in rows if row.get("sizes")]
    body = []
    for method, x in dict.fromkeys((row["method"], row["x"]) for row in own):
        sizes = [row["sizes"] for row in own if (row["method"], row["x"]) == (method, x)]
        mean = [100 * sum(column) / len(sizes) for column in zip(*sizes, strict=True)]
        body.append([method, f"{x:g}", *(f"{share:.1f}" for share in (mean[0], mean[1], sum(mean[2:11]), mean[11]))])
    title = "Share of queries (%) that settled in k memories (weight above 0.01); 0: diffuse"
    return title, ["method", "beta", "0", "1", "2 to 10", "above 10"], body


def _separations(rows: Sequence[Row], experiment: str) -> Table:
    """Loss and smallest margin of the learned kernels, with the bounds of spherical codes; equal ones of a method in one line."""
    own = [row for row in rows if row["loss"] is not None]
    measures = ("loss", "margin", "margin_lower", "margin_upper")
    tables = [summarise(own, experiment, measure) for measure in measures]
    places: dict[tuple[str, ...], list[str]] = {}
    for method, column in tables[0].cells:
        values = [f"{table.cells[method, column].mean:.4g}" for table in tables]
        places.setdefault((method, *values), []).append(column_text(column))
    everywhere = len(tables[0].columns)
    body = [
        [method, "all" if 1 < len(columns) == everywhere else ", ".join(columns), *values]
        for (method, *values), columns in places.items()
    ]
    title = "Separation of the memories: average loss (t = 2), smallest 1 - cos, bounds of the best spherical code"
    return title, ["method", "at", "loss", "margin", "lower bound", "upper bound"], body


def _correlations(rows: Sequence[Row]) -> Table:
    """Spearman's correlation of loss and error, where learning rates were drawn: over all runs, and over those whose loss falls."""
    own = [row for row in rows if row["rate"] is not None and row["loss"] is not None and role(row["method"]) != "control"]
    body = []
    for method in dict.fromkeys(row["method"] for row in own):
        runs = [row for row in own if row["method"] == method]
        for name, some in (("all", runs), ("rate above 0", [row for row in runs if row["rate"] > 0])):
            value = rank_correlation([row["loss"] for row in some], [row["sse"] for row in some])
            body.append([method, name, str(len(some)), "-" if value is None else f"{value:.2f}"])
    return "Rank correlation of loss and error (Spearman)", ["method", "which runs", "runs", "correlation"], body


def csv_rows(rows: Sequence[Row]) -> str:
    """One line a row, lists as JSON. Without times, so that the same configuration gives the same bytes."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        values = (row.get(name) for name in names)
        writer.writerow([json.dumps(value) if isinstance(value, list) else value for value in values])
    return buffer.getvalue()


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" + ("" if count == 1 else "s")


def _short(value: float, mean: float) -> str:
    """A value with the decimals of three digits of its mean; one digit where these would show nothing of it."""
    if abs(value) < NOTHING * max(1.0, abs(mean)):  # beside a large mean, what single precision leaves
        return "0"
    decimals = next((digits for digits, least in enumerate((99.95, 9.995, 0.9995, 0.09995, 0.00995)) if abs(mean) >= least), None)
    text = "" if decimals is None else f"{value:.{decimals}f}"
    return text if text.strip("0.") else f"{value:.1g}"
