"""Files that cost far more to decode than their size tells, refused before their pixels are decoded.

A limit on the number of pixels bounds the memory, not the time: a JPEG may hold thousands of scans that each pass over the whole
picture, and Pillow decodes some variants in Python, value by value.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Literal

from uhop_cli.errors import ImageError
from uhop_cli.images.formats.signatures import Format

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_PIXELS = 80_000_000
MAX_JPEG_PIXELS = 210_000_000  # of one that is decoded line by line, and then at half its size or less
MAX_SIDE = 65_535
SLOW_PIXELS = 2_000_000  # decoded in Python at one or two microseconds each
WEBP_PIXELS = 40_000_000  # its decoder holds four copies of the picture
MAX_HEIF_PIXELS = 52_000_000  # the largest of phones
_FEWER: dict[Format, int] = {  # formats whose decoders take more memory for a pixel
    "AVIF": 40_000_000,
    "HEIF": MAX_HEIF_PIXELS,
    "JPEG 2000": 20_000_000,  # whose decoder takes four bytes for every value, and some more
}
MAX_SCAN_PIXELS = 2_000_000_000  # pixels times scans of a JPEG: some seconds of work
MAX_BLOCKS = 100_000  # chunks, segments and the like, at some microseconds each
MAX_EXIF_PARTS = 100  # Pillow joins them one by one, each time copying what there is
MAX_PPM_HEADER = 1 << 16  # Pillow reads it byte by byte

_PCX_HEADER = 128
_PCX_RUNS = re.compile(rb"[\xc0-\xff].|[^\xc0-\xff]+", re.DOTALL)  # a length and a value, or values
_PCX_PALETTE = 1 + 3 * 256  # bytes: a mark and 256 colours
_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706


def check_structure(data: bytes, kind: Format) -> None:
    """Refuses files whose metadata alone would take long, from their bytes."""
    blocks = {"PNG": _png_chunks, "JPEG": _jpeg_segments, "GIF": _gif_blocks}.get(kind)
    parts = list(islice(blocks(data), MAX_BLOCKS + 1)) if blocks else []
    if len(parts) > MAX_BLOCKS:
        raise ImageError(f"a {kind} of an absurd number of parts")
    if kind == "JPEG" and sum(data.startswith(b"Exif\x00\x00", at + 4) for at in parts) > MAX_EXIF_PARTS:
        raise ImageError("a JPEG with an absurd number of metadata blocks")
    if kind == "WEBP" and _webp_pixels(data) > WEBP_PIXELS:  # its decoder allocates when it is opened
        raise ImageError(f"too large: WebP is read up to {WEBP_PIXELS // 10**6} megapixels", "save it as JPEG or PNG first")
    if kind == "TIFF" and _tiff_directory_end(data) > len(data):
        raise ImageError("the TIFF file is cut short: what describes its pixels stands at its end", "copy it once more")
    if kind == "PCX" and (data[1], data[3], data[65:66]) == (5, 8, b"\x01") and not _has_pcx_palette(data):
        raise ImageError("the PCX file is cut short: its colours stand at its end", "copy it once more")
    if kind == "PPM" and data[1:2] in b"123" and data.count(b"#") > MAX_BLOCKS // 10:
        raise ImageError("a PPM with an absurd number of comments")  # Pillow takes time quadratic in their number


def check_work(file: ImageFile, kind: Format, data: bytes) -> None:
    """Refuses files whose pixels would take more than some seconds, from their opened header.

    In the compressed part of a JPEG a marker cannot occur by chance (0xff is always followed by 0x00 there), so counting the
    marker counts the scans.
    """
    pixels = file.size[0] * file.size[1]
    if kind == "JPEG" and data.count(b"\xff\xda") * pixels > MAX_SCAN_PIXELS:
        raise ImageError("a JPEG with an absurd number of scans", "save it again as a plain JPEG or PNG")
    decoders = {tile[0] for tile in file.tile}
    if decoders & {"bmp_rle", "ppm", "ppm_plain"} and pixels > SLOW_PIXELS:
        limit = SLOW_PIXELS // 10**6
        raise ImageError(f"a variant of {kind} that is read only up to {limit} megapixels", "save it as PNG first")


def check_size(file: ImageFile, kind: Format, data: bytes) -> None:
    """Refuses pictures without pixels, and those with too many."""
    width, height = file.size
    if width < 1 or height < 1:
        raise ImageError("a picture without pixels")
    most = _FEWER.get(kind, MAX_PIXELS)
    if kind == "JPEG" and width * height > most and _line_by_line(data):
        most = MAX_JPEG_PIXELS
    if width * height > most or max(width, height) > MAX_SIDE:
        limit = f"the limit is {most // 10**6} megapixels and {MAX_SIDE} a side"
        raise ImageError(f"too large: {width} x {height} pixels; {limit}", "save a smaller copy")


def is_raw_thumbnail(file: ImageFile) -> bool:
    """Whether an opened TIFF is a camera raw file: its first picture is then no more than a small preview."""
    tags = getattr(file, "tag_v2", {})
    return _DNG_VERSION in tags or (_SUB_IFDS in tags and tags.get(_SUBFILE_TYPE, 0) == 1)


def _png_chunks(data: bytes) -> Iterator[int]:
    at = 8
    while at < len(data):
        yield at
        at += 12 + int.from_bytes(data[at : at + 4])


def _jpeg_segments(data: bytes) -> Iterator[int]:
    """Those before the first scan."""
    at = 2
    while at < len(data) and data[at] == 0xFF and data[at + 1 : at + 2] != b"\xda":
        yield at
        if data[at + 1 : at + 2] == b"\xff":  # padding before a marker
            at += 1
        else:
            at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))


def _line_by_line(data: bytes) -> bool:
    """Whether a JPEG has all its colours in one scan from top to bottom, so that its decoder holds some lines and not all."""
    components, end = 0, 2
    for at in _jpeg_segments(data):
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4]))
        if data[at + 1 : at + 2] in (b"\xc0", b"\xc1"):
            components = int.from_bytes(data[at + 9 : at + 10])
    return components > 0 and data[end : end + 2] == b"\xff\xda" and data[end + 4 : end + 5] == bytes([components])


def _gif_blocks(data: bytes) -> Iterator[int]:
    """The extensions before the first frame, and their parts."""
    flags = data[10] if len(data) > 10 else 0
    at = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[at : at + 1] == b"!":
        yield at
        at += 2
        while at < len(data) and data[at]:
            yield at
            at += 1 + data[at]
        at += 1


def _has_pcx_palette(data: bytes) -> bool:
    """Whether a PCX of 256 colours has them: after all of its pixels, at the very end."""
    if data[-_PCX_PALETTE:][:1] != b"\x0c":
        return False
    left = int.from_bytes(data[66:68], "little") * (int.from_bytes(data[10:12], "little") - int.from_bytes(data[6:8], "little") + 1)
    for run in _PCX_RUNS.finditer(data, _PCX_HEADER, len(data) - _PCX_PALETTE):
        left -= run[0][0] & 63 if run[0][0] >= 0xC0 else len(run[0])
        if left <= 0:
            return True
    return left <= 0


def _webp_pixels(data: bytes) -> int:
    """Pixels of the canvas, from the header of one of the three kinds of WebP; 0 where it is none."""
    if data[12:16] == b"VP8X":
        return (1 + int.from_bytes(data[24:27], "little")) * (1 + int.from_bytes(data[27:30], "little"))
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return (1 + (bits & 0x3FFF)) * (1 + (bits >> 14 & 0x3FFF))
    if data[12:16] == b"VP8 ":
        return (int.from_bytes(data[26:28], "little") & 0x3FFF) * (int.from_bytes(data[28:30], "little") & 0x3FFF)
    return 0


def _tiff_directory_end(data: bytes) -> int:
    """Where the first directory ends."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    number, entry, pointer, place = (8, 20, 8, 8) if int.from_bytes(data[2:4], order) == 43 else (2, 12, 4, 4)
    at = int.from_bytes(data[place : place + pointer], order)
    return at + number + entry * int.from_bytes(data[at : at + number], order) + pointer
