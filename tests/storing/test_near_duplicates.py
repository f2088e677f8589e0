"""Near-duplicates: proposed by their patterns, told by their originals, kept in the file, answered as one picture."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import MemoryFileError
from uhop_cli.images.warp import area, warp
from uhop_cli.memory.file.reader import load, save
from uhop_cli.memory.memory import Memory
from uhop_cli.memory.near import DIFFERENT, UNSEEN, VERIFIED, NearPairs
from uhop_cli.memory.originals import OriginalFiles
from uhop_cli.querying.restorer import Restorer
from uhop_cli.storing import near_duplicates
from uhop_cli.storing.near_duplicates import looked_at, pairs_to_look_at, propose
from uhop_cli.storing.settings import StoreSettings
from uhop_cli.storing.store import store


def photo(seed: int) -> np.ndarray:
    draws = np.random.default_rng(seed)
    plane = np.zeros((160, 160, 3))
    for cells, weight in ((3, 50), (8, 40), (20, 40), (100, 40)):
        for channel in range(3):
            plane[..., channel] += weight * area(draws.uniform(-1, 1, (cells, cells)).astype(np.float32), 160, 160)
    return np.clip(128 + plane, 0, 255).round().astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures; of 0 a copy as JPEG, of 1 a smaller one, of 2 another shot by a camera moved by 1%."""
    path = tmp_path_factory.mktemp("near")
    (path / "i").mkdir()
    for seed in range(6):
        Image.fromarray(photo(seed)).save(path / "i" / f"{seed}.png")
    Image.fromarray(photo(0)).save(path / "i" / "0-copy.jpg", quality=80)
    Image.fromarray(photo(1)).resize((120, 120)).save(path / "i" / "1-small.png")
    moved = warp(np.moveaxis(photo(2), 2, 0).astype(np.float32), np.array([[1, 0, 0.01], [0, 1, 0]]), 160, 160, 2)
    Image.fromarray(np.moveaxis(moved, 0, 2).round().astype(np.uint8)).save(path / "i" / "2-moved.png")
    store([path / "i"], path / "off.safetensors", StoreSettings(self_test="off"))
    return path


def named(memory: Memory, near: NearPairs) -> dict[tuple[str, ...], int]:
    names = [tuple(sorted(memory.name(row).decode()[2:] for row in pair)) for pair in near.pairs.tolist()]
    return dict(zip(names, near.verified.tolist(), strict=True))


ONE = {("0-copy.jpg", "0.png"): VERIFIED, ("1-small.png", "1.png"): VERIFIED, ("2-moved.png", "2.png"): DIFFERENT}


def test_pairs_are_proposed_and_told_apart(folder: Path) -> None:
    memory = load(folder / "off.safetensors")
    assert named(memory, memory.near) == dict.fromkeys(ONE, UNSEEN), "no self-test: nobody looked"
    assert memory.record["calibration"] == {}
    steps = []
    originals = OriginalFiles(memory, folder / "off.safetensors")
    found = looked_at(memory.near, memory, originals, progress=steps.append)
    assert named(memory, found) == ONE
    assert [(step.done, step.total) for step in steps] == [(1, 3), (2, 3), (3, 3)]
    some = looked_at(memory.near, memory, originals, 1)
    assert list(some.verified) == [VERIFIED, UNSEEN, UNSEEN], "the most alike first"
    assert list(looked_at(some, memory, originals).verified) == list(found.verified)
    gone = looked_at(memory.near, memory, OriginalFiles(memory, folder / "nowhere" / "off.safetensors"))
    assert set(gone.verified) == {UNSEEN}


def test_proposals_by_hand(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against all pairs, one by one."""
    memory = load(folder / "off.safetensors")
    rows = memory.patterns.reshape(len(memory), -1).astype(float)
    expected = {}
    for first in range(len(memory)):
        for second in range(first + 1, len(memory)):
            alike = np.corrcoef(rows[first], rows[second])[0, 1]
            if alike >= near_duplicates.LEAST:
                expected[first, second] = alike
    order = sorted(expected, key=lambda pair: -expected[pair])
    assert [tuple(pair) for pair in memory.near.pairs.tolist()] == order
    monkeypatch.setattr(near_duplicates, "CHUNK", 2)
    np.testing.assert_array_equal(propose(memory).pairs, memory.near.pairs)
    monkeypatch.setattr(near_duplicates, "MOST_MEMORIES", len(memory) - 1)
    assert propose(memory).pairs.shape == (0, 2)


def test_how_many_are_looked_at() -> None:
    assert [pairs_to_look_at(count) for count in (1, 40, 4000)] == [8, 9, 108]


def test_one_picture_is_answered_under_all_its_names(folder: Path) -> None:
    memory = load(folder / "off.safetensors")
    near = looked_at(memory.near, memory, OriginalFiles(memory, folder / "off.safetensors"))
    save(replace(memory, near=near), folder / "told.safetensors")
    assert named(load(folder / "told.safetensors"), load(folder / "told.safetensors").near) == ONE
    result = Restorer(folder / "told.safetensors").restore(folder / "i" / "0.png")
    assert result.to_json()["match"]["also"] == ["i/0-copy.jpg"]
    assert Restorer(folder / "told.safetensors").restore(folder / "i" / "2.png").to_json()["match"]["also"] == []
    kept = load(folder / "told.safetensors").without([b"i/0.png"])
    assert set(named(kept, kept.near)) == set(ONE) - {("0-copy.jpg", "0.png")}


@pytest.mark.parametrize(
    ("pairs", "verified", "words"),
    [
        ([[1, 1]], [1], "none of two memories"),
        ([[3, 2]], [1], "none of two memories"),
        ([[-1, 2]], [1], "none of two memories"),
        ([[0, 99]], [1], "none of two memories"),
        ([[0, 1]], [2], "other than"),
        ([[0, 1]], [-2], "other than"),
        ([[0, 1]], [1, 1], "is due"),
    ],
)
def test_pairs_that_are_none_are_refused(folder: Path, tmp_path: Path, pairs: list, verified: list, words: str) -> None:
    memory = load(folder / "off.safetensors")
    near = NearPairs(np.array(pairs, np.int64), np.array(verified, np.int8))
    with pytest.raises(MemoryFileError, match=words):
        save(replace(memory, near=near), tmp_path / "m.safetensors")
