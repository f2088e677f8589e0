"""Multiple instance learning: bags of instances with one class a bag, from `.npz` files.

`tiger`, `fox` and `elephant` are looked for as NAME.npz in the data folder, plain or below `mil`: X (n, d) floats, the instances;
bag (n,) whole numbers, the bag of each; y (bags,), 0 or 1.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from uhop_cli.arrays.types import Float64, Int64
from uhop_cli.errors import DatasetError
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular

BAGS = {name: f"pictures with and without a {name}, 200 bags of their regions, for mil" for name in ("tiger", "fox", "elephant")}
BELOW = ("mil", ".")
LAYOUT = "arrays X (n, d), the instances, bag (n,), the bag of each, and y (bags,), 0 or 1"
LARGEST = 256 << 20  # bytes of an array


@dataclass(frozen=True)
class Bags:
    """Bags of instances.

    Attributes:
        name: of the set.
        instances: (n, d).
        bag: (n,) the bag of each instance, 0 to N - 1; none is empty.
        labels: (N,) 0 or 1.
        digest: sha256 of all of it.
    """

    name: str
    instances: Float64
    bag: Int64
    labels: Int64
    digest: str

    def __len__(self) -> int:
        return len(self.labels)


def load_bags(name: str, folders: Sequence[Path]) -> Bags:
    """The published bags called `name`, from the first of the folders that has them, or the `.npz` file at that path.

    Raises:
        DatasetError: it cannot be found or used.
    """
    if name in BAGS:
        places = [folder / below / f"{name}.npz" for folder in folders for below in BELOW]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            hint = f"put it there, or name its folder with --data-dir; {LAYOUT}"
            raise DatasetError(f"{name}.npz is not in {escape(folders[0])}", hint)
        return read_bags(found, name)
    if Path(name).suffix == ".npz":
        return read_bags(Path(name), escape(Path(name).stem))
    raise DatasetError(f"'{escape(name)}' has no bags", f"--dataset {', '.join(BAGS)}, or an .npz file with X, bag and y")


def read_bags(path: Path, name: str) -> Bags:
    """Bags from an `.npz` file; nothing is unpickled.

    Raises:
        DatasetError: it is none, or its arrays do not fit each other.
    """
    try:
        with open(open_regular(path, DatasetError), "rb") as file, zipfile.ZipFile(file) as archive:
            x, bag, y = (_array(archive, name) for name in ("X", "bag", "y"))
    except (OSError, EOFError, ValueError, KeyError, zlib.error, zipfile.BadZipFile, NotImplementedError) as error:
        raise DatasetError(f"{escape(path)}: {error}", LAYOUT) from None
    fits = x.ndim == 2 and bag.shape == x.shape[:1] and y.ndim == 1 and len(y) > 0 and x.size > 0
    if not fits or x.dtype.kind != "f" or not {bag.dtype.kind, y.dtype.kind} <= {"i", "u"}:
        raise DatasetError(f"{escape(path)}: arrays {x.shape}, {bag.shape}, {y.shape} are no bags", LAYOUT)
    if not np.isfinite(x).all() or not set(np.unique(y)) <= {0, 1} or not np.array_equal(np.unique(bag), np.arange(len(y))):
        raise DatasetError(f"{escape(path)}: values that are not finite, classes but 0 and 1, or bags without instances")
    bags = x.astype(np.float64), bag.astype(np.int64), y.astype(np.int64)
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in bags)).hexdigest()
    return Bags(name, *bags, digest)


def _array(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    """An array of an `.npz` file, which is looked at before memory is taken for it."""
    info = archive.getinfo(f"{name}.npy")
    with archive.open(info) as member:
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}.get(npy.read_magic(member))
        if read is None:
            raise ValueError(f"{name} is written in an unknown version")
        shape, _, dtype = read(member)
        if dtype.hasobject or math.prod(shape) * dtype.itemsize > min(info.file_size, LARGEST):
            raise ValueError(f"{name} has {shape} values of {dtype}, which is not what the file holds, or too much")
    with archive.open(info) as member:
        return np.asarray(npy.read_array(member, allow_pickle=False))
