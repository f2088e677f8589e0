"""What one comparison says, at either side of every threshold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from made_comparisons import FIT
from uhop_cli.errors import SettingsError
from uhop_cli.frames.thresholds import VerificationSettings

DEFAULT = VerificationSettings()


def test_what_is_whole() -> None:
    low = replace(FIT, explained=0.84, correlation=0.89)
    assert not DEFAULT.is_whole(low)
    assert DEFAULT.is_whole(replace(low, explained=0.85))
    assert DEFAULT.is_whole(replace(low, correlation=0.9))
    assert not DEFAULT.is_whole(replace(low, correlation=float("nan")))


@pytest.mark.parametrize("values", [{"bar": 0}, {"bar": float("nan")}, {"coarse_side": 0}, {"side": 32}])
def test_settings_that_make_no_sense(values: dict) -> None:
    with pytest.raises(SettingsError, match="not possible"):
        VerificationSettings(**values)


@pytest.mark.parametrize(
    ("explained", "agreeing", "hopeless"),
    [(0.39, 0.2, True), (0.4, 0.2, False), (0.39, 0.21, False), (0.39, float("nan"), True), (0.9, 0.0, False)],
)
def test_what_the_coarse_grid_gives_up(explained: float, agreeing: float, hopeless: bool) -> None:
    """X < .4, and c > .9 in a fifth of the blocks at most; where no block has texture X alone counts."""
    assert DEFAULT.is_hopeless(replace(FIT, explained=explained, agreeing=agreeing)) == hopeless
