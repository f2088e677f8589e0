"""Which way up a picture is, from its EXIF or XMP metadata."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from uhop_cli.images.formats.signatures import Format
from uhop_cli.images.resample import Axis

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile


Value = TypeVar("Value", bound=np.generic)

_ORIENTATION = 0x0112
_WHERE = frozenset(("exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"))  # where Pillow looks for it


def orientation(file: ImageFile, kind: Format, data: bytes) -> int:
    """EXIF orientation of an opened file, 1 to 8; 1 where the metadata is absent or damaged.

    Of a TIFF file it is always 1, as Pillow turns those pictures, and their size in the header, itself.
    """
    if kind == "TIFF":
        return 1
    try:
        from PIL.Image import Image

        if kind == "PNG" and "exif" not in file.info:
            late = _png_chunk(data, b"eXIf")
            if late is not None:
                file.info["exif"] = b"Exif\x00\x00" + late
        if not _WHERE & file.info.keys():
            return 1
        # the method of the class above: that of PNG files would decode the picture to look for what comes after the pixels
        value: Any = Image.getexif(file).get(_ORIENTATION, 1)
    except Exception:  # damaged metadata raises nearly anything; the pixels may be sound
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def turns(turn: int) -> tuple[bool, bool, bool]:
    """What EXIF asks for: whether to transpose, then to turn the rows upside down, and to mirror the columns."""
    return turn >= 5, turn in (3, 4, 7, 8), turn in (2, 3, 6, 7)


def upright(array: NDArray[Value], turn: int) -> NDArray[Value]:
    """`array` (H, W[, C]) turned as EXIF asks."""
    transposed, down, mirrored = turns(turn)
    if transposed:
        array = array.swapaxes(0, 1)
    if down:
        array = array[::-1]
    if mirrored:
        array = array[:, ::-1]
    return np.ascontiguousarray(array)


def upright_axes(rows: Axis, columns: Axis, turn: int) -> tuple[Axis, Axis]:
    """Where rows and columns lie after `upright`."""
    transposed, down, mirrored = turns(turn)
    if transposed:
        rows, columns = columns, rows
    return rows.turned() if down else rows, columns.turned() if mirrored else columns


def _png_chunk(data: bytes, wanted: bytes) -> bytes | None:
    """The content of a chunk of a PNG file, wherever it stands."""
    at = 8 if wanted in data else len(data)
    while at + 8 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == wanted:
            return data[at + 8 : at + 8 + length]
        at += 12 + length
    return None
