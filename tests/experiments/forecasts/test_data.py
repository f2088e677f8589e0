"""Series of the benchmark are found where people leave them."""

from __future__ import annotations

from pathlib import Path

import pytest

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.forecasts.data import load_series


@pytest.mark.parametrize("below", ["timeseries", ".", "ETT-small"])
def test_a_published_series_is_found(csv: Path, tmp_path: Path, below: str) -> None:
    folder = tmp_path / "second" / below
    folder.mkdir(parents=True)
    (folder / "ETTh1.csv").write_bytes(csv.read_bytes())
    series = load_series("etth1", [tmp_path / "first", tmp_path / "second"])
    assert (series.name, series.columns, series.season) == ("etth1", ("a", "b"), 24)


def test_a_file_of_ones_own(csv: Path) -> None:
    assert load_series(str(csv), []).name == "mine"


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"WTH\.csv is not in"):
        load_series("wth", [tmp_path])
    with pytest.raises(DatasetError, match="'cifar10' is no time series"):
        load_series("cifar10", [tmp_path])
