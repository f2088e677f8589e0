"""CIFAR with its classes, found as its pictures are."""

from __future__ import annotations

import io
import pickle
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data import labelled
from uhop_cli.experiments.data.formats import labelled_cifar_batch
from uhop_cli.experiments.data.labelled import load_labelled
from uhop_cli.experiments.data.published import PUBLISHED

ROWS = np.random.default_rng(0).integers(0, 256, (12, 3072), dtype=np.uint8)


def batch(begin: int, end: int, name: str = "labels") -> bytes:
    return pickle.dumps({"data": ROWS[begin:end], name: list(range(begin, end)), "coarse_labels": [0] * (end - begin)}, 2)


@pytest.fixture(autouse=True)
def _nothing_else_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UHOP_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    unreachable = {name: replace(one, mirrors=("http://127.0.0.1:9/",)) for name, one in PUBLISHED.items()}
    monkeypatch.setattr(labelled, "PUBLISHED", unreachable)


def put(folder: Path) -> None:
    folder.mkdir(parents=True)
    for index in range(5):
        (folder / f"data_batch_{index + 1}").write_bytes(batch(2 * index, 2 * index + 2))


def test_cifar_has_training_and_test_pictures(tmp_path: Path) -> None:
    put(tmp_path / "cifar-10-batches-py")
    with pytest.raises(DatasetError, match="lacks test_batch"):
        load_labelled("cifar10", tmp_path)
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(batch(10, 12))
    found = load_labelled("cifar10", tmp_path)
    assert found.train.labels.tolist() == list(range(10))
    assert found.test.labels.tolist() == [10, 11]
    assert found.classes == 12
    assert len(found.train) == 10
    pixels = np.concatenate([found.train.pixels, found.test.pixels])
    assert np.array_equal(pixels.transpose(0, 3, 1, 2).reshape(12, -1), ROWS)
    assert set(found.files) == {*(f"data_batch_{index}" for index in range(1, 6)), "test_batch"}
    assert "test_batch" in found.warnings[0]
    digest = found.digest
    (tmp_path / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({"data": ROWS[10:12], "labels": [10, 9]}, 2))
    assert load_labelled("cifar10", tmp_path).digest != digest


def test_an_archive_has_them_too(tmp_path: Path) -> None:
    (tmp_path / "cifar100").mkdir()
    with tarfile.open(tmp_path / "cifar100" / "cifar-100-python.tar.gz", "w:gz") as tar:
        for name, data in (("test", batch(8, 12, "fine_labels")), ("train", batch(0, 8, "fine_labels"))):
            member = tarfile.TarInfo(f"cifar-100-python/{name}")
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    found = load_labelled("cifar100", tmp_path)
    assert (found.train.labels.tolist(), found.test.labels.tolist()) == (list(range(8)), [8, 9, 10, 11])


@pytest.mark.parametrize(
    "content",
    [
        {"data": ROWS[:2]},
        {"data": ROWS[:2], "labels": [0]},
        {"data": ROWS[:2], "labels": [0, -1]},
        {"data": ROWS[:2], "labels": [0, 1000]},
        {"data": ROWS[:2], "labels": [0, True]},
        {"data": ROWS[:2], "labels": "ab"},
        {"labels": [0, 1]},
        [0],
    ],
)
def test_a_batch_without_classes_is_refused(content: Any) -> None:
    with pytest.raises(DatasetError):
        labelled_cifar_batch(pickle.dumps(content, 2), "batch")


def test_what_has_no_classes_is_told(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="'mnist' has no classes"):
        load_labelled("mnist", tmp_path)
    with pytest.raises(DatasetError, match="cannot be downloaded"):
        load_labelled("cifar10", tmp_path)
