"""What is to be stored: image files, and the rows of `.npy` arrays.

A row is made into a `Source` when its turn comes, so that an array of millions costs no memory before it is read.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from uhop_cli.arrays.threads import chunks
from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape, page_name, relative_name
from uhop_cli.files.regular import open_regular
from uhop_cli.images.decode import Header, Image, decode, decoding_threads, page_count, read_bytes, read_header
from uhop_cli.images.discover import Skipped, discover
from uhop_cli.images.formats.limits import MAX_PIXELS, MAX_SIDE
from uhop_cli.images.patterns import gaps_transparent
from uhop_cli.progress import OnProgress, Progress
from uhop_cli.storing.marks import Mark

FILES_TOGETHER = 4  # handing work to a thread and taking the result holds up all threads for a moment
ROWS_TOGETHER = 256  # of an array: handing work to a thread costs as much as reading a few rows
LOOK_TOGETHER = 1024  # files whose headers are looked at between two reports


@dataclass(frozen=True)
class Source:
    """One image to store: a file, a page of a file, or one row of an array.

    Attributes:
        name: file-system bytes, relative to the memory file's folder.
        read: returns the bytes that are hashed and, with `--embed`, kept.
        header: what the header says, from these bytes.
        image: the picture, decoded from these bytes for patterns of the given size.
        costly: whether that takes so much longer than reading that it should not be done twice.
        page: of its file, from 1.
        mark: of the file, before it is read; None of what is no file, or may not be known by one.
    """

    name: bytes
    read: Callable[[], bytes]
    header: Callable[[bytes], Header]
    image: Callable[[bytes, tuple[int, int]], Image]
    costly: bool = False
    page: int = 1
    mark: Mark | None = None

    def identity(self, digest: bytes) -> bytes:
        """What tells the picture from all others: the sha256 of its file, and its page."""
        return page_name(digest, self.page)


@dataclass(frozen=True)
class Rows:
    """The images of one array.

    Attributes:
        array: (M, H, W) or (M, H, W, C), mapped.
        name: file-system bytes; row i is called name[i].
    """

    array: NDArray[np.generic]
    name: bytes

    def __len__(self) -> int:
        return len(self.array)

    @property
    def header(self) -> Header:
        """That of every row."""
        height, width = self.array.shape[1:3]
        return Header(width, height, gray=self._channels == 1, alpha=False)

    def source(self, index: int) -> Source:
        """One row."""
        return Source(self.name + b"[%d]" % index, lambda: self._pixels(index), lambda data: self.header, self._image)

    @property
    def _channels(self) -> int:
        return self.array.shape[3] if self.array.ndim == 4 else 1

    def _pixels(self, index: int) -> bytes:
        row = np.asarray(self.array[index])
        if row.dtype != np.uint8:
            if not (np.isfinite(row).all() and row.min() >= 0 and row.max() <= 1):
                raise ImageError("values outside [0, 1]", "scale the array to [0, 1], or to uint8")
            row = np.rint(row * 255).astype(np.uint8)
        return row.tobytes()

    def _image(self, data: bytes, size: tuple[int, int]) -> Image:
        return Image(np.frombuffer(data, np.uint8).reshape(*self.array.shape[1:3], self._channels), None)


@dataclass(frozen=True)
class Sources:
    """All images to store: the files, then the arrays."""

    files: Sequence[Source]
    arrays: Sequence[Rows] = ()

    def __len__(self) -> int:
        return len(self.files) + sum(len(rows) for rows in self.arrays)

    def __iter__(self) -> Iterator[Source]:
        for group in self.groups():
            yield from group

    def groups(self, most: int = ROWS_TOGETHER) -> Iterator[list[Source]]:
        """All sources in order, in groups that are worth a thread's while: a few files, or many rows; at most `most`."""
        for part in chunks(len(self.files), min(most, FILES_TOGETHER)):
            yield list(self.files[part])
        for rows in self.arrays:
            for part in chunks(len(rows), min(most, ROWS_TOGETHER)):
                yield [rows.source(index) for index in range(part.start, part.stop)]


def collect(
    paths: Sequence[str | Path],
    folder: Path,
    *,
    damaged: bool = False,
    pages: Literal["first", "all"] = "first",
    progress: OnProgress | None = None,
) -> tuple[Sources, list[Skipped]]:
    """All images that `paths` name, and those that were found but cannot be taken.

    Args:
        paths: files, folders and `.npy` arrays of shape (M, H, W) or (M, H, W, C).
        folder: where the memory file lies; names are relative to it.
        damaged: take files that are cut short as far as they go.
        pages: of a file with several pages or frames the 'first', or 'all'.
        progress: told how many files' pages have been counted.

    Raises:
        ImageError: a path that is not there.
    """
    left_out: list[Skipped] = []
    images = discover([path for path in paths if not _is_array(path)], on_skip=left_out.append)
    files = []
    for done, found in enumerate(images, 1):
        count = _pages(found.path) if pages == "all" else 1
        files += [_file(found.path, folder, damaged=damaged, page=page) for page in range(1, count + 1)]
        if progress and pages == "all":
            progress(Progress("count pages", done, len(images)))
    return Sources(files, [_rows(Path(path), folder) for path in paths if _is_array(path)]), [
        skipped for skipped in left_out if not skipped.ignored
    ]


def headers(sources: Sources, progress: OnProgress | None = None) -> Counter[Header]:
    """The headers of the sources that can be read, how often each; files that cannot are reported when they are decoded."""

    def look(source: Source) -> Header | None:
        try:
            return source.header(source.read())
        except ImageError:
            return None

    found = Counter[Header]()
    for rows in sources.arrays:
        found[rows.header] += len(rows)
    with ThreadPoolExecutor(decoding_threads()) as pool:
        for part in chunks(len(sources.files), LOOK_TOGETHER):
            found.update(header for header in pool.map(look, sources.files[part]) if header is not None)
            if progress:
                progress(Progress("look at", part.stop, len(sources.files)))
    return found


def _is_array(path: str | Path) -> bool:
    return os.fspath(path).endswith(".npy")


def _pages(path: Path) -> int:
    """How many pages or frames a file has; 1 of what cannot be read, which its decoding says."""
    try:
        return page_count(read_bytes(path))
    except ImageError:
        return 1


def _file(path: Path, folder: Path, *, damaged: bool, page: int) -> Source:
    def image(data: bytes, size: tuple[int, int]) -> Image:
        picture = decode(data, draft=size, page=page)
        if picture.flaw is not None and not damaged:
            raise ImageError(picture.flaw, "--damaged stores it as far as it goes")
        return gaps_transparent(picture)

    return Source(
        page_name(relative_name(path, folder), page),
        lambda: read_bytes(path),
        partial(read_header, page=page),
        image,
        # Else what is left of a killed run might hold pictures that the next one does not want; it tells no pages apart.
        costly=not damaged and page == 1,
        page=page,
        mark=Mark.of(path),
    )


def _rows(path: Path, folder: Path) -> Rows:
    """The images of an array: uint8, or floats in [0, 1]. The array is mapped, not loaded, and never unpickled."""
    cure = "give a .npy file of uint8 or float images, (M, H, W) or (M, H, W, C)"
    os.close(open_regular(path, ImageError, hint=cure))  # NumPy wants the name, and would wait for the writer of a pipe
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # its header is a Python literal, of which a damaged one raises nearly anything
        raise ImageError(f"{escape(path)}: not a NumPy array of numbers", cure) from None
    if isinstance(array, NpzFile):  # an archive of arrays under the name of one
        raise ImageError(f"{escape(path)}: an archive of arrays", "unpack it, and give the array that holds the images")
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3)) or 0 in array.shape:
        raise ImageError(
            f"{escape(path)}: an array of shape {array.shape}", "give images as (M, H, W), (M, H, W, 1) or (M, H, W, 3)"
        )
    if array.dtype != np.uint8 and not np.issubdtype(array.dtype, np.floating):
        raise ImageError(f"{escape(path)}: an array of {array.dtype}", "give uint8 values, or floats in [0, 1]")
    height, width = array.shape[1:3]
    if height * width > MAX_PIXELS or max(height, width) > MAX_SIDE:
        raise ImageError(f"{escape(path)}: too large: {width} x {height} pixels", f"the limit is {MAX_PIXELS // 10**6} megapixels")
    return Rows(array, relative_name(path, folder))
