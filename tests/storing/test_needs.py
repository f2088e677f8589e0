"""What a store will need: more for more, at least what the arrays take, and refused where it is not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import ResourceError
from uhop_cli.images import decode
from uhop_cli.images.decode import decoding_threads
from uhop_cli.storing import needs
from uhop_cli.storing.needs import check_memory, memory_needed
from uhop_cli.storing.plan import make_plan
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store


@pytest.mark.parametrize("settings", [StoreSettings(), StoreSettings(solver="gradient"), StoreSettings(feature_dim=64)])
def test_more_values_need_more(settings: StoreSettings) -> None:
    assert memory_needed(100, 3072, settings) < memory_needed(2000, 3072, settings) < memory_needed(2000, 12288, settings)


def test_it_covers_the_largest_arrays() -> None:
    matrix = 8 * 3072 * 3072
    assert memory_needed(5000, 3072, StoreSettings()) > 4 * matrix  # the second moment, its eigenvectors and their workspace
    weight = 4 * 12288 * 12288
    assert memory_needed(500, 12288, StoreSettings(solver="gradient")) > 4 * weight
    assert memory_needed(500, 12288, StoreSettings(solver="gradient", feature_dim=64)) < weight + needs.BASE


def test_what_does_not_fit_is_refused_with_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "available_memory", lambda: 2_000_000_000)
    check_memory(5000, 3072, StoreSettings())
    with pytest.raises(ResourceError, match=r"5000 patterns of 12288 values needs about \d+\.\d GB of memory; 2\.0 GB are free"):
        check_memory(5000, 12288, StoreSettings(solver="gradient"))


def test_little_memory_gets_few_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode.os, "cpu_count", lambda: 8)
    for memory, threads in ((0, 1), (1 << 30, 2), (1 << 40, 8)):
        monkeypatch.setattr(decode, "available_memory", lambda memory=memory: memory)
        assert decoding_threads() == threads


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for index in range(20):
        Image.fromarray(np.random.default_rng(index).integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(tmp_path / f"in/{index}.png")
    return tmp_path


def seconds(folder: Path, learning: bool = True, paths: list[Path] | None = None, **settings: object) -> float:
    chosen = StoreSettings(**settings)  # type: ignore[arg-type]
    plan = make_plan(paths or [folder / "in"], folder / "m.safetensors", chosen)
    return needs.expected_seconds(plan, chosen, learning=learning)


def test_what_it_is_made_of(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_reading", lambda plan: 0.0)
    assert seconds(folder, size=32) == pytest.approx(0.8 + 20 * 5e-4)
    assert seconds(folder, size=16) == pytest.approx((0.8 + 20 * 5e-4) / 4)
    assert seconds(folder, size=32, self_test="off") == pytest.approx(20 * 5e-4 * 0.7)
    gradient = seconds(folder, size=32, solver="gradient", iterations=1000) - seconds(folder, size=32)
    assert gradient == pytest.approx(6 * 20**3 * 1000 / 5e10)
    assert seconds(folder, size=32, solver="gradient") == seconds(folder, size=32, solver="gradient", iterations=1000)
    assert seconds(folder, learning=False, size=32, solver="gradient") == seconds(folder, size=32)


def test_reading_is_tried_on_a_few_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(needs.time, "perf_counter", lambda: float(next(clock)))  # each look is a second later
    monkeypatch.setattr(needs, "decoding_threads", lambda: 2)
    (folder / "in" / "3.png").write_bytes(b"broken")
    chosen = StoreSettings(size=8)
    plan = make_plan([folder / "in"], folder / "m.safetensors", chosen)
    assert needs._reading(plan) == pytest.approx(1 / 8 * 20 / 2)
    np.save(folder / "rows.npy", np.zeros((50, 8, 8), np.uint8))
    rows = make_plan([folder / "rows.npy"], folder / "m.safetensors", chosen)
    assert needs._reading(rows) == pytest.approx(50 * needs.ROW_SECONDS)


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
