"""The data sets of the benchmark: pictures of one size, found on this machine or downloaded.

`sample` is part of the installation; `mnist`, `fashion-mnist`, `cifar10` and `cifar100` are looked for in the data folder
(`--data-dir`, else UHOP_DATA_DIR, else the user's cache), in the layouts that their authors and torchvision leave; any folder of
images and any `.npy` array will do as well. Only training images are used: retrieval has no test set, its queries are damaged
memories.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Float32, Int64, UInt8
from uhop_cli.errors import DatasetError, ImageError
from uhop_cli.experiments.data import formats
from uhop_cli.experiments.data.download import checksum, download
from uhop_cli.experiments.data.published import PUBLISHED, PublishedSet
from uhop_cli.experiments.data.samples import sample_data
from uhop_cli.files.names import escape
from uhop_cli.images.patterns import PatternSpec, choose_spec, to_pattern, to_vectors
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.storing.sources import collect, headers

SAMPLE = "sample"
LARGEST_ARRAY = 4 << 30  # bytes of pixels; more than any of the published sets by a factor of 25
SQUARES = {28 * 28: (28, 28, 1), 32 * 32: (32, 32, 1), 3 * 32 * 32: (32, 32, 3)}  # flat rows, as other tools leave them


@dataclass(frozen=True)
class Dataset:
    """Pictures of one size.

    Attributes:
        name: as it was asked for; for a folder or an array, the last part of its path.
        pixels: (N, H, W, C) uint8.
        digest: sha256 of the pixels that are used, in this order.
        files: published files that were read, with their MD5 sums.
        warnings: what a reader of the results ought to know.
    """

    name: str
    pixels: UInt8
    digest: str
    files: dict[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def spec(self) -> PatternSpec:
        """The pattern."""
        _, height, width, channels = self.pixels.shape
        return PatternSpec(width, height, channels)

    def __len__(self) -> int:
        return len(self.pixels)

    def vectors(self, rows: Int64) -> Float32:
        """Patterns by row, (m, d) float32 in [0, 1]."""
        return to_vectors(self.pixels[rows])


def load(name: str, data_dir: Path | None = None, progress: OnProgress | None = None) -> Dataset:
    """The data set called `name`, or the folder or `.npy` file at that path.

    Raises:
        DatasetError: it cannot be found, downloaded or used.
    """
    if name == SAMPLE:
        return _folder(sample_data() / "images", SAMPLE, progress)
    if name in PUBLISHED:
        return _published(PUBLISHED[name], data_folders(data_dir), progress)
    path = Path(name)
    if path.is_dir():
        return _folder(path, escape(path.resolve().name), progress)
    if path.suffix == ".npy":
        return _array(path)
    known = ", ".join([SAMPLE, *PUBLISHED])
    raise DatasetError(f"no data set '{escape(name)}'", f"one of {known}, a folder of images, or a .npy file")


def data_folders(data_dir: Path | None) -> list[Path]:
    """Where data sets are looked for; a download goes to the first."""
    from platformdirs import user_cache_path

    given = [] if data_dir is None else [data_dir]
    if os.environ.get("UHOP_DATA_DIR"):
        given.append(Path(os.environ["UHOP_DATA_DIR"]))
    return [*given, user_cache_path("uhop")]


def _dataset(name: str, pixels: UInt8, files: dict[str, str] | None = None, warnings: tuple[str, ...] = ()) -> Dataset:
    digest = hashlib.sha256(str(pixels.shape).encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return Dataset(name, pixels, digest.hexdigest(), files or {}, warnings)


def find(wanted: PublishedSet, folders: list[Path], progress: OnProgress | None) -> tuple[Path, list[str]]:
    """Where a published set is, and the names of its files there: in the first folder that has it, else downloaded.

    Raises:
        DatasetError: a part of it is missing, or it cannot be downloaded.
    """
    places = [folder / below for folder in folders for below in wanted.folders]
    unpacked = [file.name for file in wanted.unpacked]
    for place in places:
        if all((place / name).is_file() for name in unpacked):
            return place, unpacked
        if (place / wanted.download.name).is_file():
            return place, [wanted.download.name]
        missing = [name for name in unpacked if not (place / name).is_file()]
        if len(missing) < len(unpacked):
            raise DatasetError(f"{escape(place)} holds a part of {wanted.name} and lacks {', '.join(missing)}")
    path = download(wanted.download, places[0], wanted.mirrors, progress)
    return path.parent, [path.name]


def identify(wanted: PublishedSet, place: Path, names: Sequence[str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The MD5 sums of files of a published set, and a warning where one is not the official one.

    Raises:
        DatasetError: it is another set.
    """
    official = {file.name: file.md5 for file in (wanted.download, *wanted.unpacked, *wanted.test)}
    first = names[0]
    sums = {name: checksum(place / name) for name in names}
    strangers = [name for name in names if official[name] and sums[name] != official[name]]
    for other in PUBLISHED.values():
        if other is not wanted and any(sums[first] == file.md5 for file in (other.download, *other.unpacked)):
            raise DatasetError(f"{escape(place / first)} is {other.name}, not {wanted.name}", f"try --dataset {other.name}")
    if not strangers:
        return sums, ()
    return sums, (f"{wanted.name}: the checksum of {', '.join(strangers)} is not the official one; the results carry it",)


def _published(wanted: PublishedSet, folders: list[Path], progress: OnProgress | None) -> Dataset:
    place, names = find(wanted, folders, progress)
    sums, warnings = identify(wanted, place, names)
    first = names[0]
    if wanted.kind == "idx":
        pixels = formats.read_idx(place / first)
    elif first == wanted.download.name:
        batches = formats.read_cifar_archive(place / first, [file.name for file in wanted.unpacked], formats.cifar_batch)
        pixels = np.concatenate(batches)
    else:
        pixels = np.concatenate(formats.read_cifar(place, names, formats.cifar_batch))
    if pixels.shape[1:] != wanted.shape or len(pixels) < 2:
        raise DatasetError(f"{escape(place)}: images of {pixels.shape[1:]} are not those of {wanted.name}")
    return _dataset(wanted.name, pixels, sums, warnings)


def _folder(path: Path, name: str, progress: OnProgress | None) -> Dataset:
    """The images of a folder, each distinct pattern once."""
    sources, left_out = collect([path], path)
    try:
        spec = choose_spec(list(headers(sources, progress)))
    except ImageError as error:
        raise DatasetError(f"{escape(path)}: {error.message}", error.hint) from None
    patterns: dict[bytes, UInt8] = {}
    unreadable = len(left_out)
    for done, source in enumerate(sources, 1):
        try:
            pattern = to_pattern(source.image(source.read(), (spec.width, spec.height)), spec)
            patterns.setdefault(pattern.tobytes(), pattern)
        except ImageError:
            unreadable += 1
        if progress:
            progress(Progress("read", done, len(sources)))
    if len(patterns) < 2:
        raise DatasetError(f"{escape(path)} holds fewer than two different images")
    warnings = (f"{unreadable} files of {escape(path)} could not be read",) if unreadable else ()
    return _dataset(name, np.stack(list(patterns.values())), warnings=warnings)


def _array(path: Path) -> Dataset:
    """A `.npy` array: (N, H, W), (N, H, W, C), (N, C, H, W), or flat rows of a known size; uint8, or floats in [0, 1] or [0, 255].

    It is mapped and never unpickled.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else "no NumPy array of numbers"
        raise DatasetError(f"{escape(path)}: {reason}", "give a .npy file of images, (N, H, W) or (N, H, W, C)") from None
    layout = _layout(array.shape)
    if layout is None or 0 in array.shape or len(array) < 2:
        raise DatasetError(f"{escape(path)}: an array of shape {array.shape}", "give two images or more, (N, H, W) or (N, H, W, C)")
    if array.size > LARGEST_ARRAY:
        raise DatasetError(f"{escape(path)}: {array.size} values are too many", "give a part of it")
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise DatasetError(f"{escape(path)}: an array of {array.dtype}", "give uint8 values, or floats in [0, 1]")
    return _dataset(escape(path.stem), np.ascontiguousarray(layout(_bytes(array, path))))


def _bytes(array: NDArray[np.generic], path: Path) -> UInt8:
    if array.dtype == np.uint8:
        return np.asarray(array, np.uint8)
    values = np.asarray(array, np.float32)
    low, high = float(values.min()), float(values.max())
    if not (np.isfinite(low) and np.isfinite(high)) or low < 0 or high > 255:
        raise DatasetError(f"{escape(path)}: values from {low:g} to {high:g}", "scale the images to [0, 1]")
    return np.rint(values * (255 if high <= 1 else 1)).astype(np.uint8)


def _layout(shape: tuple[int, ...]) -> Callable[[UInt8], UInt8] | None:
    """What brings an array of this shape to (N, H, W, C)."""
    match shape:
        case (_, _, _):
            return lambda array: array[..., None]
        case (_, _, _, 1 | 3):
            return lambda array: array
        case (_, 1 | 3, _, _):
            return lambda array: array.transpose(0, 2, 3, 1)
        case (count, size) if size in SQUARES:
            height, width, channels = SQUARES[size]
            return lambda array: array.reshape(count, channels, height, width).transpose(0, 2, 3, 1)
    return None
