"""A series from a CSV file: the column of dates is found, and what cannot be forecast from is refused with its cure.

A file is read as UTF-8, with a head line and comma, semicolon or tabulator between the fields. The first column that holds dates
all the way down gives the time of each row; all others must be numbers. Rows must go forward in time. Where the step is constant
but for gaps, the gaps are counted and said: windows then span them.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np

from uhop_cli.arrays.types import Float64
from uhop_cli.errors import DatasetError
from uhop_cli.files.names import escape
from uhop_cli.forecasting.series import Series

LARGEST = 1 << 30  # bytes of a file that are read
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "nat", "?", "-"})
FORMATS = ("%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y %H:%M", "%d.%m.%Y", "%Y/%m/%d %H:%M", "%Y/%m/%d")
DAY = 86400.0  # seconds
CURE = "fill or drop them first, for example with pandas: read_csv(...).interpolate().to_csv(...)"


def read_csv(path: str | Path, name: str | None = None, season: int | None = None) -> Series:
    """The series in a CSV file.

    Args:
        path: of the file.
        name: of the series; by default the stem of the file.
        season: rows of one season; by default a day where the step divides one, 7 where it is a day, else 1.

    Raises:
        DatasetError: missing, too large, not a table; a field that is missing or not a number; no two numeric rows; rows that do
        not
            go forward in time.
    """
    shown = escape(path)
    head, rows = _table(Path(path))
    columns = [list(column) for column in zip(*rows, strict=True)]
    times: Float64 | None = None
    dated = next((place for place, column in enumerate(columns) if _begins_with_a_date(column)), None)
    if dated is not None:
        blank = next((row for row, field in enumerate(columns[dated]) if field.strip().lower() in MISSING), None)
        if blank is not None:
            raise DatasetError(f"{shown}: line {blank + 2} has no date", CURE)
        times = _dates(columns[dated])
        if times is None:
            raise DatasetError(
                f"{shown}: not every value of column '{escape(head[dated])}' is a date", "write dates as 2016-07-01 13:00"
            )
    numeric = [place for place in range(len(head)) if place != dated]
    if not numeric:
        raise DatasetError(f"{shown}: no column of numbers", "give at least one beside the dates")
    values = np.array([_numbers(shown, head[place], columns[place]) for place in numeric]).T
    warnings: tuple[str, ...] = ()
    if times is not None:
        step, gaps = _step(shown, times)
        season = season or _season(step)
        if gaps:
            warnings = (f"{shown}: {gaps} steps between rows are not the usual {step:g} s; windows span them",)
    columns_kept = tuple(head[place] for place in numeric)
    return Series(name or escape(Path(path).stem), columns_kept, np.ascontiguousarray(values), season or 1, warnings)


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    """The head line and the other lines, all of one length."""
    shown = escape(path)
    try:
        if not path.is_file():
            raise DatasetError(f"{shown}: no such file" if not path.exists() else f"{shown}: not a regular file", "give a CSV file")
        if path.stat().st_size > LARGEST:
            raise DatasetError(f"{shown}: larger than {LARGEST >> 20} MiB", "give a part of it")
        text = path.read_text(encoding="utf-8-sig")
        first = text.split("\n", 1)[0]
        delimiter = max(",;\t", key=first.count)
        rows = [row for row in csv.reader(text.splitlines(), delimiter=delimiter) if row]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{shown}: not a table in text: {getattr(error, 'strerror', None) or type(error).__name__}") from None
    if len(rows) < 3:
        raise DatasetError(f"{shown}: a head line and two rows at least are needed")
    head, body = [name.strip() for name in rows[0]], rows[1:]
    if all(_number(name) is not None for name in head):
        raise DatasetError(f"{shown}: it has no head line", "begin the file with a line of column names")
    odd = next((number for number, row in enumerate(body, 2) if len(row) != len(head)), None)
    if odd is not None:
        raise DatasetError(f"{shown}: line {odd} has {len(body[odd - 2])} fields, the head line {len(head)}")
    return head, body


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None


def _numbers(shown: str, name: str, column: Sequence[str]) -> list[float]:
    values: list[float] = []
    for line, field in enumerate(column, 2):
        if field.strip().lower() in MISSING:
            missing = sum(other.strip().lower() in MISSING for other in column)
            raise DatasetError(f"{shown}: {missing} of column '{escape(name)}' are missing, the first in line {line}", CURE)
        value = _number(field)
        if value is None or not math.isfinite(value):
            raise DatasetError(
                f"{shown}: '{escape(field)[:40]}' in column '{escape(name)}', line {line}, is not a number",
                "remove columns of text; write numbers with a point",
            )
        values.append(value)
    return values


def _begins_with_a_date(column: Sequence[str]) -> bool:
    first = next((field for field in column if field.strip().lower() not in MISSING), "")
    return _number(first) is None and _dates([first]) is not None


def _dates(column: Sequence[str]) -> Float64 | None:
    """Seconds of each date since an arbitrary moment, or None where no format reads them all."""
    for form in ("", *FORMATS):
        try:
            read = [
                datetime.fromisoformat(field.strip()) if not form else datetime.strptime(field.strip(), form) for field in column
            ]
            return np.array([(moment - read[0]).total_seconds() for moment in read])
        except (ValueError, TypeError):  # TypeError: some with a time zone and some without
            continue
    return None


def _step(shown: str, times: Float64) -> tuple[float, int]:
    """The usual step in seconds, and how many steps are not the usual one."""
    steps = np.diff(times)
    if (steps <= 0).any():
        line = int(np.argmax(steps <= 0)) + 3
        raise DatasetError(f"{shown}: line {line} is not later than the one before", "sort the rows by date, one row a moment")
    usual = float(np.median(steps))
    return usual, int(np.count_nonzero(steps != usual))


def _season(step: float) -> int:
    if step == DAY:
        return 7
    return int(DAY / step) if step < DAY and DAY % step == 0 else 1
