"""A CSV file becomes a series, or is refused in one line that says where and how to cure it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from uhop_cli.errors import DatasetError
from uhop_cli.forecasting.reading import read_csv


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return path


def hourly(rows: int, form: str = "2016-07-01 {:02d}:00:00") -> str:
    return "date,a,b\n" + "".join(f"{form.format(row)},{row},{-row / 2}\n" for row in range(rows))


def test_dates_are_found_and_a_day_is_a_season(tmp_path: Path) -> None:
    series = read_csv(written(tmp_path, hourly(5)))
    assert (series.name, series.columns, series.season, series.warnings) == ("mine", ("a", "b"), 24, ())
    np.testing.assert_array_equal(series.values, [[row, -row / 2] for row in range(5)])


def test_the_date_may_stand_anywhere_and_be_written_as_people_write_it(tmp_path: Path) -> None:
    series = read_csv(written(tmp_path, "a;when\n1;1/1/2010 0:00\n2;1/1/2010 0:15\n3;1/1/2010 0:30\n"), "other")
    assert (series.name, series.columns, series.season) == ("other", ("a",), 96)
    assert series.values[:, 0].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("second", "season"), [("2016-01-02", 7), ("2016-01-08", 1), ("2016-01-01 00:07", 1), ("2016-01-01 12:00", 2)]
)
def test_the_season_follows_the_step(tmp_path: Path, second: str, season: int) -> None:
    assert read_csv(written(tmp_path, f"date,a\n2016-01-01 00:00,1\n{second},2\n")).season == season


def test_without_dates_there_is_no_season_unless_it_is_given(tmp_path: Path) -> None:
    path = written(tmp_path, "a\tb\n1\t2\n3\t4\n")
    assert read_csv(path).season == 1
    assert read_csv(path, season=12).season == 12


def test_gaps_are_counted(tmp_path: Path) -> None:
    text = "date,a\n2016-01-01,1\n2016-01-02,1\n2016-01-03,1\n2016-01-06,1\n"
    (warning,) = read_csv(written(tmp_path, text)).warnings
    assert "1 steps" in warning
    assert "86400 s" in warning


@pytest.mark.parametrize("missing", ["", "NaN", "NA", "null", "?"])
def test_missing_values_are_refused_with_the_cure(tmp_path: Path, missing: str) -> None:
    with pytest.raises(DatasetError) as raised:
        read_csv(written(tmp_path, f"date,a,b\n2016-01-01,1,2\n2016-01-02,1,{missing}\n2016-01-03,1,{missing}\n"))
    assert "2 of column 'b' are missing, the first in line 3" in raised.value.message
    assert raised.value.hint is not None
    assert "interpolate" in raised.value.hint


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "at least are needed"),
        ("date,a\n2016-01-01,1\n", "two rows"),
        ("1,2\n3,4\n5,6\n", "no head line"),
        ("date,a\n2016-01-01,1\n2016-01-02\n", "line 3 has 1 fields"),
        ("date\n2016-01-01\n2016-01-02\n", "no column of numbers"),
        ("date,a\n2016-01-01,1\n2016-01-02,word\n", "'word' in column 'a', line 3"),
        ("date,a\n2016-01-01,1\n2016-01-02,inf\n", "line 3"),
        ("date,a\n2016-01-01,1\n,2\n", "line 3 has no date"),
        ("date,a\n2016-01-01,1\nlater,2\n", "not every value of column 'date'"),
        ("date,a\n2016-01-01,1\n2016-01-03,2\n2016-01-02,3\n", "line 4 is not later"),
        ("date,a\n2016-01-01,1\n2016-01-01,2\n", "line 3 is not later"),
    ],
)
def test_what_is_no_series_is_refused(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(DatasetError, match=word):
        read_csv(written(tmp_path, text))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such file"):
        read_csv(tmp_path / "none.csv")
    with pytest.raises(DatasetError, match="not a regular file"):
        read_csv(tmp_path)
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DatasetError, match="not a table in text"):
        read_csv(tmp_path / "bytes.csv")
