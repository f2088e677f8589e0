"""Pictures with classes, for training and for testing: CIFAR, Tiny ImageNet, and folders of one's own, one folder a class."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.errors import DatasetError
from uhop_cli.experiments.data import class_folders, datasets, formats
from uhop_cli.experiments.data.class_folders import Labelled
from uhop_cli.experiments.data.published import PUBLISHED, TINY_IMAGENET, PublishedSet
from uhop_cli.files.names import escape
from uhop_cli.progress import OnProgress

CIFAR = ("cifar10", "cifar100")
NAMES = (*CIFAR, TINY_IMAGENET.name)


@dataclass(frozen=True)
class LabelledSet:
    """Pictures of one size with their classes.

    Attributes:
        name: as it was asked for; of a folder, the last part of its path.
        train, test: pictures and classes.
        digest: sha256 of all pixels and classes, in this order.
        files: published files that were read, with their MD5 sums.
        warnings: what a reader of the results ought to know.
    """

    name: str
    train: Labelled
    test: Labelled
    digest: str
    files: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def classes(self) -> int:
        """How many there are: the classes are numbered from 0."""
        return 1 + int(max(self.train.labels.max(), self.test.labels.max()))


def load_labelled(name: str, data_dir: Path | None = None, progress: OnProgress | None = None) -> LabelledSet:
    """The set called `name`, or the folder at that path.

    Raises:
        DatasetError: it cannot be found, downloaded or used.
    """
    folders = datasets.data_folders(data_dir)
    if name in CIFAR:
        return _cifar(PUBLISHED[name], folders, progress)
    if name == TINY_IMAGENET.name:
        place, names = datasets.find(TINY_IMAGENET, folders, progress)
        packed = names == [TINY_IMAGENET.download.name]
        train, test = class_folders.tiny_imagenet(place / names[0] if packed else place, progress)
        sums, warnings = datasets.identify(TINY_IMAGENET, place, names)
        return _set(name, train, test, sums, warnings)
    path = Path(name)
    if path.is_dir():
        train, test, warnings = class_folders.read(path, progress)
        return _set(escape(path.resolve().name), train, test, {}, warnings)
    raise DatasetError(
        f"'{escape(name)}' has no classes", f"--dataset {', '.join(NAMES)}, or a folder with one of pictures a class"
    )


def _set(name: str, train: Labelled, test: Labelled, files: dict[str, str], warnings: tuple[str, ...]) -> LabelledSet:
    digest = hashlib.sha256()
    for part in (train, test):
        digest.update(str(part.pixels.shape).encode())
        digest.update(np.ascontiguousarray(part.pixels).data)
        digest.update(np.ascontiguousarray(part.labels).data)
    return LabelledSet(name, train, test, digest.hexdigest(), files, warnings)


def _cifar(wanted: PublishedSet, folders: list[Path], progress: OnProgress | None) -> LabelledSet:
    place, names = datasets.find(wanted, folders, progress)
    test = [file.name for file in wanted.test]
    if names == [wanted.download.name]:
        every = [file.name for file in wanted.unpacked] + test
        batches = formats.read_cifar_archive(place / names[0], every, formats.labelled_cifar_batch)
    else:
        missing = [file for file in test if not (place / file).is_file()]
        if missing:
            raise DatasetError(f"{escape(place)} holds a part of {wanted.name} and lacks {', '.join(missing)}")
        names = names + test
        batches = formats.read_cifar(place, names, formats.labelled_cifar_batch)
    sums, warnings = datasets.identify(wanted, place, names)
    return _set(wanted.name, _joined(batches[: -len(test)]), _joined(batches[-len(test) :]), sums, warnings)


def _joined(batches: Sequence[tuple[UInt8, Int64]]) -> Labelled:
    return Labelled(np.concatenate([pixels for pixels, _ in batches]), np.concatenate([labels for _, labels in batches]))
