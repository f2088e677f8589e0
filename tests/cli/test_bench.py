"""`uhop bench` at the shell."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from uhop_cli.cli.app import run

FAST = ["--methods", "uhop,cosine,mean-image,ceiling", "--repeats", "2", "--sizes", "5,10", "--levels", "0,0.5,1,2"]


@pytest.fixture
def array(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (30, 6, 6), dtype=np.uint8)
    np.save(tmp_path / "set.npy", pixels)
    return tmp_path / "set.npy"


def test_tables_fit_eighty_columns(array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--dataset", str(array), *FAST]) == 0
    out, err = capsys.readouterr()
    tables = out.splitlines()
    assert max(map(len, tables)) <= 80
    assert "…" not in out
    assert err == ""
    assert "capacity: sum-of-squares error against memories" in out
    assert any(line.startswith("^   ceiling") for line in tables)
    assert any(line.startswith("c   mean-image") for line in tables)


def test_every_experiment_has_a_table(array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = "metastable,loss-vs-error"
    assert (
        run(["bench", "--dataset", str(array), "--experiment", names, "--repeats", "2", "--sizes", "10", "--iterations", "2"]) == 0
    )
    out, _ = capsys.readouterr()
    assert "2 to 10" in out
    assert "Rank correlation of loss and error" in out
    assert max(map(len, out.splitlines())) <= 80


def test_a_method_that_does_not_beat_the_mean_image_is_marked(array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["--experiment", "noise", "--methods", "query,mean-image,ceiling", "--levels", "0,2", "--sizes", "10"]
    assert run(["bench", "--dataset", str(array), *arguments, "--repeats", "2"]) == 0
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("c   query"))
    assert line.rstrip().endswith("!")  # at noise 2
    assert line.count("!") == 1


def test_no_cell_is_cut(array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    levels = "0,0.01,0.05,0.1,0.3,0.5,0.7,1,1.2,1.4,2"
    arguments = ["--experiment", "noise", "--methods", "cosine-matched,cosine,mean-image", "--repeats", "1", "--levels", levels]
    assert run(["bench", "--dataset", str(array), "--sizes", "10", *arguments]) == 0
    out = capsys.readouterr().out
    assert "…" not in out  # the narrow cells of one repeat: as many columns as fit, and no more
    assert max(map(len, out.splitlines())) <= 80
    assert sum(line.startswith("c   mean-image") for line in out.splitlines()) >= 4


def test_json_is_one_document(array: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--dataset", str(array), "--json", "--experiment", "capacity", *FAST]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "uhop.bench/1"
    assert len(document["rows"]) == 2 * 2 * 4
    assert document["config"]["settings"]["sizes"] == [5, 10]


def test_out_is_written_resumed_and_not_overwritten(array: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["bench", "--dataset", str(array), "--experiment", "capacity", "-q", "--out", str(tmp_path / "out"), *FAST]
    assert run(arguments) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out' / 'report.md'}\n"
    rows = (tmp_path / "out" / "rows.jsonl").read_bytes()
    assert {"rows.csv", "rows.json", "report.md", "capacity-uhop.png"} <= {path.name for path in (tmp_path / "out").iterdir()}
    assert run(arguments) == 1
    assert "--resume" in capsys.readouterr().err
    assert run([*arguments, "--resume"]) == 0
    assert (tmp_path / "out" / "rows.jsonl").read_bytes() == rows


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--dataset", "nothing"], 1),
        (["--methods", "nothing"], 2),
        (["--experiment", "nothing"], 2),
        (["--sizes", "five"], 2),
        (["--sizes", "2.5"], 2),
        (["--sizes", "1"], 2),
        (["--sizes", "1000"], 2),
        (["--resume"], 2),
        (["--protocol", "best"], 2),
        (["--device", "tpu"], 2),
        (["--device", "cuda:99"], 1),
    ],
)
def test_mistakes_are_told_in_two_lines(arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *arguments]) == code
    assert capsys.readouterr().err.startswith("error: ")


def test_the_list_names_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--list"]) == 0
    out = capsys.readouterr().out
    for name in ("fashion-mnist", "average-vs-max", "published:uhop", "ceiling"):
        assert name in out
