"""Settings: parameters are counted as they are, and what makes no sense is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from uhop_cli.errors import SettingsError
from uhop_cli.nn.learning import NetSettings, SetClassifier, TrainingSettings


@pytest.mark.parametrize(
    "changes",
    [{}, {"kernel": True}, {"association": "mean"}, {"association": "none"}, {"values": "stored"}, {"width": 20, "classes": 7}],
)
def test_parameters_are_counted_as_they_are(changes: dict[str, Any], settings: NetSettings) -> None:
    changed = replace(settings, **changes)
    assert changed.parameters == sum(parameter.numel() for parameter in SetClassifier(changed).parameters())


def test_what_makes_no_sense_is_refused(settings: NetSettings) -> None:
    for changes in ({"features": 0}, {"tokens": 0}, {"classes": 0}, {"heads": 0}, {"heads": 3}):
        with pytest.raises(SettingsError):
            replace(settings, **changes)
    wrong: list[dict[str, Any]] = [{"epochs": 0}, {"batch": 0}, {"steps": 0}, {"rate": 0.0}, {"stage_rate": 0.0}, {"decay": -1.0}]
    for changes in [*wrong, {"loss": "mean"}]:
        with pytest.raises(SettingsError):
            TrainingSettings(**changes)
