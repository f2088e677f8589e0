"""Pictures in folders, one a class, and Tiny ImageNet in a folder or its archive."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data import class_folders
from uhop_cli.experiments.data.labelled import load_labelled

COLOURS = {"birds": (255, 0, 0), "cats": (0, 255, 0)}


def put(path: Path, colour: tuple[int, int, int], side: int = 40) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (side, side), colour).save(path)


def test_every_fifth_picture_is_for_the_test(tmp_path: Path) -> None:
    for name, colour in COLOURS.items():
        for index in range(11):
            put(tmp_path / name / f"{index:02d}.png", (*colour[:2], 10 * index))
    (tmp_path / "cats" / "broken.png").write_bytes((tmp_path / "cats" / "00.png").read_bytes()[:60])
    found = load_labelled(str(tmp_path))
    assert found.name == tmp_path.name
    assert found.train.pixels.shape == (18, 32, 32, 3)
    assert found.train.labels.tolist() == [0] * 9 + [1] * 9
    assert found.test.labels.tolist() == [0, 0, 1, 1]
    assert found.test.pixels[:, 0, 0].tolist() == [[255, 0, 40], [255, 0, 90], [0, 255, 40], [0, 255, 90]]
    assert found.train.pixels[:, 0, 0, 2].tolist() == [0, 10, 20, 30, 50, 60, 70, 80, 100] * 2
    assert "1 files" in found.warnings[0]


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_split_that_is_there_stays(name: str, tmp_path: Path) -> None:
    for label, colour in COLOURS.items():
        for index in range(6):
            put(tmp_path / "train" / label / f"{index}.png", colour)
        put(tmp_path / name / label / "1.png", colour)
    train, test, warnings = class_folders.read(tmp_path)
    assert (train.labels.tolist(), test.labels.tolist(), warnings) == ([0] * 6 + [1] * 6, [0, 1], ())


def test_folders_without_classes_are_refused(tmp_path: Path) -> None:
    put(tmp_path / "a" / "1.png", (1, 2, 3))
    with pytest.raises(DatasetError, match="has 1 folders"):
        class_folders.read(tmp_path)
    put(tmp_path / "b" / "1.png", (1, 2, 3))
    with pytest.raises(DatasetError, match="fewer than two classes have test pictures"):
        class_folders.read(tmp_path)


def tiny(root: Path, annotations: str = "v0.JPEG\tn02\t0\t0\t9\t9\nv1.JPEG\tn01\t0\t0\t9\t9\n") -> Path:
    for index, wnid in enumerate(("n01", "n02")):
        for number in range(3):
            put(root / "train" / wnid / "images" / f"{wnid}_{number}.JPEG", (200 * index, 50, 10 * number), 64)
        (root / "train" / wnid / f"{wnid}_boxes.txt").write_text("x")
        put(root / "val" / "images" / f"v{index}.JPEG", (0, 99, 0), 64)
    put(root / "test" / "images" / "t0.JPEG", (0, 0, 0), 64)
    (root / "val" / "val_annotations.txt").write_text(annotations)
    return root


def packed(root: Path, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, f"tiny-imagenet-200/{file.relative_to(root)}")
    return path


@pytest.mark.parametrize("archive", [False, True])
def test_tiny_imagenet_is_read_as_published(archive: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "data" / "tiny-imagenet-200"
    root = tiny(tmp_path / "unpacked" if archive else folder)
    if archive:
        folder.mkdir(parents=True)
        packed(root, folder / "tiny-imagenet-200.zip")
    found = load_labelled("tiny-imagenet", tmp_path / "data")
    assert found.train.pixels.shape == (6, 64, 64, 3)
    assert found.train.labels.tolist() == [0, 0, 0, 1, 1, 1]
    assert found.test.labels.tolist() == [1, 0]
    assert np.abs(found.train.pixels[4, 9, 9].astype(int) - [200, 50, 10]).max() <= 3
    assert len(found.files) == 1


@pytest.mark.parametrize(
    ("annotations", "words"),
    [("v0.JPEG\tn03\n", "missing, or of no class"), ("v7.JPEG\tn01\n", "missing, or of no class"), ("", "not laid out as")],
)
def test_a_list_that_does_not_fit_is_refused(annotations: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=words):
        class_folders.tiny_imagenet(tiny(tmp_path, annotations))


def test_a_damaged_or_boastful_archive_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tiny(tmp_path / "unpacked"), tmp_path / "a.zip")
    (tmp_path / "cut.zip").write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DatasetError, match="damaged"):
        class_folders.tiny_imagenet(tmp_path / "cut.zip")
    (tmp_path / "unpacked" / "train" / "n01" / "images" / "n01_0.JPEG").write_bytes(b"no picture")
    with pytest.raises(DatasetError, match="n01_0"):
        class_folders.tiny_imagenet(tmp_path / "unpacked")
    (tmp_path / "unpacked" / "val" / "val_annotations.txt").unlink()
    with pytest.raises(DatasetError, match="lacks val"):
        class_folders.tiny_imagenet(tmp_path / "unpacked")
    monkeypatch.setattr(class_folders, "MOST_BYTES", 20)
    with pytest.raises(DatasetError, match="larger than it should be"):
        class_folders.tiny_imagenet(path)
