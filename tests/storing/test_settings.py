"""Settings may come from a memory file, where they are somebody's claim: nothing odd gets through."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.storing.settings import DEFAULTS, GRADIENT_ONLY, StoreSettings

ODD: list[Any] = [[], {}, b"x", 1j, float("nan"), float("inf"), 10**400, "\x1b[2J"]


@pytest.mark.parametrize("name", [field.name for field in fields(StoreSettings)])
@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_odd_values_are_refused_in_one_line(name: str, value: Any) -> None:
    if name in ("size", "background", "device") and isinstance(value, str):
        return  # words that are looked at where they are used
    with pytest.raises(SettingsError) as caught:
        StoreSettings(**{name: value})
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 200


def test_truth_is_no_number_and_a_number_no_truth() -> None:
    for wrong in ({"seed": True}, {"t": True}, {"iterations": False}, {"embed": 1}, {"strict": "yes"}, {"seed": -1}):
        with pytest.raises(SettingsError):
            StoreSettings(**wrong)  # type: ignore[arg-type]


def test_what_was_written_is_read_back() -> None:
    for settings in (StoreSettings(), StoreSettings(size=8, iterations=5, learning_rate=0.1, feature_dim=7, batch_size=4, t=1)):
        assert StoreSettings(**settings.to_json()) == settings


IDLE: list[tuple[dict[str, Any], str, str]] = [
    ({"solver": "closed-form", "iterations": 5}, "--iterations", "--solver gradient"),
    ({"solver": "closed-form", "learning_rate": 0.5}, "--learning-rate", "--solver gradient"),
    ({"solver": "closed-form", "loss": "max"}, "--loss", "--solver gradient"),
    ({"solver": "closed-form", "t": 3.0}, "--t", "--solver gradient"),
    ({"solver": "closed-form", "init": "identity"}, "--init", "--solver gradient"),
    ({"solver": "closed-form", "batch_size": 8}, "--batch-size", "--solver gradient"),
    ({"solver": "gradient", "regularization": 0.1}, "--regularization", "--solver closed-form"),
    ({"iterations": 5, "regularization": 0.1}, "--regularization", "--solver closed-form"),
    ({"loss": "temperature", "t": 3.0}, "--t", "--loss average"),
    ({"protocol": "paper", "loss": "max"}, "--loss", "leave out"),
    ({"protocol": "paper", "init": "identity"}, "--init", "leave out"),
    ({"protocol": "paper", "solver": "closed-form"}, "--solver", "leave out"),
    ({"protocol": "paper", "regularization": 0.1}, "--regularization", "leave out"),
]


@pytest.mark.parametrize(("settings", "option", "cure"), IDLE, ids=str)
def test_an_option_that_does_nothing_is_refused_with_the_one_that_makes_it_count(
    settings: dict[str, Any], option: str, cure: str
) -> None:
    for make in (lambda: StoreSettings(**settings), lambda: StoreSettings().changed(settings)):
        with pytest.raises(SettingsError) as caught:
            make()
        assert caught.value.message.startswith(f"{option} does nothing")
        assert caught.value.hint is not None
        assert cure in caught.value.hint


@pytest.mark.parametrize("name", GRADIENT_ONLY)
def test_an_option_of_the_gradient_solver_chooses_it(name: str) -> None:
    value = {"iterations": 5, "learning_rate": 0.5, "loss": "max", "t": 3.0, "init": "identity", "batch_size": 8}[name]
    assert StoreSettings(**{name: value}).resolved().solver == "gradient"  # type: ignore[arg-type]
    assert StoreSettings(**{name: value}).solver == "auto"  # type: ignore[arg-type]
    # What was typed counts, though it is the default.
    given = StoreSettings().changed({name: DEFAULTS[name]})
    assert given.resolved_solver == "gradient"
    with pytest.raises(SettingsError, match="does nothing"):
        StoreSettings().changed({name: DEFAULTS[name], "solver": "closed-form"})


def test_without_one_the_closed_form_runs() -> None:
    assert StoreSettings().resolved().solver == "closed-form"
    assert StoreSettings(feature_dim=5, regularization=0.1, seed=3).resolved().solver == "closed-form"
    assert StoreSettings(solver="gradient").resolved().solver == "gradient"
    paper = StoreSettings(protocol="paper", t=3.0).resolved()
    assert (paper.solver, paper.iterations, paper.learning_rate, paper.t) == ("gradient", 200, 1.0, 3.0)
    assert StoreSettings(protocol="paper", iterations=0, learning_rate=0.5).resolved().learning_rate == 0.5


def test_who_turns_to_the_other_solver_leaves_the_options_of_the_first() -> None:
    gradient = StoreSettings(size=8, iterations=5, t=3.0, seed=1)
    closed = gradient.changed({"solver": "closed-form", "regularization": 0.1})
    assert closed == StoreSettings(size=8, solver="closed-form", regularization=0.1, seed=1)
    assert closed.changed({"iterations": 7}) == StoreSettings(size=8, solver="gradient", iterations=7, seed=1)
    assert gradient.changed({"seed": 2}) == StoreSettings(size=8, iterations=5, t=3.0, seed=2)
    assert gradient.changed({"iterations": 6}) == StoreSettings(size=8, solver="gradient", iterations=6, t=3.0, seed=1)
    with pytest.raises(SettingsError, match="--t does nothing"):
        StoreSettings(loss="temperature").changed({"t": 2.0})
    assert StoreSettings().changed({"protocol": "paper", "iterations": 5}) == StoreSettings(protocol="paper", iterations=5)
