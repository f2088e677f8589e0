"""What a memory file says of how it came about, and the settings read back from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.storing.settings import StoreSettings


def settings_json(settings: StoreSettings) -> dict[str, Any]:
    """What a record keeps of settings: not where Stage I ran, and not that nothing was described locally, as it once never was."""
    left_out = ("device", "local") if settings.local == "off" else ("device",)
    return {key: value for key, value in settings.to_json().items() if key not in left_out}


def settings_of(record: Mapping[str, Any]) -> StoreSettings:
    """The settings that a memory was made with. The record is somebody's claim: what does not fit gives the defaults.

    Where it says nothing of local descriptors there are none, and what is added gets none unless it is asked for.
    """
    settings = record.get("settings")
    try:
        return StoreSettings(**dict({"local": "off"}, **settings)) if isinstance(settings, dict) else StoreSettings()
    except (TypeError, SettingsError):
        return StoreSettings()


def stage1_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says about Stage I: its known fields, as far as they are what they should be."""
    stage1 = record.get("stage1")
    if not isinstance(stage1, dict) or stage1.get("solver") not in ("closed-form", "gradient"):
        return {}
    counts = {name: stage1[name] for name in ("iterations", "feature_dim") if type(stage1.get(name)) is int}
    numbers = ("learning_rate", "loss_initial", "loss_final", "loss_bound", "rho")
    known = {name: stage1.get(name) for name in numbers if isinstance(stage1.get(name), float | None)}
    return {"solver": stage1["solver"], **counts, **known}
