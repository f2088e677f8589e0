"""Cross-validation of bags: nothing held out reaches a method, and rows are gone on with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from uhop_cli.experiments.data.bags import Bags
from uhop_cli.experiments.learning import mil
from uhop_cli.experiments.learning.bag_arms import BAG_ARMS
from uhop_cli.experiments.learning.config import LearningConfig
from uhop_cli.experiments.learning.run import KEY, LEARNING
from uhop_cli.experiments.results.journal import Journal, Row
from uhop_cli.experiments.surroundings import Surroundings
from uhop_cli.progress import Progress

CONFIG = LearningConfig(("mil",), ("softmax", "ridge-max"), repeats=2)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mil, "WIDTH", 8)
    monkeypatch.setattr(mil, "HEADS", 2)
    monkeypatch.setattr(mil, "TRAINING", {"epochs": 2, "batch": 18, "rate": 1e-2, "decay": 1e-2, "steps": 3})


def run(bags: Bags, config: LearningConfig, folder: Path | None = None, told: list[Progress] | None = None) -> list[Row]:
    with Journal(folder, {}, resume=True, key=KEY) as journal:
        LEARNING.run(bags, config, journal, Surroundings(folder, "cpu", None if told is None else told.append))
        return journal.rows


def test_folds_have_equal_shares_of_both_classes(bags: Bags) -> None:
    folds = mil.drawn_folds(bags.labels, 3)
    assert sorted(np.unique(folds)) == list(range(10))
    assert [int(bags.labels[folds == fold].sum()) for fold in range(10)] == [2] * 10
    assert [len(bags.labels[folds == fold]) for fold in range(10)] == [4] * 10
    assert not np.array_equal(folds, mil.drawn_folds(bags.labels, 4))
    assert np.array_equal(folds, mil.drawn_folds(bags.labels, 3))


def test_bags_are_padded_in_their_order(bags: Bags) -> None:
    padded = mil.Padded(bags, "cpu")
    for index in range(len(bags)):
        expected = bags.instances[bags.bag == index]
        assert padded.mask[index].tolist() == [place < len(expected) for place in range(padded.mask.shape[1])]
        assert np.allclose(padded.tokens[index, : len(expected)], expected)
        assert not padded.tokens[index, len(expected) :].any()
    train = np.arange(40) < 30
    shift, scale = padded.scale(train)
    inside = bags.instances[bags.bag < 30]
    assert shift == pytest.approx(inside.mean(axis=0))
    assert scale == pytest.approx([*inside.std(axis=0)[:4], 1])


@pytest.mark.parametrize(
    "method", ["softmax", "softmax+u-hop-plus", "softmax+warm-up", "mean-of-instances", "ridge-mean", "ridge-max"]
)
def test_nothing_held_out_reaches_a_method(method: str, bags: Bags) -> None:
    train = np.arange(40) % 10 < 8
    wrong = replace(bags, labels=np.where(train, bags.labels, 1 - bags.labels))
    moved = replace(bags, instances=np.where(train[bags.bag][:, None], bags.instances, bags.instances + 7))
    scores, same, other = (mil._scores(mil.Padded(one, "cpu"), method, train, 5) for one in (bags, wrong, moved))
    assert len(scores) == 8
    assert np.array_equal(scores, same)
    assert not np.array_equal(scores, other)
    half = np.flatnonzero(~train)[4:]  # of the bags that are asked about, some change: nothing changes for the others
    some = replace(bags, instances=np.where(np.isin(bags.bag, half)[:, None], bags.instances + 7, bags.instances))
    assert mil._scores(mil.Padded(some, "cpu"), method, train, 5)[:4] == pytest.approx(scores[:4], abs=1e-5)


def test_every_method_has_its_rows(bags: Bags) -> None:
    told: list[Progress] = []
    rows = run(bags, LearningConfig(("mil",), repeats=1), told=told)
    assert [row["method"] for row in rows] == list(BAG_ARMS)
    assert told[-1] == Progress("mil", len(rows), len(rows), f"ridge-max, repeat 0: AUC {rows[-1]['metrics']['auc']:.3f}")
    for row in rows:
        assert len(row["folds"]) == 10
        assert row["metrics"]["auc"] == pytest.approx(np.mean(row["folds"]))
        assert row["separation"] == BAG_ARMS[row["method"]].separation
    aucs = {row["method"]: row["metrics"]["auc"] for row in rows}
    assert aucs["ridge-max"] > 0.9
    assert len({tuple(row["folds"]) for row in rows}) > 6


def test_a_resumed_run_is_the_run(bags: Bags, tmp_path: Path) -> None:
    rows = run(bags, CONFIG, tmp_path / "whole")
    assert [(row["method"], row["seed"]) for row in rows] == [(name, seed) for seed in (0, 1) for name in ("softmax", "ridge-max")]
    whole = (tmp_path / "whole" / "rows.jsonl").read_bytes()
    (tmp_path / "part").mkdir()
    for kept in (1, 2, 4):
        (tmp_path / "part" / "rows.jsonl").write_bytes(b"".join(whole.splitlines(keepends=True)[:kept]))
        run(bags, CONFIG, tmp_path / "part")
        assert (tmp_path / "part" / "rows.jsonl").read_bytes() == whole
