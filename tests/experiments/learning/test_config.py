"""What a run is told."""

from __future__ import annotations

from typing import Any

import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.experiments.learning.config import LearningConfig


def test_seeds_and_sizes_follow_from_the_experiment() -> None:
    config = LearningConfig(("classify",))
    assert (config.seeds("classify"), config.seeds("expressiveness"), config.seeds("mil")) == (range(5), range(3), range(5))
    assert config.train_sizes("classify") == (10000,)
    assert config.train_sizes("expressiveness") == (1000, 2000, 5000, 10000)
    quick = LearningConfig(("classify",), quick=True, seed=7)
    assert (quick.seeds("classify"), quick.seeds("mil")) == (range(7, 10), range(7, 9))
    assert quick.train_sizes("classify") == (5000,)
    given = LearningConfig(("classify",), sizes=(300, 200, 300), repeats=2, quick=True)
    assert (given.seeds("classify"), given.train_sizes("classify")) == (range(2), (200, 300))


def test_methods_can_be_named() -> None:
    config = LearningConfig(("classify",), ("a",))
    assert (config.wants("a", of_itself=False), config.wants("b", of_itself=True)) == (True, False)
    assert LearningConfig(("classify",), ("all",)).wants("b", of_itself=False)
    assert not LearningConfig(("classify",)).wants("b", of_itself=False)


def test_the_journal_knows_everything() -> None:
    record = LearningConfig(("classify",), sizes=(20,), rate=0.1).to_json({"dataset": "made", "digest": "0"})
    assert (record["dataset"], record["digest"]) == ("made", "0")
    assert record["settings"] == {
        "experiments": ["classify"],
        "methods": [],
        "sizes": [20],
        "repeats": None,
        "epochs": 15,
        "width": 128,
        "rate": 0.1,
        "seed": 0,
        "quick": False,
    }


def test_what_makes_no_sense_is_refused() -> None:
    wrong: list[dict[str, Any]] = [{"sizes": (9,)}, {"repeats": 0}, {"epochs": 0}, {"width": 0}, {"rate": 0.0}, {"rate": 1.0}]
    for settings in wrong:
        with pytest.raises(SettingsError):
            LearningConfig(("classify",), **settings)
