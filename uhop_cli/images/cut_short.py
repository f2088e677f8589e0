"""Files that end too early: what of the picture is in them, told exactly.

The picture is decoded more than once, and what is not in the file is made different each time: the memory that the decoder writes
to is filled with another value, or other bytes are put where the file ends. What comes out the same is in the file; what differs
is not. So nothing has to be known about how far a decoder got, and no pixel that a decoder made up counts as seen.

* Scan lines or blocks that come one by one (a JPEG of one scan, PNG, GIF, TIFF, BMP, PPM): memory of zeros, and of ones.
* A JPEG in several scans (progressive, or a scan for each colour) that ends within the first values of a block, and WebP: several
  endings. Blocks rest on those before them, so that all is missing from the first row on that differs.
* A JPEG in several scans that ends later: all of the picture is there, in parts coarsely.

Nothing global is changed (as by Pillow's LOAD_TRUNCATED_IMAGES), so that threads don't disturb each other.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import Bool
from uhop_cli.errors import ImageError
from uhop_cli.images.formats.limits import MAX_BLOCKS
from uhop_cli.images.formats.opening import AGAIN, is_cut
from uhop_cli.images.formats.signatures import Format

if TYPE_CHECKING:
    from PIL.Image import Image as PILImage
    from PIL.ImageFile import ImageFile

MAX_PIXELS_CUT = 40_000_000  # of a file that ends too early, which is decoded more than once
MAX_FILLING = 64 << 20  # bytes that a WebP may claim to have beyond its end
_TOGETHER = 512  # rows, a multiple of 8
_BLOCK = 16  # rows of the largest block of JPEG and WebP; what lies so far above a block may depend on it
_END = b"\xff\xd9"  # of a JPEG
_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)))  # SOF0 to SOF15
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # that ends a scan: neither a stuffed byte nor a restart


@dataclass(frozen=True)
class Part:
    """What is in a file that ends too early.

    Attributes:
        image: loaded; what is not known of it is arbitrary.
        known: (height, width) of `image`: which pixels are in the file.
        coarse: whether detail is missing of those.
    """

    image: PILImage
    known: Bool
    coarse: bool = False


def sound(data: bytes, kind: Format) -> bytes:
    """The file as far as it is sound: of a PNG up to the first piece of the picture whose checksum is wrong, others as they are."""
    if kind != "PNG":
        return data
    at, view = 8, memoryview(data)
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4])
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if data[at + 4 : at + 8] == b"IDAT" and zlib.crc32(view[at + 4 : end]) != int.from_bytes(data[end : end + 4]):
            return data[: at + 8]
        at = end + 4
    return data


def closed(data: bytes, kind: Format) -> bytes:
    """A file whose header can be read: that of a WebP only can if as many bytes follow as it says; others as they are."""
    return _closed_webp(data, b"\0") if _webp_ends_early(data, kind) else data


def ends_early(error: Exception, file: ImageFile, data: bytes) -> bool:
    """Whether a decoder raised `error` because the file ended, and not because it is damaged."""
    return is_cut(error) or _beyond(getattr(file, "tag_v2", {}), len(data))


def part_of(data: bytes, kind: Format, pixels: int, opened: Callable[[bytes], ImageFile]) -> Part:
    """What can be decoded of a file that ends too early.

    Args:
        data: the file.
        kind: its format.
        pixels: how many it has, at full size.
        opened: a file from its bytes, ready to be loaded.

    Raises:
        ImageError: not a single pixel is in it, or it is too large.
    """
    if pixels > MAX_PIXELS_CUT:
        limit = f"such files are read up to {MAX_PIXELS_CUT // 10**6} megapixels"
        raise ImageError(f"the {kind} file is cut short; {limit}", AGAIN)
    if _webp_ends_early(data, kind):
        fillings = (b"\0", b"\xff", _noise(1), _noise(2))
        return _compared([_closed_webp(data, filling) for filling in fillings], opened)
    in_scans = _in_scans(data) if kind == "JPEG" else None
    if in_scans is not None:
        return _compared(in_scans, opened)
    if kind == "PPM" and data[1:2] in b"123":
        data = data[: len(data) - len(data.rsplit(maxsplit=1)[-1])]  # of the last number some digits may be missing
    low, high = _filled(opened(data), 0), _filled(opened(data), 1)
    known = _same(low, high)
    if kind == "JPEG" and 0 < np.count_nonzero(~known.all(axis=1)) <= 2 * _BLOCK:  # it may lack only the mark of its end
        end = _compared(_ended(data), opened)
        if end.known.all():
            return end
    from PIL import Image

    if low.mode[0] in "IF" and known.any():  # whose range of values is looked for
        column, row = (int(at[0]) for at in np.nonzero(known.T))
        value: Any = low.getpixel((column, row))
        low.paste(value, mask=Image.fromarray(~known))
    return Part(low, known)


def spread(arrays: Sequence[NDArray[Any]]) -> None:
    """Fills the gaps of an interlaced picture, in place: each pixel takes the values of the one that its passes refine.

    PNG's Adam7 comes as lattices of 8 x 8, 8 x 4, 4 x 4, 4 x 2, 2 x 2, 2 x 1 and 1 x 1 (rows x columns), GIF as every eighth,
    fourth and second row, and all.

    Args:
        arrays: (height, width[, channels]) pixels and the like; the last one says which are known, and then which have a value.
    """
    height, width = arrays[-1].shape
    for top in range(0, height, _TOGETHER):  # which bounds the memory
        strips = [array[top : top + _TOGETHER] for array in arrays]
        before = strips[-1].copy()
        for down, across in ((2, 1), (4, 1), (8, 1), (2, 2), (4, 2), (4, 4), (8, 4), (8, 8)):
            rows, columns = np.arange(len(before)) // down * down, np.arange(width) // across * across
            new = ~strips[-1] & before[rows][:, columns]
            for strip in strips:
                strip[new] = strip[rows][:, columns][new]


def interlaced(data: bytes, kind: Format) -> bool:
    """Whether a PNG or GIF comes in passes over the whole picture."""
    if kind == "PNG":
        return data[28:29] == b"\1"
    frame = data.find(b",", 13) if kind == "GIF" else -1
    return frame > 0 and len(data) > frame + 9 and bool(data[frame + 9] & 0x40)


def _filled(file: ImageFile, ink: int) -> ImageFile:
    """The picture loaded as far as it goes, into memory that is filled with the least (0) or the greatest (1) value."""
    prepare = file.load_prepare

    def prepared() -> None:
        prepare()
        top = {"F": 1, "I": (1 << 31) - 1}.get(file.mode, 65535 if file.mode.startswith("I;16") else 255)
        bands = len(file.getbands())
        file.im.paste(ink * top if bands == 1 else (ink * top,) * bands, (0, 0, *file.im.size))

    file.load_prepare = prepared  # type: ignore[method-assign]
    try:
        file.load()
    except OSError:
        if file.tile:  # the decoder was left at once; what turns the picture upright is not reached then
            file.tile = []
            if file.format == "TIFF":
                file.load_end()
    return file


def _compared(files: list[bytes], opened: Callable[[bytes], ImageFile]) -> Part:
    """The same file with different endings: known are the rows above the first that differs, less a block."""
    first, rows, compared = None, 0, len(files) == 1
    for data in files:
        with suppress(OSError, EOFError, ValueError, SyntaxError):  # an ending that the decoder refuses says nothing
            file = opened(data)
            file.load()
            if first is None:
                first, rows = file, file.size[1]
                continue
            compared, same = True, _same(first, file).all(axis=1)
            if not same.all():
                rows = min(rows, max(0, int(same.argmin()) // _BLOCK * _BLOCK - _BLOCK // 2))
    if first is None:
        raise ImageError("the file is cut short, before the first pixels", AGAIN)
    known = np.zeros(first.size[::-1], bool)
    known[: rows if compared else 0] = True
    return Part(first, known, coarse=len(files) == 1)


def _same(one: ImageFile, other: ImageFile) -> Bool:
    """(height, width) where two pictures are equal, in all channels; strip by strip, which bounds the memory."""
    width, height = one.size
    same = np.empty((height, width), bool)
    for top in range(0, height, _TOGETHER):
        box = (0, top, width, min(height, top + _TOGETHER))
        equal = np.asarray(one.crop(box)) == np.asarray(other.crop(box))
        same[top : box[3]] = equal if equal.ndim == 2 else equal.all(axis=2)
    return same


def _noise(seed: int) -> bytes:
    """Bytes that look like compressed data, but never like a marker."""
    return Random(seed).randbytes(4096).replace(b"\xff", b"\x5a")


# JPEG ----------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scans:
    """What is in a JPEG that ends too early.

    Attributes:
        progressive: whether values come bit by bit.
        components: all there are.
        scans: of each its components, and whether it has their first values.
        end: of the last segment that is whole, or of the file where that is within a scan.
        whole: whether the last scan has all its values.
    """

    progressive: bool
    components: frozenset[int]
    scans: tuple[tuple[frozenset[int], bool], ...]
    end: int
    whole: bool


def _in_scans(data: bytes) -> list[bytes] | None:
    """A JPEG in several scans with what may come where it ends; None of one that comes line by line.

    Raises:
        ImageError: there is no value yet of some colour.
    """
    found = _jpeg_scans(data)
    if not found.scans:
        raise ImageError("the JPEG file is cut short, before the first pixels", AGAIN)
    if not found.progressive and found.scans[0][0] == found.components:
        return None
    covered = frozenset[int]()
    for components, first in found.scans if found.whole else found.scans[:-1]:
        covered |= components if first else frozenset()
    sound = data[: found.end].removesuffix(b"\xff")
    if covered >= found.components:
        return [sound + _END]
    components, first = found.scans[-1]
    if first and not found.whole and covered | components >= found.components:
        return _ended(sound)
    raise ImageError("the JPEG file is cut short, before its colours", AGAIN)


def _ended(data: bytes) -> list[bytes]:
    """A JPEG with different ends."""
    return [data.removesuffix(b"\xff") + filling + _END for filling in (b"\0" * 4096, _noise(1))]


def _jpeg_scans(data: bytes) -> _Scans:
    progressive, components, scans, at = False, frozenset[int](), list[tuple[frozenset[int], bool]](), 2
    for _ in range(MAX_BLOCKS):
        marker = _MARKER.search(data, at)
        if marker is None or marker[0] == _END:
            break
        start, code = marker.start(), marker[0][1]
        at = start + 2 + max(2, int.from_bytes(data[start + 2 : start + 4]))
        if at > len(data):
            return _Scans(progressive, components, tuple(scans), start, whole=True)
        body = data[start + 4 : at]
        if code in _FRAMES and len(body) > 5:
            progressive, components = code in _PROGRESSIVE, frozenset(body[6 : 6 + 3 * body[5] : 3])
        elif code == 0xDA and len(body) >= 4:
            spectrum = body[-3:]  # first and last coefficient, and the bits of them that came before and come now
            scans.append((frozenset(body[1 : 1 + 2 * body[0] : 2]), spectrum[0] == 0 and spectrum[2] >> 4 == 0))
    return _Scans(progressive, components, tuple(scans), len(data), whole=False)


# TIFF ----------------------------------------------------------------------------------------------------------------------------

_PLACES = ((273, 279), (324, 325))  # offset and size of strips, of tiles


def _beyond(tags: Mapping[int, Any], end: int) -> bool:
    """Whether some strip or tile of a TIFF lies beyond the end of the file."""
    for offsets, counts in _PLACES:
        places, sizes = (np.atleast_1d(np.array(tags.get(tag, ()), np.float64)) for tag in (offsets, counts))
        if places.size and places.size == sizes.size and (places + sizes).max() > end:
            return True
    return False


# WebP ----------------------------------------------------------------------------------------------------------------------------

_DRAWN = (b"VP8 ", b"VP8L", b"ANMF")
_FRAME_HEADER = 16  # bytes of an ANMF chunk before its own chunks
_MORE = 1 << 16


def _webp_ends_early(data: bytes, kind: Format) -> bool:
    return kind == "WEBP" and len(data) < 8 + int.from_bytes(data[4:8], "little")


def _closed_webp(data: bytes, filling: bytes) -> bytes:
    """A WebP whose picture, or first frame, has an end made of `filling`; nothing comes after it.

    The end is longer than the part that is missing, as a decoder that reads past it would take the whole picture for broken.

    Raises:
        ImageError: it claims to be far larger, or its picture has not begun.
    """
    before, at = list[bytes](), 12
    while at + 8 <= len(data):
        name, size = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        if name in _DRAWN:
            if at + 8 + size <= len(data):
                picture = data[at : at + 8 + size + size % 2].ljust(8 + size + size % 2, b"\0")
            else:
                if size > MAX_FILLING:
                    raise ImageError("the WEBP file is cut short: nearly all of it is missing", AGAIN)
                picture = _lengthened(data[at:], filling, size + _MORE)
            return _chunk(b"RIFF", b"WEBP" + b"".join(before) + picture)
        end = at + 8 + size + size % 2
        if end > len(data):
            break
        before.append(data[at:end])
        at = end
    raise ImageError("the WEBP file is cut short, before the first pixels", AGAIN)


def _lengthened(data: bytes, filling: bytes, more: int) -> bytes:
    """The chunk that begins here, with `more` bytes of `filling`; in a frame, the chunk of its pixels."""
    name, body = data[:4], data[8:]
    if name == b"ANMF":
        at = _FRAME_HEADER
        while body[at : at + 4] not in (*_DRAWN, b""):
            size = int.from_bytes(body[at + 4 : at + 8], "little")
            at += 8 + size + size % 2
        return _chunk(name, body[:at] + _lengthened(body[at:], filling, more) if at < len(body) else body)
    return _chunk(name, body + (filling * (1 + more // len(filling)))[:more])


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + len(body).to_bytes(4, "little") + body + bytes(len(body) % 2)
