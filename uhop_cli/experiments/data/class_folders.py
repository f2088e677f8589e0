"""Pictures in folders, one folder a class, and Tiny ImageNet, which is nearly that.

class/picture.jpg                         every fifth picture of a class, by name, is for the test
train/class/picture.jpg, test/class/..    or val/, validation/: as it stands there
train/WNID/images/*.JPEG, val/images/*.JPEG, val/val_annotations.txt      Tiny ImageNet, unpacked or in its archive
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from uhop_cli.arrays.types import Int64, UInt8
from uhop_cli.errors import DatasetError, ImageError
from uhop_cli.files.names import escape
from uhop_cli.images.decode import decode, read_bytes
from uhop_cli.images.patterns import PatternSpec, to_pattern
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.storing.sources import collect

OWN, TINY = PatternSpec(32, 32, 3), PatternSpec(64, 64, 3)
TESTS = ("test", "val", "validation")  # names of a folder for the test beside `train`
ANNOTATIONS = "val/val_annotations.txt"
HELD_OUT = 5  # one picture of so many is for the test, where there is no such folder
MOST_CLASSES = 1000
MOST_BYTES = 1 << 20  # of one picture or list in the archive of Tiny ImageNet; the largest has 12 kB, the list 400 kB


@dataclass(frozen=True)
class Labelled:
    """Pictures, (N, H, W, C) uint8, and their classes, (N,), numbered from 0."""

    pixels: UInt8
    labels: Int64

    def __len__(self) -> int:
        return len(self.labels)


def read(path: Path, progress: OnProgress | None = None) -> tuple[Labelled, Labelled, tuple[str, ...]]:
    """Pictures for training and for testing at 32 x 32 in colour, and warnings.

    Raises:
        DatasetError: there are no two classes with pictures, or too many.
    """
    tests = [path / name for name in TESTS if (path / name).is_dir()]
    split = (path / "train").is_dir() and bool(tests)
    names = sorted(place.name for place in (path / "train" if split else path).iterdir() if place.is_dir())
    if not 2 <= len(names) <= MOST_CLASSES:
        raise DatasetError(f"{escape(path)} has {len(names)} folders of pictures", f"one a class, 2 to {MOST_CLASSES}")
    unreadable: list[bool] = []
    parts: list[list[tuple[UInt8, int]]] = [[], []]
    for label, name in enumerate(names):
        places = [path / "train" / name, tests[0] / name] if split else [path / name]
        found = [list(_pictures(place, unreadable)) if place.is_dir() else [] for place in places]
        if not split:
            held_out = found[0][HELD_OUT - 1 :: HELD_OUT]
            found = [[one for index, one in enumerate(found[0], 1) if index % HELD_OUT], held_out]
        for part, some in zip(parts, found, strict=True):
            part += [(pattern, label) for pattern in some]
        if progress:
            progress(Progress("read", label + 1, len(names)))
    for part, what in zip(parts, ("training", "test"), strict=True):
        if len({label for _, label in part}) < 2:
            few = f"{escape(path)}: fewer than two classes have {what} pictures"
            raise DatasetError(few, f"give {HELD_OUT} pictures a class, or more")
    warnings = (f"{len(unreadable)} files of {escape(path)} could not be read",) if unreadable else ()
    return _stacked(parts[0]), _stacked(parts[1]), warnings


def tiny_imagenet(path: Path, progress: OnProgress | None = None) -> tuple[Labelled, Labelled]:
    """Training and validation pictures of Tiny ImageNet, 64 x 64 in colour; its test pictures have no published classes.

    Args:
        path: its folder, or its archive.
        progress: told how many pictures are read.

    Raises:
        DatasetError: it is not laid out as published, or a picture is damaged.
    """
    parts: tuple[list[tuple[UInt8, int]], list[tuple[UInt8, int]]] = ([], [])
    with _files(path) as files:
        if ANNOTATIONS not in files:
            raise DatasetError(f"{escape(path)} lacks {ANNOTATIONS} of Tiny ImageNet")
        pieces = [(name, name.split("/")) for name in files]
        wanted = [(name, piece[1], 0) for name, piece in pieces if len(piece) == 4 and (piece[0], piece[2]) == ("train", "images")]
        classes = {wnid: label for label, wnid in enumerate(sorted({wnid for _, wnid, _ in wanted}))}
        for line in files[ANNOTATIONS]().decode("ascii", "replace").splitlines():
            name, wnid = [*line.split("\t"), ""][:2]
            wanted.append((f"val/images/{name}", wnid, 1))
        for done, (name, wnid, part) in enumerate(wanted, 1):
            if wnid not in classes or name not in files:
                raise DatasetError(f"{escape(path)}: {escape(name)} is missing, or of no class", "unpack it again")
            try:
                parts[part].append((to_pattern(decode(files[name]()), TINY), classes[wnid]))
            except ImageError as error:
                raise DatasetError(f"{escape(path)}: {escape(name)}: {error.message}", error.hint) from None
            if progress and done % 100 == 0:
                progress(Progress("read", done, len(wanted)))
    if len(classes) < 2 or not all(parts):
        raise DatasetError(f"{escape(path)} is not laid out as Tiny ImageNet is", "train/WNID/images, val/images")
    return _stacked(parts[0]), _stacked(parts[1])


def _pictures(place: Path, unreadable: list[bool]) -> Iterator[UInt8]:
    """The patterns of a folder, by name; each file that cannot be read adds to `unreadable`."""
    sources, left_out = collect([place], place)
    unreadable += [True] * len(left_out)
    for source in sources:
        try:
            yield to_pattern(source.image(source.read(), (OWN.width, OWN.height)), OWN)
        except ImageError:
            unreadable.append(True)


def _stacked(part: Sequence[tuple[UInt8, int]]) -> Labelled:
    return Labelled(np.stack([pattern for pattern, _ in part]), np.array([label for _, label in part], np.int64))


@contextmanager
def _files(path: Path) -> Iterator[dict[str, Callable[[], bytes]]]:
    """What reads each file below the folder of Tiny ImageNet, by its name; nothing of an archive is unpacked to the disk."""
    if path.is_dir():
        yield {file.relative_to(path).as_posix(): partial(read_bytes, file) for file in sorted(path.rglob("*")) if file.is_file()}
        return
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(archive.NameToInfo.values(), key=lambda member: member.filename)
            yield {
                member.filename.partition("/")[2]: partial(_unpacked, archive, member, path)
                for member in members
                if not member.is_dir()
            }
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise DatasetError(f"{escape(path)} is damaged: {error}", "remove it, so that it is downloaded again") from None


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    with archive.open(member) as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise DatasetError(f"{escape(path)}: {escape(member.filename)} is larger than it should be")
    return data
