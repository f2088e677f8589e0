"""Tables, sentences and figures of the experiments on pictures, from rows made by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from uhop_cli.experiments.learning import figures
from uhop_cli.experiments.learning.run import LEARNING, facts

HALF = 12.706204736 / 8  # of the 95% interval of differences 1/8 and 3/8: t of one degree of freedom, times 1/8


def row(method: str, seed: int | None, test: float, size: int = 100, experiment: str = "classify", **more: Any) -> dict[str, Any]:
    separation = {"separation_start": -1.0, "separation_after_stage_one": -2.0, "separation_end": -1.5}
    metrics = {"test_accuracy": test, "max_train_accuracy": test + 0.25, "support": 4.0, "tokens": 16, **separation, **more}
    if seed is None:
        metrics = {"held_out_at_0.001": 0.25, "held_out_at_0.003": 0.5}
    return {"experiment": experiment, "method": method, "train_size": size, "seed": seed, "rate": 0.003, "metrics": metrics}


ROWS = [
    row("kernel", None, 0),
    *(row("kernel", seed, 0.25) for seed in (0, 1)),
    row("warm-up", 0, 0.375),
    row("warm-up", 1, 0.625),
    row("kernel-sparsemax", 0, 0.5, support=3.0),
    row("kernel-sparsemax", 1, 0.5, support=5.0),
    *(row("published:one-token", seed, 0.25, separation_start=None, support=1.0) for seed in (0, 1)),
    *(row("published:value-path", seed, 0.25, separation_start=None, support=1.0, max_train_accuracy=0.75) for seed in (0, 1)),
]


def test_accuracies_and_paired_differences() -> None:
    accuracies, separations, rates = LEARNING.tables(ROWS, "classify")
    assert accuracies[0].startswith("100 training samples, mean ± deviation of 2 seeds")
    lines = {line[0]: line[1:] for line in accuracies[2]}
    assert list(lines) == ["kernel", "warm-up", "kernel-sparsemax", "published:one-token", "published:value-path"]
    assert lines["kernel"] == ["0.250±0.000", "0.500±0.000", "-", "-", "4.0"]
    difference = f"+0.250 [{0.25 - HALF:+.3f}, {0.25 + HALF:+.3f}]"
    assert lines["warm-up"] == ["0.500±0.177", "0.750±0.177", difference, difference, "4.0"]
    assert lines["published:value-path"][2:4] == ["+0.000", "+0.250"]
    assert [line[0] for line in separations[2]] == ["kernel", "warm-up", "kernel-sparsemax"]
    assert separations[2][1] == ["warm-up", "average", "-1.000", "-2.000", "-1.500"]
    assert rates[1:] == (["method", "chosen", "0.001", "0.003"], [["kernel", "0.003", "0.250", "0.500"]])
    assert LEARNING.tables(ROWS, "expressiveness") == []


def test_sentences_say_what_differs() -> None:
    lines = LEARNING.sentences(ROWS, "classify")
    assert lines[0].startswith("warm-up does not surely differ from kernel in test accuracy, +0.250")
    assert "published:value-path beats published:one-token in training accuracy" not in " ".join(lines)  # its interval has no width
    assert "neither Phi nor Stage I" in lines[2]
    assert lines[3] == "sparsemax arms give weight to at most 4.0 of 16 patches, mean of an arm"
    assert len(lines) == 4
    assert LEARNING.sentences([one for one in ROWS if one["method"] == "kernel"], "classify") == []


def test_accuracies_against_sizes() -> None:
    rows = [row("kernel", seed, size / 1000, size, "expressiveness") for size in (100, 200) for seed in (0, 1)]
    train, test = LEARNING.tables(rows, "expressiveness")
    assert train[0] == "best training accuracy against training samples (Figures 4 and 6)"
    assert (train[1], train[2]) == (["method", "100", "200"], [["kernel", "0.350±0.000", "0.450±0.000"]])
    assert test[2] == [["kernel", "0.100±0.000", "0.200±0.000"]]
    others = [row("warm-up", seed, 0.5, size, "expressiveness") for size in (100, 200) for seed in (0, 1)]
    lines = LEARNING.sentences([*rows, *others], "expressiveness")
    assert [line.split(":")[0] for line in lines] == ["100 training samples", "200 training samples"]


def test_figures_are_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    rows = [row(name, seed, 0.5, size, "expressiveness") for name in ("plain", "kernel") for size in (100, 200) for seed in (0, 1)]
    names = figures.draw(tmp_path, [*ROWS, *rows], "made")
    assert names == ["classify.png", "classify.svg", "expressiveness.png", "expressiveness.svg"]
    assert "published:value-path" in (tmp_path / "classify.svg").read_text(encoding="utf-8")
    assert "training samples" in (tmp_path / "expressiveness.svg").read_text(encoding="utf-8")
    again = tmp_path / "again"
    again.mkdir()
    figures.draw(again, [*ROWS, *rows], "made")
    assert all((again / name).read_bytes() == (tmp_path / name).read_bytes() for name in names)
    assert figures.draw(tmp_path, [], "made") == []


def test_facts_of_a_report() -> None:
    config = {"train": 50000, "test": 10000, "classes": 10, "digest": "abc", "settings": {"seed": 3}, "version": "1"}
    assert facts(config).startswith("50,000 training and 10,000 test samples of 10 classes")
    assert facts(config | {"train": 200, "instances": 1220, "features": 230}).startswith(
        "200 bags of 1,220 instances of 230 features"
    )
