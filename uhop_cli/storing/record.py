"""What a memory file says of how it came about, and the settings read back from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from uhop_cli.errors import SettingsError
from uhop_cli.memory.memory import Memory
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.version import __version__

KEPT_SHARE = 0.05  # of the patterns that were tested: a self-test that asks 48 copies of a damage cannot tell so few apart


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


def is_of_today(memory: Memory, settings: StoreSettings) -> bool:
    """Whether this version of uhop made the memory with these settings: then it would make the same again."""
    versions = memory.record.get("versions")
    made_by = versions.get("uhop") if isinstance(versions, dict) else None
    known = all(part.statistics is not None for part in memory.shards or (memory,))
    return made_by == __version__ and known and memory.record.get("settings") == settings_json(settings)


@dataclass(frozen=True)
class SelfTested:
    """Of which memory a self-test is: it is kept where little is added.

    Attributes:
        patterns: that the memory had when it was tested.
        changed: how many files have come, gone or got another content since.
    """

    patterns: int
    changed: int = 0

    def after(self, changes: int) -> SelfTested | None:
        """The same after so many further changes; None where these are too many for it to be kept."""
        changed = self.changed + changes
        return SelfTested(self.patterns, changed) if changed <= KEPT_SHARE * self.patterns else None

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> SelfTested | None:
        """What a record says; None where it has no self-test, or is not clear about it."""
        tested, rows, calibration = (record.get(name) for name in ("tested", "self_test", "calibration"))
        if not (isinstance(tested, dict) and isinstance(rows, list) and isinstance(calibration, dict)):
            return None
        counts = [count for name in ("patterns", "changed") if type(count := tested.get(name)) is int and count >= 0]
        return cls(*counts) if len(counts) == 2 else None


def stage1_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """What a record says about Stage I: its known fields, as far as they are what they should be."""
    stage1 = record.get("stage1")
    if not isinstance(stage1, dict) or stage1.get("solver") not in ("closed-form", "gradient"):
        return {}
    counts = {name: stage1[name] for name in ("iterations", "feature_dim") if type(stage1.get(name)) is int}
    numbers = ("learning_rate", "loss_initial", "loss_final", "loss_bound", "rho")
    known = {name: stage1.get(name) for name in numbers if isinstance(stage1.get(name), float | None)}
    return {"solver": stage1["solver"], **counts, **known}
