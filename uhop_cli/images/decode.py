"""Bytes of an image file -> 8-bit RGB or grey pixels, and alpha.

Only the formats of `signatures` reach a decoder, each through its own Pillow plug-in, imported when first needed. Sizes are checked
in the header, before anything is allocated for the pixels. Nothing here changes global state after import, so any number of
threads may decode; pictures above `LARGE_PIXELS` are decoded one at a time, which bounds the memory.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING

from uhop_cli.arrays.resources import available_memory
from uhop_cli.arrays.types import UInt8
from uhop_cli.errors import ImageError
from uhop_cli.files.names import escape
from uhop_cli.files.regular import open_regular
from uhop_cli.images.formats import ACCEPTED, DEVELOP, HEAD_BYTES, Format, sniff
from uhop_cli.images.limits import MAX_PPM_HEADER, check_structure, check_work, is_raw_thumbnail
from uhop_cli.images.modes import gray_mode, to_arrays
from uhop_cli.images.orientation import orientation, upright, upright_axes
from uhop_cli.images.resample import Axis
from uhop_cli.images.silence import quiet_libtiff, quiet_pillow

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


MAX_FILE_BYTES = 256 << 20
MAX_PIXELS = 80_000_000
MAX_SIDE = 65_535
LARGE_PIXELS = 16_000_000

# A picture is handed out at no less than so many times the draft size on either side: JPEG's own reduction, which halves the time,
# is closer to the mean over a block than what comes of other reductions. tests/acceptance/reduced.py shows what either costs.
_DRAFT_MARGIN = 6
_REDUCE_MARGIN = 8

_PLUGINS: dict[Format, tuple[str, str]] = {
    "PNG": ("PIL.PngImagePlugin", "PngImageFile"),
    "JPEG": ("PIL.JpegImagePlugin", "JpegImageFile"),  # of an MPO file this is the first picture
    "WEBP": ("PIL.WebPImagePlugin", "WebPImageFile"),
    "GIF": ("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": ("PIL.BmpImagePlugin", "BmpImageFile"),
    "TIFF": ("PIL.TiffImagePlugin", "TiffImageFile"),
    "PPM": ("PIL.PpmImagePlugin", "PpmImageFile"),
}

_large = threading.Lock()

quiet_pillow()


@dataclass(frozen=True)
class Image:
    """A decoded picture, upright.

    Attributes:
        pixels: (H, W, 3) RGB or (H, W, 1) grey, uint8, not premultiplied.
        alpha: (H, W) uint8, 255 opaque; None where all is opaque.
        axes: where rows and columns lie in the original, of which this may be a reduction; None if it is not.
    """

    pixels: UInt8
    alpha: UInt8 | None
    axes: tuple[Axis, Axis] | None = None

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


def read_header(data: bytes) -> Header:
    """Size and kind of the image in `data`, without decoding its pixels.

    Raises:
        ImageError: no image of an accepted format, or too large.
    """
    file, kind = _open(data)
    with _refusing(kind):
        width, height = file.size
        if orientation(file, kind, data) >= 5:
            width, height = height, width
        return Header(width, height, gray_mode(file.mode), bool(file.has_transparency_data))


def decode(data: bytes, *, draft: tuple[int, int] | None = None) -> Image:
    """The picture in `data`: first frame, upright, 8 bits a value.

    16-bit values are divided by 257; other integers and floats are scaled as `modes` says. A palette is resolved, CMYK becomes
    RGB, transparent colours become alpha.

    Args:
        data: the bytes of the file.
        draft: (width, height) of the pattern this picture will become: one that is much larger may come back reduced, by whole
            factors, to no less than 6 times that size; None for the full size.

    Raises:
        ImageError: the reason in one line, and a cure where there is one.
    """
    file, kind = _open(data)
    if file.size[0] * file.size[1] > LARGE_PIXELS:
        with _large:
            return _decode(file, kind, data, draft)
    return _decode(file, kind, data, draft)


def _decode(file: ImageFile, kind: Format, data: bytes, draft: tuple[int, int] | None) -> Image:
    with _refusing(kind):
        turn = orientation(file, kind, data)
        width, height = file.size
        side = max(draft) if draft else 0
        drafted = file.draft(None, (_DRAFT_MARGIN * side,) * 2) if draft else None
        step = 1 if drafted is None else round(width / drafted[1][2])
        file.load()
        reduce = max(1, min(file.size) // (_REDUCE_MARGIN * side)) if draft else 1
        pixels, alpha = to_arrays(file, reduce)
        step *= reduce
        axes = None if step == 1 else upright_axes(Axis(height, step), Axis(width, step), turn)
        return Image(upright(pixels, turn), None if alpha is None else upright(alpha, turn), axes)


def _open(data: bytes) -> tuple[ImageFile, Format]:
    """The header of the file, checked: nothing for the pixels is allocated yet."""
    signature = sniff(data[:HEAD_BYTES])
    kind = signature.format
    if kind is None:
        if not data:
            raise ImageError("an empty file")
        if signature.cure is None:
            raise ImageError("not an image of a known format", ACCEPTED)
        raise ImageError(f"{signature.name} pictures are not read", signature.cure)
    with _refusing(kind):
        check_structure(data, kind)
        if kind == "TIFF":
            quiet_libtiff()
        module, name = _PLUGINS[kind]
        plugin = getattr(import_module(module), name)
        if kind == "PPM":
            plugin(BytesIO(data[:MAX_PPM_HEADER]))  # raises where the header has no end
        file: ImageFile = plugin(BytesIO(data))
        if kind == "TIFF" and is_raw_thumbnail(file):
            raise ImageError("camera raw pictures are not read", DEVELOP)
        _check_size(file)
        check_work(file, kind, data)
    return file, kind


def _check_size(file: ImageFile) -> None:
    width, height = file.size
    if width < 1 or height < 1:
        raise ImageError("a picture without pixels")
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        limit = f"the limit is {MAX_PIXELS // 10**6} megapixels and {MAX_SIDE} a side"
        raise ImageError(f"too large: {width} x {height} pixels; {limit}", "save a smaller copy")


class _refusing:
    """Turns whatever a decoder raises on damaged data into one `ImageError`."""

    def __init__(self, kind: Format) -> None:
        self._kind = kind

    def __enter__(self) -> None:
        return None

    def __exit__(self, _type: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None or isinstance(error, ImageError) or not isinstance(error, Exception):
            return
        if isinstance(error, MemoryError):
            raise ImageError("more memory is needed to decode it than there is", "save a smaller copy") from None
        text = str(error).strip() or type(error).__name__
        if "truncated" in text.lower() or isinstance(error, EOFError):
            raise ImageError(f"the {self._kind} file is cut short") from None
        if type(error).__name__ == "DecompressionBombError":
            raise ImageError("too large: it would unpack to hundreds of megapixels", "save a smaller copy") from None
        raise ImageError(f"damaged {self._kind} data ({escape(text)[:120]})") from None


DECODING = 400 << 20  # one file of the largest size, and its picture


def decoding_threads() -> int:
    """Threads that decode: one for each core, as far as there is memory for each to meet the largest file."""
    return max(1, min(os.cpu_count() or 1, available_memory() // DECODING))
