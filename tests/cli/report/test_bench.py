"""`uhop bench --report`, `--csv` and `--plugin`, with the example of CONTRIBUTING.md as the plug-in."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from uhop_cli.cli.app import run
from uhop_cli.experiments.grids.catalogue import EXPERIMENTS
from uhop_cli.experiments.methods.registry import METHODS

PAGE = Path(__file__).parents[3] / "CONTRIBUTING.md"


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    source = PAGE.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
    (tmp_path / "mine.py").write_text(source)
    yield tmp_path / "mine.py"
    METHODS.pop("centred", None)
    EXPERIMENTS.pop("blurs", None)


def test_a_plugin_runs_and_the_page_shows_it(plugin: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, table = tmp_path / "b.html", tmp_path / "b.csv"
    line = ["bench", "--plugin", plugin, "--experiment", "blurs", "--methods", "centred,mean-image", "--repeats", "2"]
    line += ["--sizes", "5", "--report", page, "--csv", table, "--json"]
    assert run([str(word) for word in line]) == 0
    assert '"plugin"' in capsys.readouterr().out
    text = page.read_text()
    assert "<h2>blurs: how much blur can be undone</h2>" in text
    assert '<th scope="row">c mean-image</th>' in text
    assert re.search(r'<th scope="row">centred</th><td class="best">', text)
    assert "<caption>sum-of-squares error against radius in pixels</caption>" in text
    assert "dot product after subtracting the mean memory" in text
    assert "What won" in text
    assert text.count("data:image/png") >= 1
    with table.open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["method"], row["x"]) for row in rows} == {(m, r) for m in ("centred", "mean-image") for r in ("1", "2", "4")}


def test_a_page_of_time_series(tmp_path: Path) -> None:
    steps = "\n".join(f"2016-07-01 {hour // 60:02d}:{hour % 60:02d}:00,{(hour * 7) % 24},{hour % 5}" for hour in range(600))
    (tmp_path / "s.csv").write_text("date,a,b\n" + steps + "\n")
    line = [
        "bench",
        "--experiment",
        "forecast",
        "--dataset",
        tmp_path / "s.csv",
        "--horizons",
        "4",
        "--report",
        tmp_path / "p.html",
        "-q",
    ]
    assert run([str(word) for word in [*line, "--csv", tmp_path / "rows.csv"]]) == 0
    text = (tmp_path / "p.html").read_text()
    assert "<h2>forecast: " in text
    assert "MSE / MAE at each horizon" in text
    assert (tmp_path / "rows.csv").read_text().startswith("experiment,")
