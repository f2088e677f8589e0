"""Bytes of an image file -> 8-bit RGB or grey pixels, and alpha.

Only the formats of `formats` reach a decoder, each through its own Pillow plug-in, imported when first needed. Sizes are checked
in the header, before anything is allocated for the pixels. Nothing here changes global state after import, so any number of
threads may decode; pictures above `LARGE_PIXELS` are decoded one at a time, which bounds the memory.
"""

from __future__ import annotations

import os
import threading
from contextlib import nullcontext
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from uhop_cli.arrays.resources import available_memory
from uhop_cli.arrays.types import Bool, UInt8
from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular
from uhop_cli.images.cut_short import Part, closed, ends_early, interlaced, part_of, sound, spread
from uhop_cli.images.formats.limits import MAX_PIXELS, check_size
from uhop_cli.images.formats.opening import AGAIN, WHOLE_ONLY, opened, recognised, refusing
from uhop_cli.images.formats.pages import pages
from uhop_cli.images.formats.signatures import Format
from uhop_cli.images.modes import gray_mode, to_arrays
from uhop_cli.images.orientation import orientation, upright, upright_axes
from uhop_cli.images.resample import Axis

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage
    from PIL.ImageFile import ImageFile


MAX_FILE_BYTES = 256 << 20
LARGE_PIXELS = 16_000_000
MAX_PAGED_PIXELS = 2_000_000_000  # of all frames up to the one that is wanted: some seconds of work

# A picture is handed out at no less than so many times the draft size on either side: JPEG's own reduction, which halves the time,
# is closer to the mean over a block than what comes of other reductions. tests/acceptance/reduced.py shows what either costs.
_DRAFT_MARGIN = 6
_REDUCE_MARGIN = 8

_large = threading.Lock()


@dataclass(frozen=True)
class Image:
    """A decoded picture, upright.

    Attributes:
        pixels: (H, W, 3) RGB or (H, W, 1) grey, uint8, not premultiplied.
        alpha: (H, W) uint8, 255 opaque; None where all is opaque.
        axes: where rows and columns lie in the original, of which this may be a reduction; None if it is not.
        missing: (H, W) which pixels are not in the file, as it ends too early; their values are arbitrary. None: all are there.
        flaw: what is wrong with a file that ends too early, in a few words; None where nothing is.
        pages: frames or pages in the file, of which this is one.
    """

    pixels: UInt8
    alpha: UInt8 | None
    axes: tuple[Axis, Axis] | None = None
    missing: Bool | None = None
    flaw: str | None = None
    pages: int = 1

    @property
    def width(self) -> int:
        """Columns."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows."""
        return int(self.pixels.shape[0])


@dataclass(frozen=True)
class Header:
    """What the header of an image file says.

    Attributes:
        width: columns of the upright picture, after the EXIF orientation.
        height: rows of the upright picture.
        gray: whether the file is of a grey mode (1-bit, grey, grey with alpha, 16-bit grey, ...).
        alpha: whether the file can hold transparency.
    """

    width: int
    height: int
    gray: bool
    alpha: bool


def read_bytes(path: str | Path) -> bytes:
    """The bytes of a regular file of at most `MAX_FILE_BYTES`; never waits on a pipe or a device.

    Raises:
        ImageError: it is missing, unreadable, too large, or no regular file.
    """
    with open(open_regular(path, ImageError), "rb", buffering=0) as file:
        try:
            size = os.fstat(file.fileno()).st_size
            data = _all_of(file, size) if size <= MAX_FILE_BYTES else None
        except OSError as error:
            raise ImageError(f"{escape(path)}: cannot be read: {error.strerror or error}") from None
    if data is None or len(data) > MAX_FILE_BYTES:
        raise ImageError(f"{escape(path)}: larger than {MAX_FILE_BYTES >> 20} MiB", "save it as a smaller JPEG or PNG")
    return data


def _all_of(file: FileIO, size: int) -> bytes:
    """What a file holds that is said to hold `size` bytes; at most one more than `MAX_FILE_BYTES` should it have grown."""
    parts, total, step = [], 0, max(size, 1 << 16) + 1
    while total <= MAX_FILE_BYTES and (part := file.read(min(step, MAX_FILE_BYTES + 1 - total))):
        parts.append(part)
        total += len(part)
    return b"".join(parts)


def read_header(data: bytes, page: int = 1) -> Header:
    """Size and kind of the image in `data`, without decoding its pixels, unless it is a later frame of an animation.

    Args:
        data: the bytes of the file.
        page: which of its pages or frames, from 1.

    Raises:
        ImageError: no image of an accepted format, or too large, or without such a page.
    """
    kind = recognised(data)
    with refusing(kind):
        file = _turned_to(opened(closed(data, kind), kind), kind, data, page)
        width, height = file.size
        if orientation(file, kind, data) >= 5:
            width, height = height, width
        return Header(width, height, gray_mode(file.mode), bool(file.has_transparency_data))


def page_count(data: bytes) -> int:
    """How many pages or frames the file in `data` has.

    Raises:
        ImageError: no image of an accepted format.
    """
    kind = recognised(data)
    return pages(data, kind, opened(data, kind) if kind in ("AVIF", "HEIF") else None)


def decode(data: bytes, *, draft: tuple[int, int] | None = None, page: int = 1) -> Image:
    """The picture in `data`: upright, 8 bits a value.

    16-bit values are divided by 257; other integers and floats are scaled as `modes` says. A palette is resolved, CMYK becomes
    RGB, transparent colours become alpha. Of a file that ends too early comes what is in it (`cut_short`).

    Args:
        data: the bytes of the file.
        draft: (width, height) of the pattern this picture will become: one that is much larger may come back reduced, by whole
            factors, to no less than 6 times that size; None for the full size. A JPEG of more than 80 megapixels always does.
        page: which of its pages or frames, from 1.

    Raises:
        ImageError: the reason in one line, and a cure where there is one.
    """
    kind = recognised(data)
    with refusing(kind):
        file = _turned_to(opened(closed(data, kind), kind), kind, data, page)
        with _large if file.size[0] * file.size[1] > LARGE_PIXELS else nullcontext():
            return _decode(file, kind, data, max(draft) if draft else 0)


def _turned_to(file: ImageFile, kind: Format, data: bytes, page: int) -> ImageFile:
    """The opened file at a page or frame; one after the other, as most formats make a frame from the one before."""
    if page == 1:
        return file
    count = pages(data, kind, file)
    if not 1 <= page <= count:
        raise ImageError(f"there is no page {page}, only {count}")
    if page * file.size[0] * file.size[1] > MAX_PAGED_PIXELS:
        raise ImageError("a frame that comes after too many others of its size", "save the frames as files of their own")
    first = file.tell()  # of a HEIF the one that it names, which need not be the first in it
    for place in [other for other in range(count) if other != first][: page - 1]:
        file.seek(place)
        check_size(file, kind, data)
    return file


def _decode(file: ImageFile, kind: Format, data: bytes, side: int) -> Image:
    turn = orientation(file, kind, data)
    width, height = file.size
    drafted = file.draft(None, _least_size(width, height, side)) if side or width * height > MAX_PIXELS else None
    if file.size[0] * file.size[1] > MAX_PIXELS:
        raise ImageError(f"too large: {width} x {height} pixels", "save a smaller copy")
    step = 1 if drafted is None else round(width / drafted[1][2])
    picture, part = _loaded(file, kind, data, side, width * height)
    gaps = part is not None and interlaced(data, kind)  # which are filled before anything is averaged
    reduce = max(1, min(picture.size) // (_REDUCE_MARGIN * side)) if side and not gaps else 1
    pixels, alpha = to_arrays(picture, reduce)
    step *= reduce
    axes = None if step == 1 else upright_axes(Axis(height, step), Axis(width, step), turn)
    missing = flaw = None
    if part is not None:
        known = part.known
        if gaps:
            pixels = pixels.copy()  # what Pillow lends is not to be written to
            spread((pixels, known) if alpha is None else (pixels, alpha, known))
        cut = sound(data, kind) is data
        flaw = _flaw(kind, known, coarse=gaps or part.coarse, cut=cut)
        known = _whole_blocks(known, reduce)
        if not known.any():
            raise ImageError(f"the {kind} file is {'cut short' if cut else 'damaged'}, before the first pixels", AGAIN)
        missing = None if known.all() else upright(~known, turn)
    count = pages(data, kind, file)
    return Image(upright(pixels, turn), None if alpha is None else upright(alpha, turn), axes, missing, flaw, count)


def _least_size(width: int, height: int, side: int) -> tuple[int, int]:
    """To what size JPEG's own reduction may go: full for `side` 0, but never more than `MAX_PIXELS`."""
    least = (_DRAFT_MARGIN * side,) * 2 if side else (width, height)
    return least if width * height <= MAX_PIXELS else (min(least[0], width // 2), min(least[1], height // 2))


def _loaded(file: ImageFile, kind: Format, data: bytes, side: int, pixels: int) -> tuple[PILImage, Part | None]:
    """The loaded picture and, where not all of it is in the file, which part is."""
    if kind in WHOLE_ONLY or file.tell() > 0:  # of a later frame that is not whole nothing is shown
        width, height = file.size
        file.load()
        if file.size[0] > width or file.size[1] > height:
            raise ImageError(f"damaged {kind} data (a larger picture than its header says)", AGAIN)
        return file, None
    whole = sound(closed(data, kind), kind)
    if whole is data:
        try:
            file.load()
        except Exception as error:
            if not ends_early(error, file, data):
                raise
        else:
            return file, None

    def again(content: bytes) -> ImageFile:
        copy = opened(content, kind)
        if side:
            copy.draft(None, (_DRAFT_MARGIN * side,) * 2)
        return copy

    part = part_of(data if kind == "WEBP" else whole, kind, pixels, again)
    if part.known.all() and not part.coarse:
        return part.image, None  # nothing of the picture is missing, but what should follow it
    return part.image, part


def _whole_blocks(known: Bool, reduce: int) -> Bool:
    """Which blocks of reduce x reduce pixels are known in full."""
    if reduce == 1:
        return known
    rows, columns = (np.arange(0, size, reduce) for size in known.shape)
    return np.logical_and.reduceat(np.logical_and.reduceat(known, rows, axis=0), columns, axis=1)


def _flaw(kind: Format, known: Bool, *, coarse: bool, cut: bool) -> str:
    """What is wrong with a file that ends too early, and how much of the picture is seen all the same."""
    what, share = f"the {kind} file is {'cut short' if cut else 'damaged'}", float(known.mean())
    if known.all():
        return f"{what}: all of the picture is there, but coarsely"
    if share >= 0.99:
        return f"{what}: its last rows are missing"
    return f"{what}: {max(share, 0.01):.0%} of the picture is there{', coarsely' if coarse else ''}"


DECODING = 400 << 20  # one file of the largest size, and its picture


def decoding_threads() -> int:
    """Threads that decode: one for each core, as far as there is memory for each to meet the largest file."""
    return max(1, min(os.cpu_count() or 1, available_memory() // DECODING))
