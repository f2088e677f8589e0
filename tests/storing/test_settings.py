"""Settings may come from a memory file, where they are somebody's claim: nothing odd gets through."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.storing.settings import StoreSettings

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
