"""Pictures in the terminal: an upper half-block is two pixels, one above the other, and every terminal with colours has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from uhop_cli.arrays.types import Float64, UInt8
from uhop_cli.cli.layout import GAP, width_of

if TYPE_CHECKING:
    from rich.text import Text

UPPER_HALF = "\N{UPPER HALF BLOCK}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"


class Picture(NamedTuple):
    """A picture to show.

    Attributes:
        name: its caption.
        pixels: (H, W, 1|3).
        aspect: width through height as people know it, where the pixels are not square; None: W / H.
    """

    name: str
    pixels: UInt8
    aspect: float | None = None


def side_by_side(pictures: Sequence[Picture], columns: int, rows: int) -> Text:
    """The pictures under their names, next to each other in `columns` columns, each as large as `rows` lines allow."""
    from rich.text import Text

    share = max(4, (columns - GAP * (len(pictures) - 1)) // len(pictures))
    small = [fit(picture.pixels, share, 2 * rows, picture.aspect) for picture in pictures]
    places = [min(share, max(pixels.shape[1], width_of(picture.name))) for picture, pixels in zip(pictures, small, strict=True)]
    text = Text(no_wrap=True, end="")
    for picture, place in zip(pictures, places, strict=True):
        name = shortened(picture.name, place)
        text.append(name + " " * (place + GAP - width_of(name)), "bold")
    text.append("\n")
    for row in range(0, max(pixels.shape[0] for pixels in small), 2):
        for pixels, place in zip(small, places, strict=True):
            _append_row(text, pixels, row)
            text.append(" " * (place - pixels.shape[1] + GAP))
        text.append("\n")
    return text


def shortened(name: str, width: int) -> str:
    """The name in at most `width` columns, with its beginning and its end."""
    if width_of(name) <= width:
        return name
    end = name[-(width // 2) :] if width > 1 else ""
    while width_of(end) > width // 2:
        end = end[1:]
    start = name
    while width_of(start) + 1 + width_of(end) > width:
        start = start[:-1]
    return start + ELLIPSIS + end


def fit(picture: UInt8, width: int, height: int, aspect: float | None = None) -> UInt8:
    """The picture in RGB, as large as a box of `width` x `height` pixels takes it, with an even height.

    Args:
        picture: (H, W, 1|3); shrunk by means over cells, enlarged by repeating pixels.
        width, height: of the box.
        aspect: width through height of what is shown; None: that of the pixels.
    """
    aspect = aspect or picture.shape[1] / picture.shape[0]
    columns = min(float(width), height * aspect)
    rows = 2 * max(1, min(height // 2, round(columns / aspect / 2)))
    colour = np.broadcast_to(picture, (*picture.shape[:2], 3)).astype(np.float64)
    across = max(1, round(columns))
    return np.rint(_means(_means(colour, rows).swapaxes(0, 1), across).swapaxes(0, 1)).astype(np.uint8)


def _means(values: Float64, target: int) -> Float64:
    """Cells of the first axis, `target` of them, each the mean of the pixels in it, or its nearest pixel."""
    edges = np.arange(target + 1) * len(values) / target
    first = edges[:-1].astype(int)
    last = np.maximum(first + 1, np.ceil(edges[1:]).astype(int)) if target < len(values) else first + 1
    return np.stack([values[begin:end].mean(axis=0) for begin, end in zip(first, last, strict=True)])


def _append_row(text: Text, picture: UInt8, row: int) -> None:
    if row >= picture.shape[0]:
        text.append(" " * picture.shape[1])
        return
    for upper, lower in zip(picture[row].tolist(), picture[row + 1].tolist(), strict=True):
        text.append(UPPER_HALF, f"rgb({upper[0]},{upper[1]},{upper[2]}) on rgb({lower[0]},{lower[1]},{lower[2]})")
