"""What a memory file says of how it came about is a claim: what fits is taken, the rest is the default."""

from __future__ import annotations

from typing import Any

import pytest

from uhop_cli.storing.record import SelfTested, settings_json, settings_of, stage1_of
from uhop_cli.storing.settings import StoreSettings


def test_recorded_settings_come_back() -> None:
    settings = StoreSettings(size=40, solver="gradient", iterations=7, loss="max", seed=3)
    recorded = {name: value for name, value in settings.to_json().items() if name != "device"}
    assert settings_of({"settings": recorded}) == settings


def test_a_record_without_a_word_of_local_descriptors_has_none() -> None:
    """As it was before there were any: `--local off` writes the same bytes as then."""
    off = settings_json(StoreSettings(local="off", device="cpu"))
    assert not {"local", "device"} & off.keys()
    assert settings_of({"settings": off}) == StoreSettings(local="off")
    for local in ("auto", "on"):
        assert settings_of({"settings": settings_json(StoreSettings(local=local))}).local == local


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"settings": None},
        {"settings": []},
        {"settings": {"size": 1.5}},
        {"settings": {"nothing": 1}},
        {"settings": {"seed": -1}},
    ],
)
def test_settings_that_do_not_fit_are_the_defaults(record: dict[str, Any]) -> None:
    assert settings_of(record) == StoreSettings()


def test_of_stage_one_what_has_the_right_type_is_taken() -> None:
    stage1 = {
        "solver": "gradient",
        "iterations": 5,
        "feature_dim": 9,
        "learning_rate": 0.5,
        "loss_initial": -1.0,
        "loss_final": None,
    }
    assert stage1_of({"stage1": {**stage1, "colour": "red"}}) == {**stage1, "loss_bound": None, "rho": None}
    odd = stage1_of({"stage1": {"solver": "closed-form", "iterations": True, "feature_dim": 1.5, "loss_final": "low", "rho": 0.1}})
    assert odd == {"solver": "closed-form", "learning_rate": None, "loss_initial": None, "loss_bound": None, "rho": 0.1}
    for record in ({}, {"stage1": []}, {"stage1": {"solver": "magic"}}, {"stage1": {"iterations": 1}}):
        assert stage1_of(record) == {}


TESTED = {"self_test": [], "calibration": {}, "tested": {"patterns": 100, "changed": 2}}


def test_a_self_test_is_kept_as_long_as_little_has_changed() -> None:
    tested = SelfTested.of(TESTED)
    assert tested == SelfTested(100, 2)
    assert tested.after(3) == SelfTested(100, 5)
    assert tested.after(4) is None
    assert SelfTested(19).after(1) is None
    assert SelfTested(19).after(0) == SelfTested(19)


@pytest.mark.parametrize(
    "claim",
    [
        {"self_test": {}},
        {"self_test": None},
        {"calibration": []},
        {"tested": None},
        {"tested": [100, 2]},
        {"tested": {"patterns": 100}},
        {"tested": {"changed": 2}},
        {"tested": {"patterns": 100.0, "changed": 2}},
        {"tested": {"patterns": True, "changed": 2}},
        {"tested": {"patterns": 100, "changed": -1}},
    ],
)
def test_a_record_that_is_not_clear_about_its_self_test_has_none(claim: dict[str, Any]) -> None:
    assert SelfTested.of(TESTED | claim) is None
