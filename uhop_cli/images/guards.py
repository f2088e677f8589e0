"""Files that cost far more to decode than their size tells, refused before their pixels are decoded.

A limit on the number of pixels bounds the memory, not the time: a JPEG may hold thousands of scans that each pass over the whole
picture, and Pillow decodes some variants in Python, value by value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uhop_cli.errors import ImageError
from uhop_cli.images.signatures import Format

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

SLOW_PIXELS = 2_000_000  # decoded in Python at one or two microseconds each
MAX_SCAN_PIXELS = 2_000_000_000  # pixels times scans of a JPEG: some seconds of work
MAX_SEGMENTS = 10_000  # metadata blocks, comments

_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706


def check_structure(data: bytes, kind: Format) -> None:
    """Refuses files whose metadata alone would take long, from their bytes.

    In the compressed part of a JPEG a marker cannot occur by chance (0xff is always followed by 0x00 there), so counting bytes
    counts segments. Pillow's parsers of EXIF parts and of comments in plain PPM take time quadratic in their number.
    """
    if kind == "JPEG" and data.count(b"\xff\xe1") > MAX_SEGMENTS:
        raise ImageError("a JPEG with an absurd number of metadata blocks")
    if kind == "PPM" and data[1:2] in b"123" and data.count(b"#") > MAX_SEGMENTS:
        raise ImageError("a PPM with an absurd number of comments")


def check_work(file: ImageFile, kind: Format, data: bytes) -> None:
    """Refuses files whose pixels would take longer than some seconds to decode, from their opened header."""
    pixels = file.size[0] * file.size[1]
    if kind == "JPEG" and data.count(b"\xff\xda") * pixels > MAX_SCAN_PIXELS:
        raise ImageError("a JPEG with an absurd number of scans", "save it again as a plain JPEG or PNG")
    decoders = {tile[0] for tile in file.tile}
    if decoders & {"bmp_rle", "ppm", "ppm_plain"} and pixels > SLOW_PIXELS:
        limit = SLOW_PIXELS // 10**6
        raise ImageError(f"a variant of {kind} that is read only up to {limit} megapixels", "save it as PNG first")


def is_raw_thumbnail(file: ImageFile) -> bool:
    """Whether an opened TIFF is a camera raw file: its first picture is then no more than a small preview."""
    tags = getattr(file, "tag_v2", {})
    return _DNG_VERSION in tags or (_SUB_IFDS in tags and tags.get(_SUBFILE_TYPE, 0) == 1)
