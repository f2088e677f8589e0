"""Patterns -> PNG files that carry uhop's mark, and contact sheets."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.arrays.types import UInt8
from uhop_cli.images.own_mark import KEYWORD, TEXT, is_own_output

__all__ = ["album", "contact_sheet", "is_own_output", "to_png"]

ACROSS, DOWN = 12, 4  # patterns that a notebook shows
SHOWN_SIDE = 64


def to_png(pixels: UInt8) -> bytes:
    """A PNG of pixels (H, W, 1|3), with the mark by which `is_own_output` knows it. The same pixels give the same bytes."""
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    mark = PngInfo()
    mark.add_text(KEYWORD, TEXT)
    buffer = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(buffer, "PNG", pnginfo=mark, optimize=False)
    return buffer.getvalue()


def album(patterns: UInt8) -> bytes:
    """A PNG of the first patterns of (M, H, W, C), as many as a screen shows, each enlarged to about `SHOWN_SIDE` pixels."""
    zoom = max(1, round(SHOWN_SIDE / max(patterns.shape[1:3])))
    shown = patterns[: ACROSS * DOWN]
    rows = [list(shown[start : start + ACROSS]) for start in range(0, len(shown), ACROSS)]
    return to_png(contact_sheet(rows, zoom=zoom))


def contact_sheet(
    rows: Sequence[Sequence[UInt8]], *, zoom: int = 1, gap: int = 2, background: tuple[int, int, int] = (255, 255, 255)
) -> UInt8:
    """One RGB picture of rows of pictures, each (H, W, 1|3), top left in its cell.

    Args:
        rows: the pictures; rows may differ in length, pictures in size.
        zoom: every pixel becomes a square of this many pixels a side.
        gap: pixels between the cells and around them.
        background: colour of what no picture covers.

    Returns:
        (H, W, 3) uint8.
    """
    heights = [zoom * max((p.shape[0] for p in row), default=0) for row in rows]
    columns = max((len(row) for row in rows), default=0)
    widths = [zoom * max((row[i].shape[1] for row in rows if i < len(row)), default=0) for i in range(columns)]
    shape = (sum(heights) + gap * (len(heights) + 1), sum(widths) + gap * (columns + 1), 3)
    sheet = np.empty((max(1, shape[0]), max(1, shape[1]), 3), np.uint8)
    sheet[:] = background
    top = gap
    for row, height in zip(rows, heights, strict=True):
        left = gap
        for picture, width in zip(row, widths, strict=False):
            large: NDArray[Any] = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
            sheet[top : top + large.shape[0], left : left + large.shape[1]] = large  # grey broadcasts over the channels
            left += width + gap
        top += height + gap
    return sheet
