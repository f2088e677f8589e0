"""Rows of the arms: all of them, paired, gone on with after a kill, and no rate chosen twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.data.class_folders import Labelled
from uhop_cli.experiments.data.labelled import LabelledSet
from uhop_cli.experiments.learning import classify
from uhop_cli.experiments.learning.arms import ARMS, Arm
from uhop_cli.experiments.learning.classify import Study
from uhop_cli.experiments.learning.config import LearningConfig
from uhop_cli.experiments.learning.run import KEY, LEARNING
from uhop_cli.experiments.results.journal import Journal, Row
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.progress import Progress

pytestmark = pytest.mark.usefixtures("few")
SHORT = LearningConfig(("classify",), ("kernel", "warm-up"), sizes=(64,), repeats=2, epochs=2, width=16)


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("published:one-token", "published:value-path"):
        monkeypatch.setitem(ARMS, name, replace(ARMS[name], width=16))


def run(data: LabelledSet, config: LearningConfig, folder: Path | None = None, **more: object) -> list[Row]:
    with Journal(folder, {}, resume=True, key=KEY) as journal:
        LEARNING.run(data, config, journal, Surroundings(folder, "cpu", **more))  # type: ignore[arg-type]
        return journal.rows


def test_every_arm_has_its_rows(data: LabelledSet) -> None:
    told: list[Progress] = []
    config = replace(SHORT, methods=(), repeats=1, epochs=1)
    rows = run(data, config, progress=told.append)
    names = [name for name in ARMS if name != "plain-wide"]
    assert [(row["method"], row["seed"]) for row in rows] == [(name, seed) for seed in (None, 0) for name in names]
    parts = [progress for progress in told if progress.stage == "classify"]
    assert [progress.done for progress in parts] == list(range(1, 2 * len(names) + 1))
    assert {progress.total for progress in parts} == {2 * len(names)}
    assert parts[-1].note == f"{names[-1]}, seed 0: test accuracy {rows[-1]['metrics']['test_accuracy']:.3f}"
    assert parts[0].note == f"{names[0]}: rate {rows[0]['rate']:g}"
    epochs = [progress for progress in told if progress.stage == "epoch"]
    assert all("loss" in progress.note for progress in epochs)
    chosen = {row["method"]: row for row in rows if row["seed"] is None}
    for row in rows[len(names) :]:
        assert row["rate"] == chosen[row["method"]]["rate"]
        assert row["metrics"]["tokens"] == (1 if ARMS[row["method"]].one_token else 4)
        known = row["metrics"]["separation_start"] is None
        assert known == (ARMS[row["method"]].one_token or ARMS[row["method"]].association != "hopfield")
        if ARMS[row["method"]].stage in ("warm-up", "whitened"):
            assert row["metrics"]["separation_after_stage_one"] < row["metrics"]["separation_start"]
    for row in chosen.values():
        assert row["metrics"][f"held_out_at_{row['rate']:g}"] == max(row["metrics"].values())
        assert row["train_size"] == 40


def test_a_resumed_run_is_the_run(data: LabelledSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = run(data, SHORT, tmp_path / "whole")
    assert [(row["method"], row["seed"]) for row in rows] == [(name, seed) for seed in (None, 0, 1) for name in SHORT.methods]
    whole = (tmp_path / "whole" / "rows.jsonl").read_bytes()
    assert list((tmp_path / "whole" / "nets").iterdir()) == []  # the rows are there: nothing is left to go on with
    lines = whole.splitlines(keepends=True)
    (tmp_path / "part").mkdir()
    for kept in (1, 2, 4, len(lines)):
        (tmp_path / "part" / "rows.jsonl").write_bytes(b"".join(lines[:kept]))
        run(data, SHORT, tmp_path / "part")
        assert (tmp_path / "part" / "rows.jsonl").read_bytes() == whole
    monkeypatch.setattr(Study, "choice", lambda *rest: pytest.fail("chosen again"))
    (tmp_path / "part" / "rows.jsonl").write_bytes(b"".join(lines[:3]))
    run(data, SHORT, tmp_path / "part")
    assert (tmp_path / "part" / "rows.jsonl").read_bytes() == whole


def test_a_training_that_was_killed_goes_on(data: LabelledSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        pass

    def kill(progress: Progress) -> None:
        if progress.stage == "epoch" and "warm-up, seed 0" in progress.note:
            raise KilledError

    whole = run(data, SHORT)
    with pytest.raises(KilledError):
        run(data, SHORT, tmp_path, progress=kill)
    assert [file.name for file in (tmp_path / "nets").iterdir()] == ["classify-warm-up-64-0.safetensors"]
    epochs: list[str] = []
    again = run(data, SHORT, tmp_path, progress=lambda progress: epochs.append(f"{progress.done} {progress.note}"))
    assert again == whole
    gone_on = [line.split(":")[0] for line in epochs if "warm-up, seed 0: loss" in line]
    assert gone_on == ["2 warm-up, seed 0"]  # the first epoch is not done again


def test_a_rate_that_is_given_is_not_chosen(data: LabelledSet) -> None:
    rows = run(data, replace(SHORT, rate=0.005))
    assert [(row["seed"], row["rate"]) for row in rows] == [(0, 0.005), (0, 0.005), (1, 0.005), (1, 0.005)]


def test_test_pictures_decide_nothing(data: LabelledSet) -> None:
    other = replace(data, test=Labelled(data.test.pixels, (data.test.labels + 1) % 3))
    one, two = run(data, SHORT), run(other, SHORT)
    for row in [*one, *two]:
        accuracy = row["metrics"].pop("test_accuracy", None)
        assert (accuracy is None) == (row["seed"] is None)
    assert one == two


def test_expressiveness_has_sizes_and_one_rate_a_method(data: LabelledSet) -> None:
    config = replace(SHORT, experiments=("expressiveness",), methods=("plain-wide",), sizes=(64, 32), repeats=1)
    rows = run(data, config)
    assert [(row["train_size"], row["seed"]) for row in rows] == [(40, None), (32, 0), (64, 0)]
    assert len({row["rate"] for row in rows}) == 1
    kernel = classify.net_settings(ARMS["kernel"], 16, (4, 192), 3).parameters
    assert classify.net_settings(replace(ARMS["plain"], width=16), 16, (4, 192), 3).parameters < kernel
    wide = classify.net_settings(replace(ARMS["plain"], width=20), 16, (4, 192), 3).parameters
    assert rows[-1]["metrics"]["parameters"] == wide >= kernel
    default = classify.wanted(replace(config, methods=()), "expressiveness")
    assert {"plain", "kernel", "plain-wide", "published:value-path"} <= set(default)
    assert "plain-sparsemax" not in default


def test_nets_are_those_of_the_arm(data: LabelledSet) -> None:
    arm = Arm(words="", kernel=True, separation="sparsemax", values="stored", heads=2, dropout=0.5, width=24)
    settings = classify.net_settings(arm, 16, (4, 192), 3)
    assert (settings.tokens, settings.features, settings.classes, settings.width, settings.heads) == (4, 192, 3, 24, 2)
    assert (settings.kernel, settings.separation, settings.values, settings.dropout) == (True, "sparsemax", "stored", 0.5)
    assert classify.net_settings(replace(arm, width=None), 16, (4, 192), 3).width == 16


def test_arms_of_a_seed_see_the_same_batches(data: LabelledSet, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, list[np.ndarray]] = {}

    def watch(self: Study, net: object, samples: object, settings: object, seed: int, words: str, file: object = None) -> object:
        with pytest.MonkeyPatch.context() as patch:
            steps = seen.setdefault(words, [])
            patch.setattr("torch.optim.AdamW.step", lambda optimiser: steps.append(torch.get_rng_state().numpy().copy()))
            return plain(self, net, samples, settings, seed, words, file)  # type: ignore[arg-type]

    plain = Study._learn
    monkeypatch.setattr(Study, "_learn", watch)
    run(data, replace(SHORT, rate=0.005))
    assert len(seen["kernel, seed 0"]) == 2 * 1  # two epochs of one batch of 64
    assert all(np.array_equal(*pair) for pair in zip(seen["kernel, seed 0"], seen["warm-up, seed 0"], strict=True))
    assert not np.array_equal(seen["kernel, seed 0"][0], seen["kernel, seed 1"][0])


def test_too_few_pictures_are_told(data: LabelledSet) -> None:
    with pytest.raises(SettingsError, match="not 121"):
        run(data, replace(SHORT, sizes=(121,), rate=0.01))
