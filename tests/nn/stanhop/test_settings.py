"""Sizes that make no sense are refused."""

from __future__ import annotations

from typing import Any

import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.nn.stanhop import NetSettings


def test_tokens_are_whole_patches() -> None:
    settings = NetSettings(look_back=96, horizon=96, series=7, patch=12)
    assert [settings.tokens(length) for length in (1, 12, 13, 96)] == [1, 1, 2, 8]


@pytest.mark.parametrize(
    "wrong",
    [{"series": 0}, {"patch": 0}, {"merge": 1}, {"patterns": 0}, {"width": 6}, {"dropout": 1.0}, {"published": ("series", "none")}],
)
def test_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        NetSettings(**({"look_back": 8, "horizon": 4, "series": 2} | wrong))
