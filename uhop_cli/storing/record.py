"""What a memory file says of how it came about, and the settings read back from it."""

from __future__ import annotations

from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.memory.memory import Memory
from uhop_cli.storing.settings import StoreSettings


def settings_of(memory: Memory | None) -> StoreSettings | None:
    """The settings that a memory was made with; a record that does not fit (it is somebody's claim) gives the defaults."""
    if memory is None or not isinstance(memory.record.get("settings"), dict):
        return None
    try:
        return StoreSettings(**memory.record["settings"])
    except (TypeError, SettingsError):
        return None


def stage1_of(memory: Memory) -> dict[str, Any]:
    """What a memory says about its Stage I: its known fields, as far as they are what they should be."""
    stage1 = memory.record.get("stage1")
    if not isinstance(stage1, dict) or stage1.get("solver") not in ("closed-form", "gradient"):
        return {}
    counts = {name: stage1[name] for name in ("iterations", "feature_dim") if type(stage1.get(name)) is int}
    numbers = ("learning_rate", "loss_initial", "loss_final", "loss_bound", "rho")
    known = {name: stage1.get(name) for name in numbers if isinstance(stage1.get(name), float | None)}
    return {"solver": stage1["solver"], **counts, **known}
