"""What a store is going to do: told by `--dry-run`, done by the run itself."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import OutputError, ResourceError
from uhop_cli.memory.file.reader import load
from uhop_cli.storing import needs, plan
from uhop_cli.storing.needs import memory_needed
from uhop_cli.storing.plan import SPARE_DISK, check_disk, make_plan
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Six pictures of 9 x 7 pixels and a text."""
    folder = tmp_path / "images"
    folder.mkdir()
    for index in range(6):
        draw(folder / f"{index}.png", index)
    (folder / "notes.txt").write_text("no picture")
    return folder


def draw(path: Path, seed: int) -> None:
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (7, 9, 3), dtype=np.uint8)).save(path)


def test_of_a_new_memory_everything_is_new(images: Path, tmp_path: Path) -> None:
    settings = StoreSettings()
    found = make_plan([images], tmp_path / "m.safetensors", settings)
    assert (found.files, found.patterns, found.unchanged, found.changed, found.removed) == (6, 6, 0, 0, 0)
    assert found.spec.shape == (7, 9, 3)
    assert found.kept is None
    assert found.skipped == ()  # a text never was meant as an image
    assert found.needed == memory_needed(6, 189, settings)
    assert found.bytes == 6 * (189 + 64) + 4 * 6 * 189


def test_a_dry_run_says_what_the_run_then_does(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    draw(images / "2.png", 100)
    draw(images / "new.png", 101)
    draw(images / "newer.png", 102)
    (images / "5.png").unlink()
    before = target.read_bytes()
    said = store([images], target, add=True, prune=True, dry_run=True)
    assert target.read_bytes() == before
    done = store([images], target, add=True, prune=True)
    assert said.dry_run
    assert not done.dry_run
    for name in ("stored", "patterns", "added", "changed", "unchanged", "removed", "skipped", "pattern", "config"):
        assert getattr(said, name) == getattr(done, name), name
    assert (done.stored, done.added, done.changed, done.unchanged, done.removed) == (7, 2, 1, 4, 1)
    kept = make_plan([images], target, StoreSettings(), old=load(target), prune=True)
    assert (len(kept.sources), kept.unchanged, kept.files) == (0, 7, 7)


def test_a_dry_run_refuses_what_the_run_would_refuse(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    monkeypatch.setattr(needs, "available_memory", lambda: 1)
    for dry in (True, False):
        with pytest.raises(ResourceError, match="GB of memory"):
            store([images], target, force=True, dry_run=dry)
    # A kernel that is kept needs no learning.
    assert store([images], target, add=True, keep_kernel=True, dry_run=True).unchanged == 6
    monkeypatch.setattr(plan.shutil, "disk_usage", lambda path: os.statvfs_result((0,) * 10) and type("U", (), {"free": 10})())
    with pytest.raises(OutputError, match="MB are needed"):
        store([images], target, add=True, keep_kernel=True, dry_run=True)


def test_the_disk_keeps_some_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan.shutil, "disk_usage", lambda path: type("U", (), {"free": SPARE_DISK + 1000})())
    check_disk(tmp_path, 1000)
    with pytest.raises(OutputError, match=r"67\.1 MB are needed .* 67\.1 MB are free"):
        check_disk(tmp_path, 1001)


def test_a_renamed_file_takes_its_dead_name_along(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    (images / "sub").mkdir()
    (images / "2.png").rename(images / "sub" / "two.png")
    shutil.copy(images / "0.png", images / "copy.png")  # its name is not gone: a new file
    draw(images / "same-size.png", 200)
    for dry in (True, False):
        report = store([images], target, add=True, dry_run=dry)
        assert (report.renamed, report.unchanged, report.added, report.changed, report.removed) == (1, 5, 2, 0, 0)
    names = set(load(target).entries.names())
    assert b"images/sub/two.png" in names
    assert b"images/2.png" not in names
    assert {b"images/0.png", b"images/copy.png"} <= names
    assert store([images], target, add=True, prune=True).renamed == 0


def test_of_two_copies_of_a_renamed_file_one_takes_the_name(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m.safetensors"
    store([images], target)
    shutil.copy(images / "2.png", images / "copy.png")
    (images / "2.png").rename(images / "two.png")
    report = store([images], target, add=True, prune=True)
    assert (report.renamed, report.added, report.removed, report.stored, report.patterns) == (1, 1, 0, 7, 6)


@pytest.mark.parametrize("same", [True, False])
def test_a_name_in_another_unicode_form_is_no_other_name(images: Path, tmp_path: Path, same: bool) -> None:
    target = tmp_path / "m.safetensors"
    old, now = (images / unicodedata.normalize(form, "é.png") for form in ("NFD", "NFC"))  # type: ignore[arg-type]
    (images / "3.png").rename(old)
    store([images], target)
    old.rename(now)
    if not same:
        draw(now, 77)
    report = store([images], target, add=True, prune=True)
    assert (report.stored, report.added, report.removed) == (6, 0, 0)
    assert (report.renamed, report.changed) == ((1, 0) if same else (0, 1))
    assert [name for name in load(target).entries.names() if not name.isascii()] == [os.fsencode(f"images/{now.name}")]
