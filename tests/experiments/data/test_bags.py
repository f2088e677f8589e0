"""Bags from `.npz` files, and files that only pretend to be some."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data import bags
from uhop_cli.experiments.data.bags import load_bags, read_bags

GOOD: dict[str, Any] = {
    "X": np.arange(8, dtype=np.float32).reshape(4, 2),
    "bag": np.array([1, 0, 1, 0], np.int32),
    "y": np.array([0, 1], np.int8),
}


def put(path: Path, **changes: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **{name: value for name, value in (GOOD | changes).items() if value is not None})
    return path


@pytest.mark.parametrize("below", ["mil/fox.npz", "fox.npz"])
def test_published_bags_are_found(below: str, tmp_path: Path) -> None:
    put(tmp_path / "b" / below)
    found = load_bags("fox", [tmp_path / "a", tmp_path / "b"])
    assert (found.name, len(found), found.bag.tolist(), found.labels.tolist()) == ("fox", 2, [1, 0, 1, 0], [0, 1])
    assert np.array_equal(found.instances, GOOD["X"])
    own = load_bags(str(tmp_path / "b" / below), [])
    assert own.digest == found.digest
    assert read_bags(put(tmp_path / "c.npz", y=np.array([1, 0])), "c").digest != found.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"X": None},
        {"X": np.arange(8)},
        {"X": np.arange(8.0)},
        {"X": np.full((4, 2), np.nan)},
        {"X": np.full((4, 2), None)},
        {"X": np.zeros((4, 0))},
        {"bag": np.array([0, 0, 1])},
        {"bag": np.array([0, 0, 2, 1])},
        {"bag": np.array([0, 0, 0, 0])},
        {"bag": np.array([0.0, 0, 1, 1])},
        {"y": np.array([0, 2])},
        {"y": np.array([[0, 1]])},
        {"y": np.array([0, 1, 1])},
    ],
)
def test_what_is_no_bags_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(DatasetError):
        read_bags(put(tmp_path / "a.npz", **changes), "a")


def test_files_are_bounded_and_looked_at_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path / "a.npz")
    (tmp_path / "cut.npz").write_bytes(path.read_bytes()[:-30])
    np.save(tmp_path / "one.npy", GOOD["X"])
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with zipfile.ZipFile(path) as good, zipfile.ZipFile(tmp_path / "boast.npz", "w") as boast:
        for name in ("X.npy", "bag.npy", "y.npy"):
            boast.writestr(name, good.read(name).replace(b"(4, 2)", b"(9999999999, 2)"))
    for name in ("cut.npz", "one.npz", "none.npz", "boast.npz"):
        with pytest.raises(DatasetError):
            load_bags(str(tmp_path / name), [])
    monkeypatch.setattr(bags, "LARGEST", 20)
    with pytest.raises(DatasetError, match="too much"):
        read_bags(path, "a")


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"fox\.npz is not in"):
        load_bags("fox", [tmp_path])
    with pytest.raises(DatasetError, match="'cifar10' has no bags"):
        load_bags("cifar10", [tmp_path])
