"""`store --add` where nothing is new: no picture is read, nothing is written, and what has changed is seen all the same."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from platformdirs import user_cache_path

from uhop_cli.errors import ImageError
from uhop_cli.memory.file.reader import load
from uhop_cli.storing import marks, record, sources
from uhop_cli.storing.report import StoreReport
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import remove, store


def picture(seed: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8))


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(9):
        picture(index).save(folder / f"img{index}.png")
    return folder


class Untouched:
    """A memory file that must stay as it is, and pictures that must not be read."""

    def __init__(self, target: Path) -> None:
        self.target, self.content, self.written = target, target.read_bytes(), target.stat().st_mtime_ns

    def check(self, report: StoreReport, **counts: int) -> None:
        assert not report.written
        document = report.to_json()
        numbers = dict.fromkeys(("added", "changed", "removed", "renamed"), 0) | counts
        assert {name: document[name] for name in numbers} == numbers
        assert (self.target.read_bytes(), self.target.stat().st_mtime_ns) == (self.content, self.written)


@pytest.fixture
def stored(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Untouched:
    monkeypatch.setattr(marks, "FRESH", -1.0)  # else all of these pictures are too new to be known by their times
    store([images], tmp_path / "m.safetensors")
    return Untouched(tmp_path / "m.safetensors")


def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise AssertionError(f"{path} is read")

    monkeypatch.setattr(sources, "read_bytes", refuse)


def test_where_nothing_is_new_no_picture_is_read_and_nothing_written(
    images: Path, stored: Untouched, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid_reading(monkeypatch)
    report = store([images], stored.target, add=True)
    stored.check(report, unchanged=9, stored=9, patterns=9)
    assert report.self_test == tuple(load(stored.target).record["self_test"])
    with pytest.raises(AssertionError, match="is read"):
        store([images], stored.target, add=True, reread=True)


def test_without_what_is_remembered_all_are_read_once(images: Path, stored: Untouched, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(user_cache_path("uhop"))
    stored.check(store([images], stored.target, add=True), unchanged=9)
    forbid_reading(monkeypatch)
    stored.check(store([images], stored.target, add=True), unchanged=9)


def test_another_content_of_the_same_size_and_time_is_seen(images: Path, stored: Untouched) -> None:
    path = images / "x.bmp"
    picture(98).save(path)
    assert store([images], stored.target, add=True).added == 1
    before = path.stat()
    picture(99).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    report = store([images], stored.target, add=True)
    assert (report.changed, report.unchanged, report.written) == (1, 9, True)


def test_other_settings_or_another_version_write_anew(images: Path, stored: Untouched, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store([images], stored.target, StoreSettings(seed=3), add=True).written
    assert not store([images], stored.target, add=True).written
    monkeypatch.setattr(record, "__version__", "0")
    assert store([images], stored.target, add=True).written


def test_what_cannot_be_stored_is_nothing_new(images: Path, stored: Untouched) -> None:
    (images / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    report = store([images], stored.target, add=True)
    stored.check(report, unchanged=9)
    assert [item.shown for item in report.skipped] == ["images/broken.png"]
    with pytest.raises(ImageError, match=r"broken\.png"):
        store([images], stored.target, StoreSettings(strict=True), add=True)


def test_a_file_that_cannot_be_read_now_is_not_remembered(images: Path, stored: Untouched, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(path: Path) -> bytes:
        raise ImageError(f"{path} cannot be read")

    shutil.rmtree(user_cache_path("uhop"))
    with monkeypatch.context() as patch:
        patch.setattr(sources, "read_bytes", gone)
        stored.check(store([images], stored.target, add=True), unchanged=9)
    forbid_reading(monkeypatch)
    with pytest.raises(AssertionError, match="is read"):
        store([images], stored.target, add=True)


def test_after_an_add_the_rest_is_known_by_its_marks(images: Path, stored: Untouched, monkeypatch: pytest.MonkeyPatch) -> None:
    picture(50).save(images / "new.png")
    (images / "img2.png").rename(images / "renamed.png")
    report = store([images], stored.target, add=True)
    assert (report.added, report.renamed, report.unchanged) == (1, 1, 8)
    forbid_reading(monkeypatch)
    assert not store([images], stored.target, add=True).written


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A memory of 40 pictures and its folder."""
    (tmp_path / "many").mkdir()
    for index in range(40):
        picture(index).save(tmp_path / "many" / f"{index}.png")
    store([tmp_path / "many"], tmp_path / "m.safetensors")
    return tmp_path / "many"


def test_a_self_test_is_kept_where_little_is_added(many: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    before = load(target).record
    picture(50).save(many / "new.png")
    report = store([many], target, add=True)
    after = load(target).record
    assert len(load(target)) == 41
    assert (after["tested"], before["tested"]) == ({"patterns": 40, "changed": 1}, {"patterns": 40, "changed": 0})
    assert (after["self_test"], after["calibration"]) == (before["self_test"], before["calibration"])
    assert any("the self-test is kept: it is that of 40 pictures" in note for note in report.notes)
    remove(target, ["new.png"])
    assert load(target).record["tested"] == {"patterns": 40, "changed": 2}
    picture(51).save(many / "newer.png")
    assert store([many], target, add=True).notes == ()  # that, and new.png again: 4 of 40 in all
    assert load(target).record["tested"] == {"patterns": 42, "changed": 0}
    assert load(target).record["calibration"] != before["calibration"]


@pytest.mark.parametrize("settings", [StoreSettings(self_test="full"), StoreSettings(seed=1)])
def test_a_self_test_is_done_again_where_it_is_asked_for_or_another(many: Path, tmp_path: Path, settings: StoreSettings) -> None:
    picture(50).save(many / "new.png")
    store([many], tmp_path / "m.safetensors", settings, add=True)
    assert load(tmp_path / "m.safetensors").record["tested"] == {"patterns": 41, "changed": 0}
    picture(51).save(many / "newer.png")
    store([many], tmp_path / "m.safetensors", settings, add=True)
    changed = 0 if settings.self_test == "full" else 1
    assert load(tmp_path / "m.safetensors").record["tested"] == {"patterns": 42 - changed, "changed": changed}
