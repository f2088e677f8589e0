"""Pictures in the terminal: an upper half-block is two pixels, one above the other, and every terminal with colours has it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from uhop_cli.arrays.types import Float64, UInt8

if TYPE_CHECKING:
    from rich.text import Text


LARGEST = 32  # pixels a side
GAP = 2
UPPER_HALF = "\N{UPPER HALF BLOCK}"


def side_by_side(pictures: Sequence[tuple[str, UInt8]], columns: int) -> Text:
    """Pictures (H, W, 1|3) with their captions, next to each other in `columns` columns."""
    from rich.text import Text

    side = max(4, min(LARGEST, (columns - GAP * (len(pictures) - 1)) // len(pictures)))
    small = [fit(picture, side) for _, picture in pictures]
    widths = [picture.shape[1] for picture in small]
    text = Text(no_wrap=True, end="")
    for (caption, _), width in zip(pictures, widths, strict=True):
        text.append(f"{caption[:width]:<{width + GAP}}", "bold")
    text.append("\n")
    for row in range(0, max(picture.shape[0] for picture in small), 2):
        for picture in small:
            _append_row(text, picture, row)
            text.append(" " * GAP)
        text.append("\n")
    return text


def fit(picture: UInt8, side: int) -> UInt8:
    """The picture in RGB with its longer side at most `side` and an even height: means over cells where it shrinks."""
    height, width = picture.shape[:2]
    scale = min(1.0, side / max(height, width))
    rows, columns = max(2, 2 * round(height * scale / 2)), max(1, round(width * scale))
    colour = np.broadcast_to(picture, (height, width, 3)).astype(np.float64)
    return np.rint(_means(_means(colour, rows).swapaxes(0, 1), columns).swapaxes(0, 1)).astype(np.uint8)


def _means(values: Float64, target: int) -> Float64:
    """Cells of the first axis, `target` of them, each the mean of the pixels in it, or its nearest pixel."""
    edges = np.arange(target + 1) * len(values) / target
    first = edges[:-1].astype(int)
    last = np.maximum(first + 1, np.ceil(edges[1:]).astype(int))
    return np.stack([values[begin:end].mean(axis=0) for begin, end in zip(first, last, strict=True)])


def _append_row(text: Text, picture: UInt8, row: int) -> None:
    if row >= picture.shape[0]:
        text.append(" " * picture.shape[1])
        return
    for upper, lower in zip(picture[row].tolist(), picture[row + 1].tolist(), strict=True):
        text.append(UPPER_HALF, f"rgb({upper[0]},{upper[1]},{upper[2]}) on rgb({lower[0]},{lower[1]},{lower[2]})")
