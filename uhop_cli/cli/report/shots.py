"""Pictures inside a page: small, in their own shape, and no more bytes than the page has room for."""

from __future__ import annotations

import math
from base64 import b64encode
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

    from uhop_cli.cli.screen.pictures import Picture

PAGE_BYTES = 20_000_000  # that all pictures of a page may take, as it stands in the file
LARGEST, SMALLEST = 360, 48  # pixels of the longer side
_BYTES_A_PIXEL = 0.25  # of a photograph as WebP, about
_QUALITIES = (80, 60, 40, 20)


@dataclass(frozen=True)
class Shot:
    """A picture of a page.

    Attributes:
        name: its caption.
        source: a data: URL.
        width, height: that it is shown at, in its true shape.
        coarse: whether its pixels are so few that they are shown as squares.
    """

    name: str
    source: str
    width: int
    height: int
    coarse: bool


@dataclass(frozen=True)
class Room:
    """What each of `pictures` pictures of a page may take.

    Attributes:
        pictures: how many there will be.
    """

    pictures: int

    @property
    def bytes(self) -> int:
        """Of one picture, before it is written as text, which makes 4 bytes of 3."""
        return PAGE_BYTES * 3 // (4 * max(1, self.pictures))

    @property
    def side(self) -> int:
        """Pixels of its longer side, if it is of three to four."""
        return max(SMALLEST, min(LARGEST, round(math.sqrt(self.bytes / _BYTES_A_PIXEL * 4 / 3))))


def shot(picture: Picture, room: Room) -> Shot:
    """A picture as large as there is room for, in its true shape; one of fewer pixels keeps them."""
    from PIL import Image

    rows, columns = picture.pixels.shape[:2]
    aspect = picture.aspect or columns / rows
    width = max(1, round(room.side * min(1.0, aspect)))
    height = max(1, round(room.side / max(1.0, aspect)))
    pixels = np.ascontiguousarray(np.broadcast_to(picture.pixels, (rows, columns, 3)))
    image = Image.fromarray(pixels)
    if columns >= width or rows >= height:
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    elif picture.aspect is not None:  # a browser takes the shape from the pixels
        image = image.resize((width, height), Image.Resampling.NEAREST)
    return Shot(picture.name, _url("webp", _webp(image, room.bytes)), width, height, coarse=2 * columns < width)


def embedded(name: str, png: bytes) -> Shot:
    """A PNG as it is, such as a figure."""
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    return Shot(name, _url("png", png), width, height, coarse=False)


def _webp(image: Image.Image, most: int) -> bytes:
    """The picture in at most so many bytes, or as few as the worst quality makes them."""
    data = b""
    for quality in _QUALITIES:
        buffer = BytesIO()
        image.save(buffer, "WEBP", quality=quality, method=1)
        data = buffer.getvalue()
        if len(data) <= most:
            break
    return data


def _url(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"
