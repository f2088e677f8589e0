"""How long a store is expected to take: more of anything takes longer, nothing takes none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.storing import duration
from uhop_cli.storing.plan import make_plan
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for index in range(20):
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"in/{index}.png")
    return tmp_path


def seconds(folder: Path, learning: bool = True, paths: list[Path] | None = None, **settings: object) -> float:
    chosen = StoreSettings(**settings)  # type: ignore[arg-type]
    plan = make_plan(paths or [folder / "in"], folder / "m.safetensors", chosen)
    return duration.expected_seconds(plan, chosen, learning=learning)


def test_what_it_is_made_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duration, "_reading", lambda plan: 0.0)
    assert seconds(folder, size=32) == pytest.approx(2.5 + 20 * 7e-4)
    assert seconds(folder, size=16) == pytest.approx((2.5 + 20 * 7e-4) / 4)
    assert seconds(folder, size=32, self_test="off") == pytest.approx(20 * 7e-4 / 2)
    gradient = seconds(folder, size=32, solver="gradient", iterations=1000) - seconds(folder, size=32)
    assert gradient == pytest.approx(6 * 20**3 * 1000 / 5e10)
    assert seconds(folder, size=32, solver="gradient") == seconds(folder, size=32, solver="gradient", iterations=1000)
    assert seconds(folder, learning=False, size=32, solver="gradient") == seconds(folder, size=32)


def test_reading_is_tried_on_a_few_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(duration.time, "perf_counter", lambda: float(next(clock)))  # each look is a second later
    monkeypatch.setattr(duration, "decoding_threads", lambda: 2)
    (folder / "in" / "3.png").write_bytes(b"broken")
    chosen = StoreSettings(size=8)
    plan = make_plan([folder / "in"], folder / "m.safetensors", chosen)
    assert duration._reading(plan) == pytest.approx(1 / 8 * 20 / 2)
    np.save(folder / "rows.npy", np.zeros((50, 8, 8), np.uint8))
    rows = make_plan([folder / "rows.npy"], folder / "m.safetensors", chosen)
    assert duration._reading(rows) == pytest.approx(50 * duration.ROW_SECONDS)


def test_a_dry_run_tells_it_and_what_is_new(folder: Path) -> None:
    target = folder / "m.safetensors"
    report = store([folder / "in"], target, dry_run=True)
    assert report.seconds_expected is not None
    assert report.seconds_expected > 0
    assert (report.added, report.unchanged) == (20, 0)
    assert not target.exists()
    store([folder / "in"], target)
    report = store([folder / "in"], target, add=True, dry_run=True)
    assert (report.added, report.unchanged, report.seconds_expected) == (0, 20, 0.0)
