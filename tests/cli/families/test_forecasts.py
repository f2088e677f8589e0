"""`uhop bench` on time series."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from uhop_cli.cli.app import run


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """300 hours of two series."""
    values = np.random.default_rng(0).normal(size=(300, 2)).round(6)
    lines = [f"2016-01-{1 + row // 24:02d} {row % 24:02d}:00,{a},{b}" for row, (a, b) in enumerate(values)]
    path = tmp_path / "mine.csv"
    path.write_text("date,a,b\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_json_is_as_documented(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--experiment", "forecast", "--dataset", str(csv), "--horizons", "4", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "uhop.bench/1"
    assert document["config"]["settings"]["horizons"] == [4]
    assert document["config"]["split"] == {"train": 210, "validation": 30, "test": 60}
    for row in document["rows"]:
        assert {"experiment", "dataset", "method", "separation", "seed", "horizon", "metrics", "seconds"} <= set(row)
        assert {"mse", "mae"} <= set(row["metrics"])
    assert [row["method"] for row in document["rows"]][-1] == "memory"


def test_nets_are_trained_where_they_are_asked_for(csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--dataset", str(csv), "--look-backs", "12", "--horizons", "4", "--quick", "--repeats", "1", "--out", str(tmp_path)]
    assert run(["bench", "--experiment", "forecast", "--methods", "stanhop,stanhop-alternation", "--json", *place]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["config"]["settings"]["quick"] is True
    assert document["config"]["settings"]["look_backs"] == [12]
    assert [(row["method"], row["seed"]) for row in document["rows"]] == [
        (method, seed) for seed in (0, None) for method in ("stanhop", "stanhop-alternation")
    ]
    assert {row["quick"] for row in document["rows"]} == {True}
    assert (tmp_path / "nets" / "stanhop-12-4-0.safetensors").exists()
    assert "stanhop-alternation less stanhop" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_out_is_written_and_resumed(csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["bench", "--experiment", "forecast", "--dataset", str(csv), "--horizons", "4", "-q", "--out", str(out)]
    assert run(arguments) == 0
    assert capsys.readouterr().out == f"{out / 'report.md'}\n"
    assert {"rows.csv", "rows.json", "report.md", "rows.jsonl", "timings.csv"} <= {path.name for path in out.iterdir()}
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "300 rows of 2 series, season 24" in report
    assert "| memory |" in report
    assert (out / "rows.csv").read_text(encoding="utf-8").startswith("experiment,dataset,method,separation,look_back,horizon,")
    rows = (out / "rows.jsonl").read_bytes()
    assert run(arguments) == 1
    assert run([*arguments, "--resume"]) == 0
    assert (out / "rows.jsonl").read_bytes() == rows
    assert run([*arguments[:6], "5", *arguments[7:], "--resume"]) == 1
    assert "another configuration" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--experiment", "forecast,capacity"], 2, "run them apart"),
        (["--experiment", "forecast", "--levels", "1"], 2, "--levels means nothing"),
        (["--experiment", "forecast", "--iterations", "1"], 2, "--iterations means nothing"),
        (["--experiment", "forecast", "--protocol", "paper"], 2, "--protocol means nothing"),
        (["--experiment", "forecast", "--repeats", "3"], 2, "--repeats is for"),
        (["--experiment", "forecast", "--methods", "memory,linear-raw", "--repeats", "3"], 2, "--repeats is for"),
        (["--experiment", "sudden-event", "--look-backs", "24"], 2, "--look-backs is for"),
        (["--experiment", "capacity", "--look-backs", "24"], 2, "--look-backs is for"),
        (["--experiment", "capacity", "--quick"], 2, "--quick is for"),
        (["--experiment", "forecast", "--look-backs", "2.5"], 2, "whole numbers"),
        (["--experiment", "sudden-event", "--horizons", "3"], 2, "--horizons is for"),
        (["--experiment", "fresh-event", "--horizons", "3"], 2, "--horizons is for"),
        (["--experiment", "all", "--dataset", "none.csv", "--sizes", "5"], 2, "run them apart"),
        (["--experiment", "all", "--dataset", "none.csv"], 1, "no such file"),
        (["--experiment", "all", "--dataset", "none.npy"], 1, "asked for by name: forecast, sudden-event, fresh-event"),
        (["--experiment", "forecast", "--horizons", "2.5"], 2, "whole numbers"),
        (["--experiment", "forecast", "--sizes", "5,6"], 2, "one number"),
        (["--experiment", "forecast,sudden-event", "--sizes", "5"], 2, "run them apart"),
        (["--experiment", "capacity", "--horizons", "3"], 2, "--horizons is for"),
        (["--experiment", "forecast"], 1, "no time series"),
        (["--experiment", "forecast", "--dataset", "none.csv"], 1, "no such file"),
    ],
)
def test_mistakes_are_told(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *arguments]) == code
    assert words in capsys.readouterr().err


def test_the_list_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"etth1", "ettm1", "wth"} <= set(listed["datasets"])
    assert {"forecast", "sudden-event", "fresh-event"} <= set(listed["experiments"])
    assert {"last-value", "memory-ungated", "stanhop-alternation", "tune-permuted"} <= set(listed["methods"])
