"""Borders of one colour taken off a query, round by round: each box that is left is a frame of its own.

In a round, every row and column at the edge of the box whose values have a standard deviation below 9 of 255 levels in every
channel goes. What goes in one round makes the lines that are left shorter, so that others may be of one colour in the next: a
caption beside a border, bars around a bar. The boxes of all rounds count, and the picture as it is counts anyway: a cover of one
colour at the edge of a picture would else be taken for a border.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from uhop_cli.frames.frame import Frame
from uhop_cli.images.resample import resize

ROUNDS = 4
SIDE = 256
EVEN = 9.0
_LEAST = 4  # pixels of a box


def trimmed_frames(pixels: NDArray[np.uint8]) -> list[Frame]:
    """The frames of what is left of a picture (H, W, C) after each round, the largest first; none where nothing goes.

    The picture is looked at with at most 256 pixels along its longer side. What is of one colour altogether has no frames.
    """
    small = reduced(pixels, SIDE)
    height, width = small.shape[:2]
    top, bottom, left, right = 0, height, 0, width
    frames: list[Frame] = []
    for _ in range(ROUNDS):
        box = small[top:bottom, left:right]
        rows, columns = (np.flatnonzero((box.std(axis=axis) >= EVEN).any(axis=1)) for axis in (1, 0))
        if min(len(rows), len(columns)) == 0 or (len(rows), len(columns)) == box.shape[:2]:
            break
        before = (top, bottom, left, right)
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        left, right = left + int(columns[0]), left + int(columns[-1]) + 1
        if (top, bottom, left, right) == before or min(bottom - top, right - left) < _LEAST:
            break
        frames.append(Frame(left / width, top / height, (right - left) / width, (bottom - top) / height))
    return frames


def reduced(pixels: NDArray[np.uint8], side: int) -> NDArray[Any]:
    """`pixels` (H, W, C) with at most `side` pixels along the longer side, by means over areas; itself if it is small enough."""
    height, width = pixels.shape[:2]
    if max(height, width) <= side:
        return pixels
    scale = side / max(height, width)
    return resize(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
