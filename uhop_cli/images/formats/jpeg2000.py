"""JPEG 2000 (ISO 15444-1) files that would cost their decoder far more than their size tells.

OpenJPEG makes a structure for every tile, and in each for every code-block of every channel, before it looks for any data: a file
of a hundred bytes may ask for gigabytes. What may be asked for is therefore counted from the markers SIZ, COD and COC.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from uhop_cli.errors import ImageError
from uhop_cli.images.formats.boxes import boxes
from uhop_cli.images.formats.limits import MAX_BLOCKS

MAX_TILES = 5_000
MAX_CODE_BLOCKS = 500_000
_START, _SIZ, _COD, _COC, _TILE, _DATA, _END = b"\xff\x4f", 0x51, 0x52, 0x53, b"\xff\x90", 0x93, b"\xff\xd9"
_CURE = "save it as PNG first"


class Size(NamedTuple):
    """What the marker SIZ says: pixels of the reference grid, tiles, channels."""

    pixels: int
    tiles: int
    channels: int


def check_codestream(data: bytes) -> None:
    """Refuses a JPEG 2000 file that is cut short, has more than four channels, or an absurd number of tiles or code-blocks.

    Raises:
        ImageError: so it is.
    """
    stream = _codestream(data)
    size, smallest = None, None
    for code, body in _markers(stream):
        if code == _SIZ and len(body) >= 36 and size is None:
            size = _size(body)
        elif code in (_COD, _COC):
            style = body[5:] if code == _COD else body[2:]  # of coding: levels, width and height of a code-block, ..., precincts
            area = _least_area(style)
            smallest = area if smallest is None else min(smallest, area)
    if size is None or smallest is None:
        raise ImageError("damaged JPEG 2000 data (a header without size or coding style)", _CURE)
    if not 1 <= size.channels <= 4:
        raise ImageError(f"a JPEG 2000 of {size.channels} channels", _CURE)
    if size.tiles > MAX_TILES or size.channels * (size.pixels / smallest + size.tiles) > MAX_CODE_BLOCKS:
        raise ImageError("a JPEG 2000 of an absurd number of parts", _CURE)


def _codestream(data: bytes) -> bytes:
    """What stands in the box jp2c, or the whole file where it is bare."""
    if data.startswith(_START):
        stream = data
    else:
        begins, ends = next(((start, end) for name, start, end in boxes(data) if name == b"jp2c"), (len(data), len(data) + 1))
        if ends > len(data):
            raise ImageError("the JPEG 2000 file is cut short", "copy it once more from where it came from")
        stream = data[begins:ends]
    if not stream.rstrip(b"\0").endswith(_END):
        raise ImageError("the JPEG 2000 file is cut short", "copy it once more from where it came from")
    return stream


def _markers(stream: bytes) -> Iterator[tuple[int, bytes]]:
    """Code and content of the markers in the main header and in those of the tiles.

    In the compressed part no two bytes are above ff 8f, so that what looks like the start of a tile is one.
    """
    at, count = 2, 0
    while at + 4 <= len(stream):
        count += 1
        if count > MAX_BLOCKS:
            raise ImageError("a JPEG 2000 of an absurd number of parts", _CURE)
        if stream[at + 1] == _DATA:
            at = stream.find(_TILE, at)
            if at < 0:
                return
        length = int.from_bytes(stream[at + 2 : at + 4])
        if stream[at] != 0xFF or length < 2:
            return
        yield stream[at + 1], stream[at + 4 : at + 2 + length]
        at += 2 + length


def _size(body: bytes) -> Size:
    right, lower, left, upper, tile_width, tile_height, tile_left, tile_upper = (
        int.from_bytes(body[place : place + 4]) for place in range(2, 34, 4)
    )
    across = -(-(right - tile_left) // max(1, tile_width))
    down = -(-(lower - tile_upper) // max(1, tile_height))
    return Size((right - left) * (lower - upper), across * down, int.from_bytes(body[34:36]))


def _least_area(style: bytes) -> int:
    """Values of the smallest code-block: no wider or higher than a precinct, where those have sizes of their own."""
    if len(style) < 3:
        return 1
    width, height = (style[1] & 15) + 2, (style[2] & 15) + 2  # exponents of two
    # Precincts of the coarsest level may be small, as so is that level; those of the others hold bands of half their sides.
    for level, size in enumerate(style[5:]):
        if level > 0 or style[0] < 3:
            less = min(level, 1)
            width, height = min(width, max(0, (size & 15) - less)), min(height, max(0, (size >> 4) - less))
    return 1 << width + height
