"""Finding and reading data sets."""

from __future__ import annotations

import gzip
import hashlib
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data import datasets
from uhop_cli.experiments.data.datasets import load
from uhop_cli.experiments.data.published import PUBLISHED

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 28, 28), dtype=np.uint8)
IDX = struct.pack(">IIII", 0x803, 3, 28, 28) + IMAGES.tobytes()


@pytest.fixture(autouse=True)
def _nothing_else_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UHOP_DATA_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    unreachable = {name: replace(one, mirrors=("http://127.0.0.1:9/",)) for name, one in PUBLISHED.items()}
    monkeypatch.setattr(datasets, "PUBLISHED", unreachable)


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("below", ["mnist/{}.gz", "MNIST/raw/{}", "{}.gz", "MNIST/raw/{}.gz"])
def test_mnist_is_found_in_the_layouts_of_other_tools(tmp_path: Path, below: str) -> None:
    data = gzip.compress(IDX) if below.endswith("gz") else IDX
    path = put(tmp_path / below.format("train-images-idx3-ubyte"), data)
    dataset = load("mnist", tmp_path)
    assert np.array_equal(dataset.pixels[..., 0], IMAGES)
    assert dataset.files == {path.name: hashlib.md5(data, usedforsecurity=False).hexdigest()}
    assert "not the official one" in dataset.warnings[0]  # it is consistent, so it is used, and that is said


def test_the_environment_names_a_folder_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "a" / "mnist" / "train-images-idx3-ubyte", IDX)
    monkeypatch.setenv("UHOP_DATA_DIR", str(tmp_path / "a"))
    assert len(load("mnist")) == 3
    assert len(load("mnist", tmp_path / "b")) == 3  # an explicit folder without it does not hide it


def test_a_file_with_the_official_checksum_needs_no_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path / "mnist" / "train-images-idx3-ubyte", IDX)
    plain = replace(PUBLISHED["mnist"].unpacked[0], md5=hashlib.md5(IDX, usedforsecurity=False).hexdigest())
    known = {**PUBLISHED, "mnist": replace(PUBLISHED["mnist"], unpacked=(plain,))}
    monkeypatch.setattr(datasets, "PUBLISHED", known)
    assert load("mnist", tmp_path).warnings == ()
    put(tmp_path / "fashion-mnist" / "train-images-idx3-ubyte", IDX)
    with pytest.raises(DatasetError, match="is mnist, not fashion-mnist"):
        load("fashion-mnist", tmp_path)


def test_cifar_needs_all_its_batches(tmp_path: Path) -> None:
    rows = np.arange(2 * 3072, dtype=np.uint32).astype(np.uint8).reshape(2, 3072)
    for index in range(1, 5):
        put(tmp_path / "cifar-10-batches-py" / f"data_batch_{index}", pickle.dumps({"data": rows}, 2))
    with pytest.raises(DatasetError, match="lacks data_batch_5"):
        load("cifar10", tmp_path)
    put(tmp_path / "cifar-10-batches-py" / "data_batch_5", pickle.dumps({"data": rows}, 2))
    assert load("cifar10", tmp_path).pixels.shape == (10, 32, 32, 3)
    put(tmp_path / "cifar100" / "cifar-100-python" / "train", pickle.dumps({"data": rows}, 2))
    assert load("cifar100", tmp_path).pixels.shape == (2, 32, 32, 3)


def test_offline_one_line_says_what_to_put_where(tmp_path: Path) -> None:
    with pytest.raises(DatasetError) as caught:
        load("cifar10", tmp_path)
    assert caught.value.hint is not None
    assert "cifar-10-python.tar.gz (MD5 c58f30108f718f92721af3b95e74349a)" in caught.value.hint
    assert str(tmp_path / "cifar-10-batches-py") in caught.value.hint


@pytest.mark.parametrize(
    ("shape", "result"),
    [
        ((5, 8, 6), (5, 8, 6, 1)),
        ((5, 8, 6, 3), (5, 8, 6, 3)),
        ((5, 8, 6, 1), (5, 8, 6, 1)),
        ((5, 3, 8, 6), (5, 8, 6, 3)),
        ((5, 784), (5, 28, 28, 1)),
        ((5, 3072), (5, 32, 32, 3)),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_arrays_as_other_tools_leave_them(tmp_path: Path, shape: tuple[int, ...], result: tuple[int, ...], dtype: type) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    np.save(tmp_path / "a.npy", values if dtype is np.uint8 else (values / 255).astype(dtype))
    dataset = load(str(tmp_path / "a.npy"))
    assert dataset.pixels.shape == result
    assert np.array_equal(np.sort(dataset.pixels, axis=None), np.sort(values, axis=None))
    if shape == (5, 3, 8, 6):
        assert np.array_equal(dataset.pixels[1, 2, 3], values[1, :, 2, 3])


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((1, 4, 4), np.uint8),
        np.zeros((5, 4, 4), np.int64),
        np.full((5, 4, 4), np.nan),
        np.full((5, 4, 4), 300.0),
        np.full((5, 4, 4), -1.0),
        np.zeros((5, 7), np.uint8),
        np.zeros((5, 0, 4), np.uint8),
        np.array([{}, {}], object),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path: Path, array: np.ndarray) -> None:
    np.save(tmp_path / "a.npy", array, allow_pickle=True)
    with pytest.raises(DatasetError):
        load(str(tmp_path / "a.npy"))


def test_a_folder_gives_each_distinct_image_once(tmp_path: Path) -> None:
    for name, value in (("a", 10), ("b", 10), ("c", 20)):
        Image.new("RGB", (9, 7), (value, 0, 0)).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"no png")
    dataset = load(str(tmp_path))
    assert dataset.pixels.shape == (2, 7, 9, 3)
    assert "1 files" in dataset.warnings[0]
    (tmp_path / "c.png").unlink()
    with pytest.raises(DatasetError, match="fewer than two"):
        load(str(tmp_path))


def test_the_sample_set_is_there_and_the_digest_is_that_of_the_pixels() -> None:
    dataset = load("sample")
    assert len(dataset) >= 20
    assert dataset.digest == load("sample").digest
    assert dataset.vectors(np.arange(3)).shape == (3, dataset.spec.dim)


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(DatasetError) as caught:
        load("no-such-set")
    assert "fashion-mnist" in str(caught.value.hint)
