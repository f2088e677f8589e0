"""`store --local`: what is described, what becomes of it when pictures come and go, and what it changes: nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from made_pictures import textured
from uhop_cli.errors import SettingsError
from uhop_cli.frames.local.search import LocalSearch
from uhop_cli.images.decode import decode
from uhop_cli.memory.file.reader import load, verify
from uhop_cli.storing import plan, resume
from uhop_cli.storing import store as store_module
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import remove, store

pytest.importorskip("cv2")

PLAIN = StoreSettings(self_test="off")


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(4):
        Image.fromarray(textured(seed, 240, 180)).save(folder / f"{seed}.png")
    Image.fromarray(textured(9, 99, 60)).save(folder / "small.png")
    return folder


def test_pictures_are_described_and_found(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m"
    report = store([images], target, PLAIN)
    memory = verify(target)
    counts = np.diff(memory.local.offsets)
    assert (counts[:4] > 20).all()
    assert counts.max() <= 64
    assert counts[4] == 0  # fewer than 100 pixels
    document = report.to_json()["local"]
    assert (document["pictures"], document["descriptors"]) == (4, counts.sum())
    assert document["bytes"] == memory.local.nbytes
    assert document["seconds"] > 0
    assert LocalSearch.available(memory)
    crop = decode((images / "2.png").read_bytes())
    found = LocalSearch(memory).look(replace(crop, pixels=np.ascontiguousarray(crop.pixels[30:150, 40:200]))).proposals
    assert found[0].row == 2


def test_off_changes_nothing_else(images: Path, tmp_path: Path) -> None:
    store([images], tmp_path / "on", replace(PLAIN, local="on"))
    report = store([images], tmp_path / "off", replace(PLAIN, local="off"))
    described, plain = load(tmp_path / "on"), load(tmp_path / "off")
    assert plain.local is None
    assert report.local is None
    assert not LocalSearch.available(plain)
    assert b"local" not in (tmp_path / "off").read_bytes()[:65536]
    np.testing.assert_array_equal(described.patterns, plain.patterns)
    np.testing.assert_array_equal(described.kernel.weight, plain.kernel.weight)


def test_added_pictures_are_described_as_if_they_had_been_there(images: Path, tmp_path: Path) -> None:
    """The same keypoints; directions, and with them the codes, are those of the pictures that came first."""
    store([images], tmp_path / "all", PLAIN)
    store([images / "0.png", images / "small.png", images / "1.png"], tmp_path / "m", PLAIN)
    first = (tmp_path / "m").read_bytes()
    report = store([images / "2.png", images / "3.png"], tmp_path / "m", add=True)
    everything, added = load(tmp_path / "all"), load(tmp_path / "m")
    assert report.local["pictures"] == 4
    rows = [added.entries.name_entry[added.entries.find(name)] for name in everything.entries.names()]
    for row, other in enumerate(rows):
        here, there = (slice(*memory.local.offsets[at : at + 2]) for memory, at in ((everything, row), (added, other)))
        np.testing.assert_array_equal(everything.local.places[here], added.local.places[there])
    remove(tmp_path / "m", ["2.png", "3.png"])
    assert (tmp_path / "m").read_bytes() == first


def test_changed_and_pruned_pictures(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m"
    store([images], target, PLAIN)
    before = load(target)
    Image.fromarray(textured(77, 200, 200)).save(images / "1.png")
    (images / "2.png").unlink()
    store([images], target, add=True, prune=True)
    memory = verify(target)
    assert len(memory) == 4
    changed = memory.entries.name_entry[memory.entries.find(b"images/1.png")]
    begin, end = memory.local.offsets[changed : changed + 2]
    assert end - begin > 20
    kept = memory.entries.name_entry[memory.entries.find(b"images/3.png")]
    begin, end = memory.local.offsets[kept : kept + 2]
    np.testing.assert_array_equal(
        memory.local.codes[begin:end], before.local.codes[before.local.offsets[3] : before.local.offsets[4]]
    )


def test_adding_to_a_memory_without(images: Path, tmp_path: Path) -> None:
    target = tmp_path / "m"
    store([images / "0.png"], target, replace(PLAIN, local="off"))
    store([images / "1.png"], target, add=True)
    assert load(target).local is None
    store([images / "2.png"], target, replace(PLAIN, local="on"), add=True)
    assert (np.diff(load(target).local.offsets) > 0).tolist() == [False, False, True]
    store([images / "3.png"], target, replace(PLAIN, local="off"), add=True)
    assert load(target).local is None


def test_more_than_auto_takes(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MOST_DESCRIBED", 3)
    report = store([images], tmp_path / "m", PLAIN)
    assert load(tmp_path / "m").local is None
    assert any("--local on" in note for note in report.notes)
    assert store([images], tmp_path / "on", replace(PLAIN, local="on")).local["pictures"] == 4
    monkeypatch.setattr(plan, "MOST_DESCRIBED", 4)
    assert store([images], tmp_path / "four", PLAIN).local["pictures"] == 4  # the small one does not count
    report = store([images / "3.png"], tmp_path / "m", replace(PLAIN, local="auto"), add=True, dry_run=True)
    assert report.local is None


def test_what_is_described_stays_where_auto_takes_no_more(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "MOST_DESCRIBED", 3)
    store([images / "0.png", images / "1.png"], tmp_path / "m", PLAIN)
    report = store([images / "2.png", images / "3.png"], tmp_path / "m", add=True)
    assert (np.diff(load(tmp_path / "m").local.offsets) > 0).tolist() == [True, True, False, False]
    assert any("--local on" in note for note in report.notes)


def test_without_opencv(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "installed", lambda: False)
    report = store([images], tmp_path / "m", PLAIN)
    assert report.local is None
    assert sum("opencv" in note for note in report.notes) == 1
    assert not any("opencv" in note for note in store([images], tmp_path / "off", replace(PLAIN, local="off")).notes)
    with pytest.raises(SettingsError, match="opencv"):
        store([images], tmp_path / "on", replace(PLAIN, local="on"))
    assert not (tmp_path / "on").exists()


def test_the_same_bytes_on_any_number_of_threads(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = []
    for threads in (1, 3):
        monkeypatch.setattr("uhop_cli.storing.ingest.decoding_threads", lambda threads=threads: threads)
        store([images], tmp_path / "m", PLAIN, force=True)
        contents.append((tmp_path / "m").read_bytes())
    assert contents[0] == contents[1]


def test_a_dry_run_says_how_many(images: Path, tmp_path: Path) -> None:
    with_them, without = (
        store([images], tmp_path / "m", settings, dry_run=True) for settings in (PLAIN, replace(PLAIN, local="off"))
    )
    assert any("4 pictures" in note for note in with_them.notes)
    assert with_them.bytes - without.bytes == 4 * 64 * 68
    assert not any("pictures" in note for note in without.notes)


def test_what_a_killed_run_left_is_described_all_the_same(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store([images], tmp_path / "m", PLAIN)
    expected, patterns = (tmp_path / "m").read_bytes(), {}
    memory = load(tmp_path / "m")
    for index in range(len(memory.entries)):
        patterns[memory.entries.digest(index)] = memory.patterns[memory.entries.name_entry[index]]

    class Left(resume.Recovered):
        def __call__(self, digest):
            return patterns[digest]

    monkeypatch.setattr(store_module, "recover", lambda target, spec: Left(spec, -1, 0, np.zeros(0, resume.RECORD)))
    store([images], tmp_path / "m", PLAIN, force=True)
    assert (tmp_path / "m").read_bytes() == expected
