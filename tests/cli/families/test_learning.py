"""`uhop bench` on labelled data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.cli.app import run
from uhop_cli.experiments.learning import classify, mil


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two kinds of pictures, a folder each; a rate is chosen from two."""
    generator = np.random.default_rng(0)
    for name in ("dark", "light"):
        (tmp_path / "kinds" / name).mkdir(parents=True)
        for index in range(15):
            pixels = generator.integers(0, 100, (32, 32, 3)) + 150 * (name == "light")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "kinds" / name / f"{index}.png")
    monkeypatch.setattr(classify, "RATES", (1e-3, 1e-2))
    monkeypatch.setattr(classify, "CHOICE_EPOCHS", 1)
    return tmp_path / "kinds"


@pytest.fixture
def bags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    generator = np.random.default_rng(0)
    labels = np.arange(30) % 2
    bag = np.repeat(np.arange(30), 2)
    np.savez(tmp_path / "mine.npz", X=generator.normal(size=(60, 4)) + 2 * labels[bag, None], bag=bag, y=labels)
    monkeypatch.setattr(mil, "TRAINING", {"epochs": 1, "batch": 16, "rate": 1e-2, "decay": 0.0, "steps": 1})
    return tmp_path / "mine.npz"


def test_json_is_as_documented(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--methods", "kernel,alternation", "--train-size", "20", "--epochs", "2", "--width", "16", "--repeats", "2"]
    assert run(["bench", "--experiment", "classify", "--dataset", str(folder), *options, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "uhop.bench/1"
    assert document["config"]["train"] == 24
    assert document["config"]["settings"]["sizes"] == [20]
    assert [(row["method"], row["seed"]) for row in document["rows"]] == [
        (name, seed) for seed in (None, 0, 1) for name in ("kernel", "alternation")
    ]
    for row in document["rows"]:
        assert {"experiment", "dataset", "method", "separation", "train_size", "seed", "rate", "metrics", "seconds"} <= set(row)


def test_out_is_written_and_resumed(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = [
        "--methods",
        "plain,kernel",
        "--sizes",
        "10,20",
        "--epochs",
        "1",
        "--width",
        "16",
        "--repeats",
        "1",
        "--rate",
        "0.01",
    ]
    out, page = tmp_path / "out", tmp_path / "page.html"
    arguments = ["bench", "--experiment", "expressiveness", "--dataset", str(folder), *options, "--out", str(out)]
    assert run([*arguments, "--report", str(page)]) == 0
    printed = capsys.readouterr().out
    assert "best training accuracy against training samples" in printed
    assert "plain does not surely differ from kernel" in printed
    report = (out / "report.md").read_text(encoding="utf-8")
    assert "24 training and 6 test samples of 2 classes" in report
    assert "Algorithm 2" in report
    assert "does a kernel learn more of its training pictures" in page.read_text(encoding="utf-8")
    assert "test_accuracy" in (out / "rows.csv").read_text(encoding="utf-8").splitlines()[0]
    rows = (out / "rows.jsonl").read_bytes()
    assert run(arguments) == 1
    assert run([*arguments, "--resume", "-q"]) == 0
    assert (out / "rows.jsonl").read_bytes() == rows


def test_bags_are_learned_from(bags: Path, capsys: pytest.CaptureFixture[str]) -> None:
    methods = "softmax,top-k:3,softmax+u-hop-plus,ridge-mean"
    assert run(["bench", "--experiment", "mil", "--dataset", str(bags), "--methods", methods, "--quick", "--repeats", "1"]) == 0
    printed = capsys.readouterr().out
    assert "mil, mine: AUC" in printed
    assert "ridge-mean beats softmax" in printed or "ridge-mean does not surely differ" in printed
    assert "separations that surely lose against softmax" in printed


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--experiment", "classify,capacity"], 2, "run them apart"),
        (["--experiment", "classify,mil"], 2, "run them apart"),
        (["--experiment", "classify", "--levels", "1"], 2, "--levels means nothing"),
        (["--experiment", "classify", "--horizons", "4"], 2, "--horizons means nothing"),
        (["--experiment", "mil", "--protocol", "paper"], 2, "--protocol means nothing"),
        (["--experiment", "mil", "--dataset", "fox", "--epochs", "3"], 2, "mean nothing in --experiment mil"),
        (["--experiment", "classify", "--sizes", "10,20"], 2, "classify takes one"),
        (["--experiment", "expressiveness", "--train-size", "10"], 2, "expressiveness has --sizes"),
        (["--experiment", "classify", "--train-size", "10", "--sizes", "10"], 2, "--train-size is for"),
        (["--experiment", "capacity", "--epochs", "1"], 2, "--epochs is for"),
        (["--experiment", "forecast", "--dataset", "etth1", "--rate", "1e-3"], 2, "--rate is for"),
        (["--experiment", "classify", "--methods", "kernle"], 2, "did you mean kernel?"),
        (["--experiment", "classify", "--dataset", "sample"], 1, "has no classes"),
        (["--experiment", "mil", "--dataset", "sample"], 1, "has no bags"),
    ],
)
def test_options_that_would_do_nothing_are_refused(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["bench", *arguments]) == code
    assert words in capsys.readouterr().err


def test_the_list_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"classify", "expressiveness", "mil"} <= set(listed["experiments"])
    assert {"tiny-imagenet", "tiger", "fox", "elephant"} <= set(listed["datasets"])
    assert {"whitened-sparsemax", "published:value-path", "softmax+u-hop-plus", "ridge-max"} <= set(listed["methods"])
